// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>

namespace tessera::detail {

inline constexpr int glyph_width = 5;
inline constexpr int glyph_height = 7;

/// Rows of a character of the caption font, top to bottom; bit 4 is the leftmost pixel. Letters are
/// shown as capitals, characters the font lacks as an empty box.
std::array<std::uint8_t, glyph_height> glyph(char character);

}  // namespace tessera::detail
