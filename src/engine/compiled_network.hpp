// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "buffer.hpp"
#include "network.hpp"
#include "program.hpp"

namespace tessera::engine {

/// A network as a program of steps, with transformed weights, and the buffers of its intermediate
/// images, kept from call to call: one per concurrent call.
class CompiledNetwork : public Network {
 public:
  Tensor run(const Tensor& input) const override { return compute(input, nullptr); }
  Tensor run_box(const Tensor& input, const BoxPyramid& boxes) const override {
    return compute(input, &boxes);
  }
  std::int64_t working_floats(at::IntArrayRef extents) const override;
  std::string summary() const override { return summary_; }

  void describe(std::string summary) { summary_ = std::move(summary); }
  /// Gives the memory back that earlier calls have left.
  void forget_buffers() { idle_.clear(); }

 private:
  virtual std::int64_t out_channels() const = 0;
  virtual void build(Program& program, Size size) const = 0;

  Tensor compute(const Tensor& input, const BoxPyramid* boxes) const;
  Buffer take_buffer(std::int64_t floats) const;
  void return_buffer(Buffer buffer) const;

  std::string summary_;
  mutable std::mutex mutex_;
  mutable std::vector<Buffer> idle_;
};

}  // namespace tessera::engine
