// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

namespace grid {

/// Other programs, started and waited for.

/// A command as a shell reads it: quoted where needed.
std::string shell_command(const std::vector<std::string>& command);

/// Runs a command and waits for it. Its output and errors go to the file `log` and, if `show`, to
/// standard output. Returns its exit code, or 128 + signal. If this process dies, the command is
/// sent SIGTERM (on Linux). Throws error::Io if the log cannot be written.
int run_process(const std::vector<std::string>& command, const std::string& log, bool show);

/// Runs a command and returns its exit code; `output` receives what it printed.
int capture_process(const std::vector<std::string>& command, std::string& output);

}  // namespace grid
