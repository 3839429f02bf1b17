// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <string>

namespace settings {

/// Whether the option is among the arguments of main().
bool has_option(int argc, char** argv, const std::string& option);

/// What a program ends with: what `body` returns, or 1 with the message of what it throws. Also 1
/// if what was printed did not arrive, on a full disk or in a closed pipe. `program` begins the
/// messages.
int run_program(const std::string& program, const std::function<int()>& body);

}  // namespace settings
