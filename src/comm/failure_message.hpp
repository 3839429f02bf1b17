#pragma once

#include <exception>
#include <string>

namespace tessera {

/// Local. What an exception says, in one piece and without the stack trace that torch's carry.
std::string failure_message(const std::exception_ptr& failure);

}  // namespace tessera
