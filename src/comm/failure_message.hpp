#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace tessera {

/// Local. What an exception says, in one piece and without the stack trace that torch's carry.
std::string failure_message(const std::exception_ptr& failure);

/// Local. "program: message" on standard error; the name comes once. One write, so that the
/// messages of several ranks do not mix.
void print_failure(std::string_view program, const std::string& message);

}  // namespace tessera
