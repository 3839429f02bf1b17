// SPDX-License-Identifier: BSD-3-Clause
#include "layer_times.hpp"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/rand.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "engine/program.hpp"
#include "tessera/core/tensor.hpp"
#include "times.hpp"

namespace bench {

namespace {

namespace engine = tessera::engine;
using tessera::Tensor;

/// Runs a program of one step, with random planes as its input.
class Runner {
 public:
  Runner(engine::Program& program, std::int64_t channels, std::int64_t height, std::int64_t width,
         int threads)
      : program_(program),
        planes_(at::rand({channels, height, width})),
        result_(at::empty_like(planes_)) {
    program.plan();
    execution_.lanes = {nullptr, program.scratch_floats(), threads};
    buffer_ = engine::Buffer(program.memory_floats() + threads * program.scratch_floats());
    std::fill_n(buffer_.data(), buffer_.size(), 0.0F);
    execution_.memory = buffer_.data();
    execution_.lanes.scratch = buffer_.data() + program.memory_floats();
    execution_.in = {planes_.const_data_ptr<float>(), channels, height, width};
    execution_.out = result_.mutable_data_ptr<float>();
  }

  Times run(int rounds) const {
    Times times;
    for (int round = 0; round < 3 * rounds; ++round) {
      times.add(seconds([&] { program_.run(execution_); }));
    }
    return times;
  }

 private:
  engine::Program& program_;
  Tensor planes_;
  Tensor result_;
  engine::Buffer buffer_;
  engine::Execution execution_;
};

const float* data(const Tensor& weight) {
  return weight.const_data_ptr<float>();
}

class Layers {
 public:
  Layers(int rounds, int threads) : rounds_(rounds), threads_(threads) {}

  /// Head and tail; the tail computes the head again.
  void ends(std::int64_t channels, std::int64_t height, std::int64_t width) {
    constexpr std::int64_t channels_in = 4;
    constexpr std::int64_t channels_out = 3;
    const Tensor weight = at::rand({channels, channels_in, 3, 3});
    engine::Head head;
    head.in_channels = channels_in;
    head.weights = engine::head_weights(data(weight), nullptr, channels, channels_in);
    engine::Tail tail;
    tail.out_channels = channels_out;
    const Tensor last = at::rand({channels_out, channels, 3, 3});
    tail.weights = engine::tail_weights(data(last), channels_out, channels);
    const double flop = 18.0 * static_cast<double>(channels * channels_in * height * width);
    for (const bool first : {true, false}) {
      engine::Program program;
      const auto slot = program.image({height, width}, head.weights.columns);
      program.need_scratch(
          std::max(engine::head_scratch(head, width), engine::tail_scratch(tail, &head, width)));
      program.step({slot}, [&](const engine::Execution& e) {
        const engine::Image image = program.image_of(e, slot);
        if (first) {
          engine::run_head(head, e.in, image, e.lanes);
        } else {
          engine::run_tail(tail, image, &head, &e.in, e.out, e.lanes);
        }
      });
      const Runner runner(program, channels_in, height, width, threads_);
      add(first ? "head" : "tail", channels, height, width,
          runner.run(rounds_).json(first ? flop : flop * 7 / 4));
    }
  }

  /// One of two convolutions in sequence.
  void residual(std::int64_t channels, std::int64_t height, std::int64_t width, bool reference) {
    const Tensor weight = at::rand({channels, channels, 3, 3}) - 0.5;
    const double flop = 18.0 * static_cast<double>(channels * channels * height * width);
    for (const engine::TileSize tile : {engine::TileSize::four, engine::TileSize::six}) {
      const engine::WinogradWeights weights =
          engine::winograd_weights(data(weight), nullptr, channels, channels, tile);
      engine::Program program;
      const auto slot = program.image({height, width}, weights.out_channels);
      engine::add_pair(program, weights, engine::Epilogue::relu, weights, engine::Epilogue::relu,
                       slot, slot);
      const Runner runner(program, 1, 1, 1, threads_);
      add(fmt::format("3x3, tiles of {}", static_cast<int>(tile)), channels, height, width,
          runner.run(rounds_).json(flop, 0.5));
    }
    if (!reference) return;
    const Tensor x = at::rand({1, channels, height, width});
    Times times;
    for (int round = 0; round < rounds_; ++round) {
      times.add(seconds([&] { at::conv2d(x, weight, {}, 1, 1); }));
    }
    add("3x3, LibTorch", channels, height, width, times.json(flop));
  }

  /// The step to the next scale and the one back.
  void steps(std::int64_t channels, std::int64_t coarser, std::int64_t height, std::int64_t width) {
    const Tensor weight = at::rand({coarser * channels * 4});
    const engine::MatrixWeights down = engine::down_weights(data(weight), coarser, channels);
    const engine::MatrixWeights up = engine::up_weights(data(weight), coarser, channels);
    const double flop = 2.0 * static_cast<double>(channels * coarser * height * width);
    for (const bool first : {true, false}) {
      engine::Program program;
      const auto fine = program.image({height, width}, engine::padded_channels(channels));
      const auto coarse = program.image({height / 2, width / 2}, engine::padded_channels(coarser));
      program.need_scratch(engine::up_scratch(up.rows));
      program.step({fine, coarse}, [&](const engine::Execution& e) {
        const engine::Image at_fine = program.image_of(e, fine);
        const engine::Image at_coarse = program.image_of(e, coarse);
        if (first) {
          engine::run_down(down, at_fine, at_coarse, e.lanes);
        } else {
          engine::run_up(up, at_coarse, at_coarse, at_fine, e.lanes);
        }
      });
      const Runner runner(program, 1, 1, 1, threads_);
      add(first ? "down" : "up", channels, height, width, runner.run(rounds_).json(flop));
    }
  }

  std::vector<std::string> all;

 private:
  void add(const std::string& kind, std::int64_t channels, std::int64_t height, std::int64_t width,
           const std::string& times) {
    all.push_back(fmt::format(
        "{{\"layer\": \"{}\", \"channels\": {}, \"height\": {}, \"width\": {}, \"times\": {}}}",
        kind, channels, height, width, times));
  }

  int rounds_;
  int threads_;
};

}  // namespace

std::vector<std::string> layer_times(const std::vector<std::int64_t>& widths, std::int64_t height,
                                     std::int64_t width, int rounds, int threads, bool reference) {
  Layers layers(rounds, threads);
  layers.ends(widths[0], height, width);
  for (std::size_t i = 0; i < widths.size(); ++i) {
    layers.residual(widths[i], height >> i, width >> i, reference);
    if (i + 1 < widths.size()) layers.steps(widths[i], widths[i + 1], height >> i, width >> i);
  }
  return layers.all;
}

}  // namespace bench
