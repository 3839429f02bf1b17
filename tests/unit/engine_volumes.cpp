// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "catch.hpp"
#include "engine.hpp"
#include "engine/network.hpp"
#include "engine_reference.hpp"
#include "networks.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/denoiser/dncnn.hpp"
#include "tessera/denoiser/drunet.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"

using namespace test;
using engine::Epilogue;
using engine::TileSize;
using tessera::NetworkOptions;

namespace {

tessera::StateDict random_weights(const KeyShapes& keys) {
  tessera::StateDict weights;
  for (const auto& [key, shape] : keys) {
    const std::uint64_t seed = weights.size() + 1;
    weights[key] = shape.size() == 1 ? noise(shape, seed) * 0.1 : kernel(shape, seed);
  }
  return weights;
}

NetworkOptions reference() {
  NetworkOptions options;
  options.engine = tessera::Engine::reference;
  return options;
}

/// The relative error of what the engine makes of a volume, against LibTorch's in float64.
template <typename Network>
double error_of(const tessera::StateDict& weights, const Tensor& volume) {
  const Tensor result = Network(weights).denoise(volume, 0.1);
  return relative_error(result, Network(weights, reference()).denoise(volume.to(at::kDouble), 0.1));
}

}  // namespace

TEST_CASE("3x3x3 convolution equals LibTorch's for any extents and channels, on any lanes") {
  struct Case {
    std::int64_t in, out, depth, height, width;
  };
  const Case c = GENERATE(Case{5, 7, 2, 6, 9}, Case{16, 16, 3, 13, 5}, Case{17, 70, 5, 4, 11},
                          Case{64, 64, 15, 17, 22}, Case{80, 80, 7, 16, 16}, Case{16, 16, 40, 3, 1},
                          Case{260, 20, 4, 7, 8});
  const Epilogue epilogue = GENERATE(Epilogue::none, Epilogue::relu, Epilogue::add);
  const TileSize tile = GENERATE(TileSize::four, TileSize::six);
  INFO(c.in << " to " << c.out << " channels, " << c.depth << "x" << c.height << "x" << c.width
            << ", epilogue " << static_cast<int>(epilogue) << ", tiles of "
            << static_cast<std::int64_t>(tile));
  const Tensor x = noise({1, c.in, c.depth, c.height, c.width}, 11);
  const Tensor weight = kernel({c.out, c.in, 3, 3, 3}, 1);
  const Tensor bias = epilogue == Epilogue::relu ? noise({c.out}, 12) : Tensor();
  Tensor expected = padded_conv(x, weight, bias);
  Tensor residual;
  if (epilogue == Epilogue::relu) expected = at::relu(expected);
  if (epilogue == Epilogue::add) {
    residual = noise(expected.sizes(), 13);
    expected = expected + residual.to(at::kDouble);
  }
  const engine::WinogradWeights weights = winograd(weight, bias, tile);
  const Tensor one = convolved(x, weights, c.out, epilogue, residual, 1);
  CHECK(relative_error(one, expected) < layer_tolerance);
  for (const int lanes : {2, 5, 9}) {
    CHECK(one.equal(convolved(x, weights, c.out, epilogue, residual, lanes)));
  }
}

TEST_CASE("Two convolutions of volumes by strips, in place, equal one after the other") {
  const TileSize tile = GENERATE(TileSize::four, TileSize::six);
  const std::vector<std::int64_t> shape = {1, 16, 24, 180, 90};  // needs several strips
  const Tensor x = noise(shape, 14);
  const engine::WinogradWeights first = winograd(kernel({16, 16, 3, 3, 3}, 1), {}, tile);
  const engine::WinogradWeights second = winograd(kernel({16, 16, 3, 3, 3}, 2), {}, tile);
  const Tensor inner = convolved(x, first, 16, Epilogue::relu, {}, 2);
  const Tensor expected = convolved(inner, second, 16, Epilogue::add, x, 2);

  const engine::Size size = size_of(x);
  const std::int64_t rows = engine::ring_rows(size, first);
  REQUIRE(rows < size.height);
  engine::Buffer ring(size.depth * engine::image_floats(rows, size.width, 16));
  const OwnedImage image(x);
  engine::ConvolutionPair pair;
  pair.first.in = image.view;
  pair.first.weights = &first;
  pair.first.epilogue = Epilogue::relu;
  pair.second.out = image.view;
  pair.second.residual = image.view;
  pair.second.weights = &second;
  pair.second.epilogue = Epilogue::add;
  const OwnedLanes memory(3, engine::convolution_scratch(first));
  engine::convolve_pair(pair, ring.data(), memory.lanes);
  CHECK(image.tensor(16).equal(expected));
}

