// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <vector>

#include "buffer.hpp"
#include "image.hpp"
#include "layers.hpp"
#include "tessera/comm/box_pyramid.hpp"

namespace tessera::engine {

/// From two extents, height and width, or three, depth first.
Size size_of(at::IntArrayRef extents);

/// What one execution of a program works on.
struct Execution {
  Planes in;                ///< with boxes, of their window
  float* out = nullptr;     ///< planes of the result, likewise
  float* memory = nullptr;  ///< Program::memory_floats() floats
  Lanes lanes;
};

/// The steps of a network for one image size, and the memory of its intermediate images: an image's
/// place is free for others before the first and after the last step that uses it. Images may be
/// volumes.
///
/// With boxes, a program computes this rank's box of an image. Its images are then windows: the box
/// and the pixels of others within `surround` of it, as far as the image goes. A step that sees
/// neighbours computes whole windows, of which the box comes out right if others' pixels were
/// fetched before; steps that see none work on the box alone.
class Program {
 public:
  using Slot = int;
  using Step = std::function<void(const Execution&)>;

  /// Pixels that two 3x3 convolutions see beyond one.
  static constexpr std::int64_t surround = 2;

  explicit Program(const BoxPyramid* boxes = nullptr) : boxes_(boxes) {}

  /// An intermediate image of these extents, the box's, of which a pixel stands for `pixel` pixels
  /// of the network's input along every axis.
  Slot image(Size size, std::int64_t channels, std::int64_t pixel = 1);
  /// Another one like this.
  Slot image_like(Slot slot);
  /// Intermediate memory without a shape.
  Slot memory(std::int64_t floats);
  /// Appends a step that uses these slots and no others.
  void step(std::initializer_list<Slot> slots, Step step);
  /// Appends the exchange that fetches the pixels around the box; nothing for whole images.
  void fetch_surroundings(Slot slot);
  /// Each lane needs at least this much scratch memory.
  void need_scratch(std::int64_t floats);

  /// Ends the construction: assigns the places.
  void plan();

  std::int64_t memory_floats() const { return plan_.floats; }
  std::int64_t scratch_floats() const { return scratch_; }
  /// Extents and channels of a slot's image, of the window with boxes.
  const Image& shape_of(Slot slot) const { return images_[static_cast<std::size_t>(slot)]; }
  Image image_of(const Execution& execution, Slot slot) const;
  /// The box in a window; the same for whole images.
  Image box_of(const Execution& execution, Slot slot) const;
  float* memory_of(const Execution& execution, Slot slot) const;
  void run(const Execution& execution) const;

 private:
  const BoxPyramid* boxes_;
  std::vector<Image> images_;         // shapes
  std::vector<std::int64_t> pixels_;  // of images, in those of the input
  std::vector<BufferRequest> requests_;
  std::vector<Step> steps_;
  BufferPlan plan_;
  std::int64_t scratch_ = 0;
};

/// Appends second(first(in)) by strips (see convolve_pair) with the epilogues given; `out`, of the
/// same extents, may be `in`. With Epilogue::add the second convolution adds `in`. With boxes, the
/// surroundings of `in` are fetched first.
void add_pair(Program& program, const WinogradWeights& first, Epilogue first_epilogue,
              const WinogradWeights& second, Epilogue second_epilogue, Program::Slot in,
              Program::Slot out);

}  // namespace tessera::engine
