// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <vector>

#include "buffer.hpp"
#include "image.hpp"
#include "layers.hpp"

namespace tessera::engine {

/// What one execution of a program works on.
struct Execution {
  Planes in;
  float* out = nullptr;     ///< planes of the result
  float* memory = nullptr;  ///< Program::memory_floats() floats
  Lanes lanes;
};

/// The steps of a network for one image size, and the memory of its intermediate images: an image's
/// place is free for others before the first and after the last step that uses it.
class Program {
 public:
  using Slot = int;
  using Step = std::function<void(const Execution&)>;

  /// An intermediate image.
  Slot image(std::int64_t height, std::int64_t width, std::int64_t channels);
  /// Intermediate memory without a shape.
  Slot memory(std::int64_t floats);
  /// Appends a step that uses these slots and no others.
  void step(std::initializer_list<Slot> slots, Step step);
  /// Each lane needs at least this much scratch memory.
  void need_scratch(std::int64_t floats);

  /// Ends the construction: assigns the places.
  void plan();

  std::int64_t memory_floats() const { return plan_.floats; }
  std::int64_t scratch_floats() const { return scratch_; }
  Image image_of(const Execution& execution, Slot slot) const;
  float* memory_of(const Execution& execution, Slot slot) const;
  void run(const Execution& execution) const;

 private:
  std::vector<Image> images_;  // shapes
  std::vector<BufferRequest> requests_;
  std::vector<Step> steps_;
  BufferPlan plan_;
  std::int64_t scratch_ = 0;
};

/// Appends second(first(in)) by strips (see convolve_pair) with the epilogues given; `out` may be
/// `in`. With Epilogue::add the second convolution adds `in`.
void add_pair(Program& program, const WinogradWeights& first, Epilogue first_epilogue,
              const WinogradWeights& second, Epilogue second_epilogue, Program::Slot in,
              Program::Slot out, std::int64_t height, std::int64_t width);

}  // namespace tessera::engine
