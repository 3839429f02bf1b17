// SPDX-License-Identifier: BSD-3-Clause
#include "settings/program.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <string_view>

namespace settings {

namespace {

int after_printing(const std::string& program, int code) {
  std::cout.flush();
  const bool arrived = std::cout.good() && std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (arrived) return code;
  fmt::print(stderr, "{}: standard output: cannot be written{}\n", program,
             errno != 0 ? fmt::format(": {}", std::strerror(errno)) : "");
  return code == 0 ? 1 : code;
}

}  // namespace

bool has_option(int argc, char** argv, const std::string& option) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == option || argument.starts_with(option + "=")) return true;
  }
  return false;
}

int run_program(const std::string& program, const std::function<int()>& body) {
  try {
    return after_printing(program, body());
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", program, error.what());
  }
  return 1;
}

}  // namespace settings
