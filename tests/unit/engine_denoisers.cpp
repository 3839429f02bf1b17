// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>

#include "catch.hpp"
#include "engine.hpp"
#include "engine/network.hpp"
#include "networks.hpp"
#include "tessera/denoiser/dncnn.hpp"
#include "tessera/denoiser/drunet.hpp"

using namespace test;
using tessera::DnCNN;
using tessera::DRUNet;
using tessera::NetworkOptions;
using tessera::StateDict;

namespace {

NetworkOptions reference() {
  NetworkOptions options;
  options.engine = tessera::Engine::reference;
  return options;
}

StateDict weights_of(const KeyShapes& keys, bool requires_grad = false) {
  StateDict weights;
  std::uint64_t seed = 100;
  for (const auto& [key, shape] : keys) {
    const Tensor value = shape.size() == 1 ? noise(shape, seed) * 0.1 : kernel(shape, seed);
    weights[key] = value.requires_grad_(requires_grad);
    ++seed;
  }
  return weights;
}

std::vector<Tensor> in_order(const StateDict& weights, const KeyShapes& keys) {
  std::vector<Tensor> all;
  for (const auto& [key, shape] : keys) all.push_back(weights.at(key));
  return all;
}

}  // namespace

TEST_CASE("DRUNet uses the engine for float32 on the host, and gives what LibTorch gives") {
  const KeyShapes keys = drunet_keys(3, {16, 24, 40}, 2);
  const StateDict weights = weights_of(keys);
  const DRUNet automatic(weights);
  const DRUNet slow(weights, reference());
  const auto compiled =
      engine::compile_drunet(in_order(weights, keys), 3, 2, {NetworkOptions().tile_tolerance});

  const Tensor x = noise({2, 3, 64, 44}, 1);
  const Tensor result = automatic.denoise(x, 0.1);
  const Tensor input = at::cat({x, at::full({2, 1, 64, 44}, 0.1, x.options())}, 1);
  CHECK(result.equal(compiled->run(input)));
  CHECK_FALSE(slow.denoise(x, 0.1).equal(result));

  for (const auto& [height, width] : {std::pair{64, 48}, std::pair{33, 70}, std::pair{5, 1}}) {
    const Tensor image = noise({1, 3, height, width}, 2);
    const Tensor exact = slow.denoise(image.to(at::kDouble), 0.1);
    CHECK(relative_error(automatic.denoise(image, 0.1), exact) < 4e-6);
  }
}

TEST_CASE("DnCNN uses the engine for float32 on the host, and gives what LibTorch gives") {
  for (const bool bias : {true, false}) {
    const KeyShapes keys = dncnn_keys(3, 24, 6, bias);
    const StateDict weights = weights_of(keys);
    const DnCNN automatic(weights);
    const Tensor x = noise({2, 3, 31, 44}, 1);
    const Tensor result = automatic.denoise(x, 0.1);
    CHECK(result.equal(
        engine::compile_dncnn(in_order(weights, keys), bias, {NetworkOptions().tile_tolerance})
            ->run(x)
            .add_(x)));
    const Tensor exact = DnCNN(weights, reference()).denoise(x.to(at::kDouble), 0.1);
    CHECK(relative_error(result, exact) < 4e-6);
  }
}

TEST_CASE("Where gradients flow, LibTorch's operations compute them") {
  const StateDict weights = weights_of(drunet_keys(1, {8, 16}, 1), true);
  const DRUNet automatic(weights);
  const DRUNet slow(weights, reference());
  const Tensor x = noise({1, 1, 32, 32}, 1);
  const Tensor result = automatic.denoise(x, 0.1);
  CHECK(result.requires_grad());
  CHECK(result.equal(slow.denoise(x, 0.1)));
  const at::NoGradGuard no_gradients;
  CHECK_FALSE(automatic.denoise(x, 0.1).equal(slow.denoise(x, 0.1)));
}

TEST_CASE("Weights that were changed in place are transformed again") {
  const StateDict weights = weights_of(drunet_keys(1, {8, 16}, 1));
  const DRUNet automatic(weights);
  const Tensor x = noise({1, 1, 32, 32}, 1);
  const Tensor before = automatic.denoise(x, 0.1);
  weights.at("m_tail.weight").mul_(2);
  const Tensor after = automatic.denoise(x, 0.1);
  CHECK(relative_error(after, before * 2) < 1e-6);
}

TEST_CASE("The memory estimate is what the engine takes") {
  const KeyShapes keys = drunet_keys(3, {64, 128, 256}, 1);
  const StateDict weights = weights_of(keys);
  const DRUNet automatic(weights);
  const auto compiled =
      engine::compile_drunet(in_order(weights, keys), 3, 1, {NetworkOptions().tile_tolerance});
  const double pixels = 256.0 * 320;
  const double taken = static_cast<double>(compiled->working_floats({256, 320})) + 7 * pixels;
  const double estimate = automatic.memory_estimate({1, 3, 256, 320}).value();
  CHECK(estimate >= taken);  // of the larger tiles, should they be chosen
  CHECK(estimate < 1.05 * taken);
  CHECK(estimate < DRUNet(weights, reference()).memory_estimate({1, 3, 256, 320}).value());
}
