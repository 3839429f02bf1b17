#include "failure_message.hpp"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <cstdio>

namespace tessera {

std::string failure_message(const std::exception_ptr& failure) {
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

void print_failure(std::string_view program, const std::string& message) {
  const std::string name = fmt::format("{}: ", program);
  const std::string line = (message.starts_with(name) ? message : name + message) + "\n";
  std::fflush(stdout);
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

}  // namespace tessera
