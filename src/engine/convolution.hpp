// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "kernels.hpp"

namespace tessera::engine {

/// Working memory of the threads: `lanes` pieces of `floats` floats. A lane is a share of the work;
/// each lane always gets the same columns of an image, or planes of a volume, so that its lines
/// stay with the core that wrote them.
struct Lanes {
  float* scratch = nullptr;
  std::int64_t floats = 0;
  int count = 1;

  float* lane(std::int64_t index) const { return scratch + index * floats; }
};

/// Floats of scratch per lane that convolutions with these weights need.
std::int64_t convolution_scratch(const WinogradWeights& weights);

/// Computes the whole convolution. in and out must not be the same image. Threads share the work.
void convolve(const Convolution& work, const Lanes& lanes);

/// Two convolutions in sequence, the second reading what the first wrote: in -> between -> out,
/// where `between` is a ring of ring_rows() rows of every plane. They advance together, strip by
/// strip, so that the intermediate image never leaves the cache and `out` may be the image that the
/// first one reads. Both have one tile size.
struct ConvolutionPair {
  Convolution first;
  Convolution second;
};

/// Rows of the intermediate image that are kept, in every plane, for an image of this size.
std::int64_t ring_rows(const Size& size, const WinogradWeights& first);

/// first.out and second.in are set here, to the ring at `between`, of ring_rows() rows.
void convolve_pair(ConvolutionPair pair, float* between, const Lanes& lanes);

}  // namespace tessera::engine
