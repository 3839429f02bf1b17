// SPDX-License-Identifier: BSD-3-Clause
// Include guards, not #pragma once: a precompiled header restored by a compiler cache remembers
// another time stamp of this file, by which GCC recognises files that it must read only once.
#ifndef TESSERA_TESTS_CATCH_HPP
#define TESSERA_TESTS_CATCH_HPP

// LibTorch's logging defines a fatal CHECK. Included first, once and for all, it makes way for
// Catch2's.
#include <c10/util/Logging.h>
#undef CHECK

#include <string>

// Catch2 version 2 (Debian) and version 3 under one name.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#define TESSERA_CONTAINS Catch::Matchers::ContainsSubstring
#else
#include <catch2/catch.hpp>
#define TESSERA_CONTAINS Catch::Matchers::Contains
#endif

namespace test {

/// Matches messages that contain `text`.
inline auto contains(const std::string& text) {
  return TESSERA_CONTAINS(text);
}

}  // namespace test
#undef TESSERA_CONTAINS

#endif  // TESSERA_TESTS_CATCH_HPP
