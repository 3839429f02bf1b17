// SPDX-License-Identifier: BSD-3-Clause
#include "program.hpp"

#include <algorithm>
#include <utility>

namespace tessera::engine {

Program::Slot Program::image(std::int64_t height, std::int64_t width, std::int64_t channels) {
  const Slot slot = memory(image_floats(height, width, channels));
  images_[static_cast<std::size_t>(slot)] = image_at(nullptr, height, width, channels);
  return slot;
}

Program::Slot Program::memory(std::int64_t floats) {
  images_.emplace_back();
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

void Program::need_scratch(std::int64_t floats) {
  scratch_ = std::max(scratch_, round_up(floats, channel_block));
}

void Program::plan() {
  plan_ = plan_buffers(requests_);
}

Image Program::image_of(const Execution& execution, Slot slot) const {
  Image image = images_[static_cast<std::size_t>(slot)];
  image.data = memory_of(execution, slot);
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
              Program::Slot out, std::int64_t height, std::int64_t width) {
  const std::int64_t rows = ring_rows(height, width, first);
  const Program::Slot ring = program.memory(image_floats(rows, width, first.out_channels));
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
