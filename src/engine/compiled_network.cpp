// SPDX-License-Identifier: BSD-3-Clause
#include "compiled_network.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <utility>

namespace tessera::engine {

namespace {

std::vector<std::int64_t> shape_of(std::int64_t batch, std::int64_t channels,
                                   at::IntArrayRef extents) {
  std::vector<std::int64_t> shape{batch, channels};
  shape.insert(shape.end(), extents.begin(), extents.end());
  return shape;
}

/// The box and what the network's first layer, and its last one, see around it.
Tensor window_of(const Tensor& box, const BoxPyramid& boxes) {
  const Box around = boxes.around(1, Program::surround);
  Tensor window = at::empty(shape_of(box.size(0), box.size(1), around.extents()), box.options());
  part_of(window, around, boxes.local()).copy_(box);
  boxes.fill_around(window, around, 1, Program::surround);
  return window;
}

}  // namespace

Tensor CompiledNetwork::compute(const Tensor& input, const BoxPyramid* boxes) const {
  Program program(boxes);
  build(program, size_of(input.sizes().slice(2)));
  program.plan();
  const Tensor planes = boxes == nullptr ? input : window_of(input, *boxes);
  const at::IntArrayRef extents = planes.sizes().slice(2);
  const Size size = size_of(extents);
  const std::int64_t pixels = size.depth * size.height * size.width;

  Execution execution;
  execution.lanes.count = at::get_num_threads();
  execution.lanes.floats = program.scratch_floats();
  Buffer buffer =
      take_buffer(program.memory_floats() + execution.lanes.count * execution.lanes.floats);
  execution.memory = buffer.data();
  execution.lanes.scratch = buffer.data() + program.memory_floats();

  const Tensor result =
      at::empty(shape_of(input.size(0), out_channels(), extents), input.options());
  execution.in = {planes.const_data_ptr<float>(), input.size(1), size.height, size.width,
                  size.depth};
  execution.out = result.mutable_data_ptr<float>();
  for (std::int64_t image = 0; image < input.size(0); ++image) {
    program.run(execution);
    execution.in.data += input.size(1) * pixels;
    execution.out += out_channels() * pixels;
  }
  return_buffer(std::move(buffer));
  if (boxes == nullptr) return result;
  return part_of(result, boxes->around(1, Program::surround), boxes->local()).contiguous();
}

std::int64_t CompiledNetwork::working_floats(at::IntArrayRef extents) const {
  Program program;
  build(program, size_of(extents));
  program.plan();
  return program.memory_floats() + at::get_num_threads() * program.scratch_floats();
}

Buffer CompiledNetwork::take_buffer(std::int64_t floats) const {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      Buffer buffer = std::move(idle_.back());
      idle_.pop_back();
      if (buffer.size() >= floats) return buffer;
    }
  }  // a buffer that is too small is freed here, before the larger one is made
  return Buffer(floats);
}

void CompiledNetwork::return_buffer(Buffer buffer) const {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(buffer));
}

}  // namespace tessera::engine
