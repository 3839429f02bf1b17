#pragma once

#include <cstdint>
#include <span>

namespace tessera::detail {

/// Independent N(0, 1) draws number first, first + 1, ... of `stream` of `seed`. Draw n is a
/// function of seed, stream and n alone, computed in double precision: elements 2 k and 2 k + 1 are
/// the Box-Muller pair of the value that Philox4x32-10 has, under the key `seed`, for the counter
/// (k, stream).
template <typename T>
void fill_normal(std::span<T> draws, std::uint64_t seed, std::uint64_t stream, std::uint64_t first);

}  // namespace tessera::detail
