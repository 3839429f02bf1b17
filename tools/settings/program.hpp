// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace settings {

/// Whether the option is among the arguments of main().
bool has_option(int argc, char** argv, const std::string& option);

/// The exit code, unless what was printed did not arrive, a full disk or a closed pipe: then 1 if
/// it was 0, and the reason on stderr. `program` begins the sentence.
int after_printing(const std::string& program, int code);

}  // namespace settings
