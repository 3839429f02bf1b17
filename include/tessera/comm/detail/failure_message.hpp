// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <c10/util/Exception.h>

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include "tessera/core/text.hpp"

namespace tessera {

/// Local. What an exception says, in one piece and without the stack trace that torch's carry.
std::string failure_message(const std::exception_ptr& failure);

/// Local. "program: message" on standard error; the name comes once. One write, so that the
/// messages of several ranks do not mix.
void print_failure(std::string_view program, const std::string& message);

inline std::string failure_message(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

inline void print_failure(std::string_view program, const std::string& message) {
  const std::string name = formatted("{}: ", program);
  const std::string line = (message.starts_with(name) ? message : name + message) + "\n";
  std::fflush(stdout);
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

}  // namespace tessera
