#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "buffer.hpp"
#include "program.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera::engine {

/// A network compiled for inference in float32 on the processor: weights transformed once, intermediate
/// images in one buffer that is kept for the next call. May be called from several threads at once (each
/// call then has its own buffer). The result's bits do not depend on the number of threads.
class Network {
 public:
  virtual ~Network() = default;

  /// input: (B, channels, H, W) float32, contiguous, on the host, with the sizes the network accepts.
  Tensor run(const Tensor& input) const;

  /// Floats of working memory that run needs for one image of this size with the present number of
  /// threads, input and result not counted.
  std::int64_t working_floats(std::int64_t height, std::int64_t width) const;

 private:
  virtual std::int64_t out_channels() const = 0;
  virtual void build(Program& program, std::int64_t height, std::int64_t width) const = 0;

  Buffer take_buffer(std::int64_t floats) const;
  void return_buffer(Buffer buffer) const;

  mutable std::mutex mutex_;
  mutable std::vector<Buffer> idle_;
};

/// The DRUNet of these weights, in order of use: head; per scale its blocks (two 3x3 kernels each) and the
/// 2x2 step down; the coarsest blocks; per scale, back up, the 2x2 transposed step and its blocks; tail. The
/// network's input holds the noise level map as last channel; height and width are multiples of
/// 2^(scales - 1). Throws error::ShapeMismatch if a weight does not fit.
std::unique_ptr<Network> compile_drunet(const std::vector<Tensor>& weights, std::int64_t scales,
                                        std::int64_t blocks);

/// The DnCNN of these weights, in order of use, each followed by its bias where there are biases; without
/// the final addition of its input.
std::unique_ptr<Network> compile_dncnn(const std::vector<Tensor>& weights, bool has_bias);

/// Hands out weights in order, as contiguous float32 on the host, and checks their shapes.
class WeightReader {
 public:
  explicit WeightReader(const std::vector<Tensor>& weights) : weights_(weights) {}

  std::int64_t left() const { return static_cast<std::int64_t>(weights_.size()) - next_; }
  /// The next one; a size of -1 stands for any.
  Tensor next(at::IntArrayRef shape);

 private:
  const std::vector<Tensor>& weights_;
  std::int64_t next_ = 0;
};

}  // namespace tessera::engine