TEST_CASE("A compiled DRUNet for volumes equals the formula in float64") {
  struct Case {
    std::vector<std::int64_t> widths;
    std::int64_t blocks, channels, depth, height, width;
  };
  const Case c = GENERATE(Case{{4, 6, 8}, 2, 1, 8, 20, 12}, Case{{16, 32, 64, 80}, 1, 2, 16, 24, 8},
                          Case{{17}, 2, 3, 5, 13, 9}, Case{{64, 96}, 1, 1, 2, 18, 26},
                          Case{{16, 16}, 0, 3, 6, 2, 10});
  const double tolerance = GENERATE(0.0, 1.0);  // tiles of four, tiles of six where they pay
  INFO(c.widths.size() << " scales, " << c.widths[0] << " channels, " << c.depth << "x" << c.height
                       << "x" << c.width);
  const ReferenceDrunet formula(c.widths, c.blocks, c.channels, 3);
  const auto network = engine::compile_drunet(
      formula.weights, static_cast<std::int64_t>(c.widths.size()), c.blocks, {tolerance});
  const Tensor x = noise({2, c.channels + 1, c.depth, c.height, c.width}, 11);
  const Tensor result = network->run(x);
  const Tensor expected = formula(x);
  for (std::int64_t i = 0; i < 2; ++i) CHECK(relative_error(result[i], expected[i]) < 2e-6);

  const int threads = at::get_num_threads();
  for (const int count : {1, 3, 7}) {
    at::set_num_threads(count);
    INFO(count << " threads");
    CHECK(network->run(x).equal(result));
  }
  at::set_num_threads(threads);
}

TEST_CASE("The networks for volumes use the engine, and give what LibTorch gives") {
  const tessera::StateDict drunet = random_weights(drunet_keys(1, {16, 24, 40}, 1, 3));
  const Tensor volume = noise({2, 1, 9, 34, 21}, 1);  // extended to multiples of eight
  CHECK(error_of<tessera::DRUNet>(drunet, volume) < 4e-6);
  CHECK_THAT(tessera::DRUNet(drunet).engine_summary(), contains("tiles of "));
  CHECK(tessera::DRUNet(drunet).memory_estimate(volume.sizes()).value() <
        tessera::DRUNet(drunet, reference()).memory_estimate(volume.sizes()).value());
  for (const bool bias : {true, false}) {
    const tessera::StateDict dncnn = random_weights(dncnn_keys(2, 24, 5, bias, 3));
    CHECK(error_of<tessera::DnCNN>(dncnn, noise({1, 2, 7, 11, 30}, 2)) < 4e-6);
  }
}

TEST_CASE(
    "Volumes in exact tiles, and inside of tiles with context per axis, are the untiled ones") {
  const auto net =
      std::make_shared<const tessera::DRUNet>(random_weights(drunet_keys(1, {8, 16}, 1, 3)));
  const Tensor volume = noise({1, 1, 48, 64, 80}, 3);
  const Tensor untiled = net->denoise(volume, 0.1);
  constexpr double rounding = 4e-6;  // Winograd's tiles begin elsewhere in a window

  tessera::TilingOptions exact;
  exact.tiling = tessera::Tiling::exact;
  exact.minimum_tiles = 6;
  const tessera::TiledDenoiser tiled(net, tessera::self_communicator(), exact);
  CHECK(tiled.plan(volume.sizes().vec()).tiles().size() >= 6);
  CHECK(relative_error(tiled.denoise(volume, 0.1), untiled) < rounding);

  // As deep a context as the network's reach along one axis, less along the others.
  tessera::TilingOptions per_axis;
  per_axis.tiling = tessera::Tiling::fixed;
  per_axis.patch = {16, 64, 40};
  per_axis.overlap = {*net->reach() + 2, 0, 2};
  per_axis.blend = 0;
  const tessera::TiledDenoiser slabs(net, tessera::self_communicator(), per_axis);
  const Tensor result = slabs.denoise(volume, 0.1);
  CHECK(slabs.plan(volume.sizes().vec()).tiles().size() == 6);
  const auto error_in = [&](std::int64_t first, std::int64_t last) {  // of these columns
    return relative_error(result.narrow(4, first, last - first),
                          untiled.narrow(4, first, last - first));
  };
  CHECK(error_in(0, 40 - *net->reach()) < rounding);
  CHECK(error_in(36, 44) > 100 * rounding);  // at the cut
}

TEST_CASE("A value that is not a number is passed on to the planes that see it") {
  Tensor x = noise({1, 16, 9, 12, 12}, 16);
  x.select(1, 3).select(1, 4).select(1, 5).select(1, 5).fill_(std::nan(""));
  const TileSize tile = GENERATE(TileSize::four, TileSize::six);
  const engine::WinogradWeights weights = winograd(kernel({16, 16, 3, 3, 3}, 1), {}, tile);
  const Tensor result = convolved(x, weights, 16, Epilogue::relu, {}, 1);
  for (std::int64_t z = 0; z < 9; ++z) {
    CHECK(result.select(2, z).isnan().any().item<bool>() == (std::abs(z - 4) <= 1));
  }
}
