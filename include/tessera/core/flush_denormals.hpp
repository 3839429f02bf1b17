// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/Parallel.h>
#include <immintrin.h>

#include <cstdint>

namespace tessera {

/// While it lives, this thread and the threads that LibTorch works with on its behalf take numbers
/// too small for full precision (below 1.2e-38 in float32) for zero. Processors compute with such
/// numbers up to a hundred times slower than with others. Afterwards all of them have the setting
/// that this thread had before. One within another does nothing. Costs a few microseconds; works on
/// x86 and 64-bit ARM, elsewhere it does nothing.
///
/// Solver::solve and Denoiser::denoise have one of their own.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  bool outermost_;
  std::uint64_t before_;
};

}  // namespace tessera

#if defined(__SSE2__)
#endif

namespace tessera {

namespace detail {

#if defined(__SSE2__)
inline constexpr std::uint64_t flush_bits = 0x8040;  // MXCSR: results (FTZ) and operands (DAZ)
inline std::uint64_t control() {
  return _mm_getcsr();
}
inline void set_control(std::uint64_t value) {
  _mm_setcsr(static_cast<unsigned int>(value));
}
#elif defined(__aarch64__)
inline constexpr std::uint64_t flush_bits = std::uint64_t{1} << 24;  // FPCR.FZ: both
inline std::uint64_t control() {
  std::uint64_t value = 0;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
inline void set_control(std::uint64_t value) {
  asm volatile("msr fpcr, %0" : : "r"(value));
}
#else
inline constexpr std::uint64_t flush_bits = 0;
inline std::uint64_t control() {
  return 0;
}
inline void set_control(std::uint64_t /*value*/) {}
#endif

/// Sets the flush bits of this thread and of its workers, one chunk of work each.
inline void set_flush_bits(std::uint64_t bits) {
  const auto set = [bits] { set_control((control() & ~flush_bits) | bits); };
  at::parallel_for(0, at::get_num_threads(), 1, [&](std::int64_t, std::int64_t) { set(); });
  set();
}

inline thread_local bool is_flushing = false;

}  // namespace detail

inline FlushDenormals::FlushDenormals()
    : outermost_(!detail::is_flushing), before_(detail::control() & detail::flush_bits) {
  if (!outermost_ || detail::flush_bits == 0) return;
  detail::set_flush_bits(detail::flush_bits);
  detail::is_flushing = true;
}

inline FlushDenormals::~FlushDenormals() {
  if (!outermost_ || detail::flush_bits == 0) return;
  detail::set_flush_bits(before_);
  detail::is_flushing = false;
}

}  // namespace tessera
