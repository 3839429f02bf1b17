#include "tessera/core/flush_denormals.hpp"

#include <ATen/Parallel.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace tessera {

namespace {

#if defined(__SSE2__)
constexpr std::uint64_t flush_bits = 0x8040;  // MXCSR: results (FTZ) and operands (DAZ)
std::uint64_t control() {
  return _mm_getcsr();
}
void set_control(std::uint64_t value) {
  _mm_setcsr(static_cast<unsigned int>(value));
}
#elif defined(__aarch64__)
constexpr std::uint64_t flush_bits = std::uint64_t{1} << 24;  // FPCR.FZ: both
std::uint64_t control() {
  std::uint64_t value = 0;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
void set_control(std::uint64_t value) {
  asm volatile("msr fpcr, %0" : : "r"(value));
}
#else
constexpr std::uint64_t flush_bits = 0;
std::uint64_t control() {
  return 0;
}
void set_control(std::uint64_t /*value*/) {}
#endif

/// Sets the flush bits of this thread and of its workers, one chunk of work each.
void set_flush_bits(std::uint64_t bits) {
  const auto set = [bits] { set_control((control() & ~flush_bits) | bits); };
  at::parallel_for(0, at::get_num_threads(), 1, [&](std::int64_t, std::int64_t) { set(); });
  set();
}

thread_local bool is_flushing = false;

}  // namespace

FlushDenormals::FlushDenormals() : outermost_(!is_flushing), before_(control() & flush_bits) {
  if (!outermost_ || flush_bits == 0) return;
  set_flush_bits(flush_bits);
  is_flushing = true;
}

FlushDenormals::~FlushDenormals() {
  if (!outermost_ || flush_bits == 0) return;
  set_flush_bits(before_);
  is_flushing = false;
}

}  // namespace tessera
