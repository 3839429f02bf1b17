// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace settings {

/// Texts that stand in one line of a script, a message or a JSON file, and come back as they were.

/// What keeps a text from being one line of UTF-8: "a line break at byte 3", "the control character
/// 0x1b at byte 0", "no UTF-8 at byte 7". Empty: nothing.
std::string flaw_of_line(std::string_view text);

/// Throws error::InvalidArgument, beginning with `what`, for a text that is not one line of UTF-8.
void check_line(const std::string& what, std::string_view text);

/// The first byte that is no UTF-8; npos if all are.
std::size_t first_not_utf8(std::string_view text);

/// For messages: in quotes, at most 60 bytes, control characters and bytes that are no UTF-8 as
/// \xNN.
std::string printable(std::string_view text);

}  // namespace settings
