// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tessera/comm/box_pyramid.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera::engine {

/// A network made ready for inference in float32 on the processor: weights transformed once,
/// intermediate images in one buffer that is kept for the next call. May be called from several
/// threads at once (each call then has its own buffer). The result's bits do not depend on the
/// number of threads.
class Network {
 public:
  virtual ~Network() = default;

  /// input: (B, channels, H, W), or (B, channels, D, H, W) for the network of volumes, float32,
  /// contiguous, on the host, with the sizes the network accepts.
  virtual Tensor run(const Tensor& input) const = 0;

  /// Collective over the ranks of `boxes`. The part of the result of the whole image in this rank's
  /// box, of which `input` is the part; the network's sizes divide all ends of boxes. Ranks
  /// exchange pixels around their boxes of the input for the batch at once, and of features, image
  /// by image, before every pair of 3x3 convolutions, before one without a second, and before the
  /// last layer.
  virtual Tensor run_box(const Tensor& input, const BoxPyramid& boxes) const = 0;

  /// Floats of working memory that run needs for images of these extents, H and W or D, H and W
  /// (one image at a time), with the present number of threads, input and result not counted.
  virtual std::int64_t working_floats(at::IntArrayRef extents) const = 0;

  /// What computes: instruction set, tile sizes, what was measured to choose them.
  virtual std::string summary() const = 0;
};

/// How a network is compiled.
struct CompileOptions {
  /// Largest relative difference between results with tiles of six and with tiles of four, on a
  /// test image, with which the former are taken; 0: tiles of four.
  double tile_tolerance = 0;
};

/// The DRUNet of these weights, in order of use: head; per scale its blocks (two 3x3 kernels each)
/// and the 2x2 step down; the coarsest blocks; per scale, back up, the 2x2 transposed step and its
/// blocks; tail. For volumes if the kernels have three axes. The network's input holds the noise
/// level map as last channel; its extents are multiples of 2^(scales - 1). From meta tensors: a
/// network that knows working_floats and cannot run. Null where the engine was not built. Throws
/// error::ShapeMismatch if a weight does not fit.
std::unique_ptr<Network> compile_drunet(const std::vector<Tensor>& weights, std::int64_t scales,
                                        std::int64_t blocks, const CompileOptions& options = {});

/// The DnCNN of these weights, in order of use, each followed by its bias where there are biases;
/// without the final addition of its input. Otherwise as compile_drunet.
std::unique_ptr<Network> compile_dncnn(const std::vector<Tensor>& weights, bool has_bias,
                                       const CompileOptions& options = {});

}  // namespace tessera::engine
