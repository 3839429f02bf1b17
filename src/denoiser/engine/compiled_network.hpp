#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "buffer.hpp"
#include "network.hpp"
#include "program.hpp"

namespace tessera::engine {

/// A network as a program of steps, with transformed weights, and the buffers of its intermediate
/// images, kept from call to call: one per concurrent call.
class CompiledNetwork : public Network {
 public:
  Tensor run(const Tensor& input) const override;
  std::int64_t working_floats(std::int64_t height, std::int64_t width) const override;

 private:
  virtual std::int64_t out_channels() const = 0;
  virtual void build(Program& program, std::int64_t height, std::int64_t width) const = 0;

  Buffer take_buffer(std::int64_t floats) const;
  void return_buffer(Buffer buffer) const;

  mutable std::mutex mutex_;
  mutable std::vector<Buffer> idle_;
};

/// Hands out weights in order, as contiguous float32 on the host (meta tensors as they are), and
/// checks their shapes.
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

/// A weight's values; null for an undefined or a meta tensor.
const float* values_of(const Tensor& weight);

}  // namespace tessera::engine
