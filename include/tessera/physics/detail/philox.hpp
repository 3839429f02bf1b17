// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tessera::detail {

/// Philox4x32-10: a bijection of 128-bit counters for each 64-bit key, whose values pass for
/// independent random bits even for keys and counters that differ little (Salmon, Moraes, Dror,
/// Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011). `count` counters at once, word by
/// word, so that compilers work on several of them in one instruction: words[w][i] is word w of
/// counter i, and becomes word w of its value.
template <std::size_t count>
void philox4x32(std::array<std::array<std::uint32_t, count>, 4>& words,
                std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t even = std::uint64_t{0xD2511F53U} * words[0][i];
      const std::uint64_t odd = std::uint64_t{0xCD9E8D57U} * words[2][i];
      const std::uint32_t first = static_cast<std::uint32_t>(odd >> 32) ^ words[1][i] ^ key[0];
      const std::uint32_t third = static_cast<std::uint32_t>(even >> 32) ^ words[3][i] ^ key[1];
      words[0][i] = first;
      words[1][i] = static_cast<std::uint32_t>(odd);
      words[2][i] = third;
      words[3][i] = static_cast<std::uint32_t>(even);
    }
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
}

}  // namespace tessera::detail
