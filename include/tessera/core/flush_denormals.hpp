#pragma once

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
