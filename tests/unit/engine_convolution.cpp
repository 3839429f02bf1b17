// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <cmath>
#include <tuple>

#include "catch.hpp"
#include "engine.hpp"

using namespace test;
using engine::Epilogue;
using engine::TileSize;

namespace {

void check_layer(std::int64_t in, std::int64_t out, std::int64_t height, std::int64_t width,
                 Epilogue epilogue, bool with_bias) {
  INFO(in << " to " << out << " channels, " << height << "x" << width << ", epilogue "
          << static_cast<int>(epilogue) << ", bias " << with_bias);
  const Tensor x = noise({1, in, height, width}, 11);
  const Tensor weight = kernel({out, in, 3, 3}, 1);
  const Tensor bias = with_bias ? noise({out}, 12) : Tensor();
  const Tensor residual = epilogue == Epilogue::add ? noise({1, out, height, width}, 13) : Tensor();
  Tensor expected = padded_conv(x, weight, bias);
  if (epilogue == Epilogue::relu) expected = at::relu(expected);
  if (epilogue == Epilogue::add) expected = expected + residual.to(at::kDouble);
  for (const TileSize tile : {TileSize::four, TileSize::six}) {
    INFO("tiles of " << static_cast<std::int64_t>(tile));
    const engine::WinogradWeights weights = winograd(weight, bias, tile);
    const Tensor one = convolved(x, weights, out, epilogue, residual, 1);
    // Networks use tiles of six where as many channels go out as come in.
    const bool used = tile == TileSize::four || in == out;
    CHECK(relative_error(one, expected) < (used ? layer_tolerance : 1.5 * layer_tolerance));
    CHECK(one.equal(convolved(x, weights, out, epilogue, residual, 3)));
  }
}

}  // namespace

TEST_CASE("3x3 convolution equals LibTorch's at every remainder of the tile size") {
  for (std::int64_t height = 1; height <= 13; ++height) {
    for (std::int64_t width = 1; width <= 13; ++width) {
      check_layer(5, 7, height, width, Epilogue::none, false);
    }
  }
  for (std::int64_t extra = 0; extra < 12; ++extra) {
    check_layer(16, 16, 40 + extra, 33 - extra, Epilogue::relu, true);
    check_layer(16, 32, 12 - extra, 119 + extra, Epilogue::add, false);
  }
  check_layer(64, 64, 130, 70, Epilogue::add, true);
}

TEST_CASE("3x3 convolution equals LibTorch's for any channel counts") {
  const auto [in, out] = GENERATE(table<std::int64_t, std::int64_t>(
      {{1, 1},     {1, 130},   {130, 1},  {15, 17},  {16, 16},  {17, 15},  {31, 33},   {32, 48},
       {48, 32},   {63, 65},   {64, 64},  {65, 63},  {80, 96},  {96, 112}, {100, 100}, {127, 129},
       {128, 128}, {130, 130}, {256, 64}, {300, 20}, {512, 80}, {20, 520}}));
  const auto epilogue = GENERATE(Epilogue::none, Epilogue::relu, Epilogue::add);
  check_layer(in, out, 13, 22, epilogue, true);
  check_layer(in, out, 8, 12, epilogue, false);
}

TEST_CASE("Two convolutions by strips, in place, equal one after the other") {
  // The larger shapes need several strips and a ring.
  const auto [channels, height, width] = GENERATE(table<std::int64_t, std::int64_t, std::int64_t>(
      {{8, 5, 7}, {16, 64, 48}, {16, 350, 1030}, {32, 170, 1030}, {16, 6001, 57}}));
  const Tensor x = noise({1, channels, height, width}, 14);
  const Tensor first = kernel({channels, channels, 3, 3}, 1);
  const Tensor second = kernel({channels, channels, 3, 3}, 2);
  const Tensor bias = noise({channels}, 15);
  const Tensor reference = padded_conv(at::relu(padded_conv(x, first, bias)), second);
  const auto check = [&, channels = channels, height = height, width = width](TileSize tile,
                                                                              bool residual) {
    INFO(channels << " channels, " << height << "x" << width << ", residual " << residual);
    const Tensor expected = residual ? reference + x.to(at::kDouble) : at::relu(reference);
    const engine::WinogradWeights first_weights = winograd(first, bias, tile);
    const engine::WinogradWeights second_weights = winograd(second, {}, tile);
    const auto run = [&](int lanes, bool in_place) {
      const OwnedImage in(x);
      const OwnedImage elsewhere({height, width}, channels);
      const std::int64_t padded = in.view.channels;
      engine::Buffer ring(
          engine::image_floats(engine::ring_rows({height, width}, first_weights), width, padded));
      engine::ConvolutionPair pair;
      pair.first.in = in.view;
      pair.first.weights = &first_weights;
      pair.first.epilogue = Epilogue::relu;
      pair.second.out = in_place ? in.view : elsewhere.view;
      pair.second.residual = in.view;
      pair.second.weights = &second_weights;
      pair.second.epilogue = residual ? Epilogue::add : Epilogue::relu;
      const OwnedLanes memory(lanes, engine::convolution_scratch(first_weights));
      engine::convolve_pair(pair, ring.data(), memory.lanes);
      return (in_place ? in : elsewhere).tensor(channels);
    };
    const Tensor result = run(2, true);
    CHECK(relative_error(result, expected) < layer_tolerance);
    CHECK(result.equal(run(1, false)));
    CHECK(result.equal(run(5, true)));
  };
  for (const TileSize tile : {TileSize::four, TileSize::six}) {
    for (const bool residual : {true, false}) check(tile, residual);
  }
}

TEST_CASE("A value that is not a number is passed on, also through relu") {
  Tensor x = noise({1, 16, 12, 12}, 16);
  x.select(1, 3).select(1, 5).select(1, 5).fill_(std::nan(""));
  const TileSize tile = GENERATE(TileSize::four, TileSize::six);
  const engine::WinogradWeights weights = winograd(kernel({16, 16, 3, 3}, 1), {}, tile);
  const Tensor result = convolved(x, weights, 16, Epilogue::relu, {}, 1);
  CHECK(result.isnan().any().item<bool>());
}
