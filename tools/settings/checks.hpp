// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "tessera/distributed/per_axis.hpp"

namespace settings {

/// Checks of what is given for an option, one rule for each kind, so that a message names the
/// option, what was given and what is expected: "--overlap: is -8, expected zero or more". Numbers
/// are written as numbers.hpp says. All throw CLI::ValidationError.

/// What a number may be, both ends included unless `open`.
struct Bounds {
  double low = 0;
  double high = std::numeric_limits<double>::infinity();
  bool open = false;      ///< more than `low`
  std::string hint = {};  ///< follows what is expected
};

/// The highest of whole numbers: any, and numbers of things that a run makes or counts.
inline constexpr std::int64_t unbounded = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t many = 1 << 20;

inline const Bounds zero_or_more{};
inline const Bounds more_than_zero{.open = true};

double checked_number(const std::string& option, const std::string& text, const Bounds& bounds);
std::int64_t checked_integer(const std::string& option, const std::string& text, std::int64_t low,
                             std::int64_t high);
/// One for all axes of an image, or one for each: 32, or 4x32x32.
tessera::PerAxis checked_per_axis(const std::string& option, const std::string& text,
                                  std::int64_t low);
/// Of 64 bits without a sign.
std::uint64_t checked_seed(const std::string& option, const std::string& text);
/// The name of a file or folder, which is not empty.
std::string checked_path(const std::string& option, const std::string& text);
/// One of a few words; `renamed` has old words and what they are called now.
std::string checked_word(const std::string& option, const std::string& text,
                         const std::vector<std::string>& words,
                         const std::map<std::string, std::string>& renamed);

}  // namespace settings
