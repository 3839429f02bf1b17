// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "convolution.hpp"

/// The layers of a denoiser other than its 3x3 convolutions of many channels, for images and for
/// volumes, whose kernels have a third axis. Threads share the work.
namespace tessera::engine {

/// An image or volume as the caller has it: [channel][depth][height][width], contiguous.
struct Planes {
  const float* data = nullptr;
  std::int64_t channels = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t depth = 1;
};

/// 3x3 convolution from few channels (see head_weights): out = convolution(in) + bias, relu if
/// asked.
struct Head {
  MatrixWeights weights;
  std::int64_t in_channels = 0;
  std::int64_t planes = 1;  ///< of the kernel
  bool relu = false;
};
void run_head(const Head& head, const Planes& in, const Image& out, const Lanes& lanes);

/// 2x2 convolution of stride 2 (see down_weights), 2x2x2 where it halves the depth too. The extents
/// of in that are halved are even.
void run_down(const MatrixWeights& weights, const Image& in, const Image& out, const Lanes& lanes);

/// 2x2 transposed convolution of stride 2 (see up_weights) of in + skip, 2x2x2 where it doubles the
/// depth too.
void run_up(const MatrixWeights& weights, const Image& in, const Image& skip, const Image& out,
            const Lanes& lanes);

/// 3x3 convolution to few channels (see tail_weights), out as planes. With `head`, of in +
/// head(planes): the skip connection around the whole network, computed again because that is
/// cheaper than keeping it.
struct Tail {
  MatrixWeights weights;
  Buffer bias;  ///< out_channels floats; empty: none
  std::int64_t out_channels = 0;
  std::int64_t planes = 1;  ///< of the kernel
};
void run_tail(const Tail& tail, const Image& in, const Head* head, const Planes* planes, float* out,
              const Lanes& lanes);

/// Floats of scratch per lane that the layers above need for images of this width.
std::int64_t head_scratch(const Head& head, std::int64_t width);
std::int64_t up_scratch(std::int64_t in_channels);
std::int64_t tail_scratch(const Tail& tail, const Head* head, std::int64_t width);

}  // namespace tessera::engine
