// SPDX-License-Identifier: BSD-3-Clause
#include "io/guard.hpp"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <exception>
#include <new>

#include "tessera/core/error.hpp"

namespace tessera::detail {

void rethrow_as_io(const char* function, const std::string& path) {
  std::string cause;
  try {
    throw;
  } catch (const error::InvalidArgument&) {
    throw;
  } catch (const c10::Error& e) {
    cause = e.what_without_backtrace();
  } catch (const std::bad_alloc&) {
    cause = "not enough memory";
  } catch (const std::exception& e) {
    cause = e.what();
  }
  throw error::Io(fmt::format("{}: {}: {}", function, path, cause));
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t longest = 120;
  std::string result = "'";
  for (const char c : text.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      result += c;
    } else {
      result += fmt::format("\\x{:02x}", byte);
    }
  }
  return result + (text.size() > longest ? "...'" : "'");
}

}  // namespace tessera::detail
