// SPDX-License-Identifier: BSD-3-Clause
#include "program.hpp"

#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <utility>

namespace tessera::engine {

Size size_of(at::IntArrayRef extents) {
  const std::size_t axes = extents.size();
  return {extents[axes - 2], extents[axes - 1], axes == 3 ? extents[0] : 1};
}

Program::Slot Program::image(Size size, std::int64_t channels, std::int64_t pixel) {
  if (boxes_ != nullptr) size = size_of(boxes_->around(pixel, surround).extents());
  const Slot slot = memory(size.depth * image_floats(size.height, size.width, channels));
  images_.back() = image_at(nullptr, size, channels);
  pixels_.back() = pixel;
  return slot;
}

Program::Slot Program::image_like(Slot slot) {
  const Slot other = memory(requests_[static_cast<std::size_t>(slot)].floats);
  images_.back() = shape_of(slot);
  pixels_.back() = pixels_[static_cast<std::size_t>(slot)];
  return other;
}

Program::Slot Program::memory(std::int64_t floats) {
  images_.emplace_back();
  pixels_.push_back(1);
  requests_.push_back({floats, -1, -1});
  return static_cast<Slot>(requests_.size()) - 1;
}

void Program::step(std::initializer_list<Slot> slots, Step step) {
  const int index = static_cast<int>(steps_.size());
  for (const Slot slot : slots) {
    BufferRequest& request = requests_[static_cast<std::size_t>(slot)];
    if (request.first_step < 0) request.first_step = index;
    request.last_step = index;
  }
  steps_.push_back(std::move(step));
}

void Program::fetch_surroundings(Slot slot) {
  if (boxes_ == nullptr) return;
  step({slot}, [this, slot](const Execution& e) {
    const Image image = image_of(e, slot);
    const Tensor window =
        at::from_blob(image.data, {1, image.channels, image.depth, image.height, image.width},
                      {0, 1, image.plane_stride, image.row_stride, image.channels}, at::kFloat);
    const std::int64_t pixel = pixels_[static_cast<std::size_t>(slot)];
    const Box around = boxes_->around(pixel, surround);
    const bool is_image = around.axes.size() == 2;
    boxes_->fill_around(is_image ? window.squeeze(2) : window, around, pixel, surround);
  });
}

void Program::need_scratch(std::int64_t floats) {
  scratch_ = std::max(scratch_, round_up(floats, channel_block));
}

void Program::plan() {
  plan_ = plan_buffers(requests_);
}

Image Program::image_of(const Execution& execution, Slot slot) const {
  Image image = shape_of(slot);
  image.data = memory_of(execution, slot);
  return image;
}

Image Program::box_of(const Execution& execution, Slot slot) const {
  Image image = image_of(execution, slot);
  if (boxes_ == nullptr) return image;
  const std::int64_t pixel = pixels_[static_cast<std::size_t>(slot)];
  const std::vector<Interval> box = boxes_->local(pixel).axes;
  const std::vector<Interval> window = boxes_->around(pixel, surround).axes;
  const std::size_t rows = box.size() - 2;
  const std::size_t columns = box.size() - 1;
  if (box.size() == 3) {
    image.data += (box[0].begin - window[0].begin) * image.plane_stride;
    image.depth = box[0].length();
  }
  image.data = image.row(box[rows].begin - window[rows].begin) +
               (box[columns].begin - window[columns].begin) * image.channels;
  image.height = box[rows].length();
  image.width = box[columns].length();
  return image;
}

float* Program::memory_of(const Execution& execution, Slot slot) const {
  return execution.memory + plan_.offsets[static_cast<std::size_t>(slot)];
}

void Program::run(const Execution& execution) const {
  for (const Step& step : steps_) step(execution);
}

void add_pair(Program& program, const WinogradWeights& first, Epilogue first_epilogue,
              const WinogradWeights& second, Epilogue second_epilogue, Program::Slot in,
              Program::Slot out) {
  program.fetch_surroundings(in);
  const Image& shape = program.shape_of(in);
  const std::int64_t rows = ring_rows({shape.height, shape.width, shape.depth}, first);
  const Program::Slot ring =
      program.memory(shape.depth * image_floats(rows, shape.width, first.out_channels));
  program.need_scratch(std::max(convolution_scratch(first), convolution_scratch(second)));
  program.step({in, out, ring}, [=, &program, &first, &second](const Execution& e) {
    ConvolutionPair pair;
    pair.first.in = program.image_of(e, in);
    pair.first.weights = &first;
    pair.first.epilogue = first_epilogue;
    pair.second.out = program.image_of(e, out);
    pair.second.residual = pair.first.in;
    pair.second.weights = &second;
    pair.second.epilogue = second_epilogue;
    convolve_pair(pair, program.memory_of(e, ring), e.lanes);
  });
}

}  // namespace tessera::engine
