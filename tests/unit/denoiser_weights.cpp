// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <string>

#include "catch.hpp"
#include "networks.hpp"
#include "tessera/core/error.hpp"
#include "tessera/denoiser/dncnn.hpp"
#include "tessera/denoiser/drunet.hpp"

using tessera::DnCNN;
using tessera::DRUNet;
using tessera::StateDict;
using test::contains;

namespace {

StateDict drunet_weights() {
  return test::sine_weights(test::drunet_keys(3, {4, 6, 8, 10}, 2));
}
StateDict dncnn_weights() {
  return test::sine_weights(test::dncnn_keys(3, 6, 5, true));
}

std::string complaint(const StateDict& weights) {
  try {
    DRUNet net(weights);
  } catch (const tessera::error::ShapeMismatch& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("weights: a missing, unexpected or mis-shaped parameter is named, with both shapes") {
  StateDict weights = drunet_weights();
  CHECK(complaint(weights) == "none");
  weights.erase("m_body.1.res.2.weight");
  CHECK_THAT(complaint(weights), contains("(35 parameters given, 36 expected)") &&
                                     contains("missing m_body.1.res.2.weight [10, 10, 3, 3]"));
  weights = drunet_weights();
  weights["m_head.bias"] = at::zeros({4});
  CHECK_THAT(complaint(weights), contains("unexpected m_head.bias [4] float32"));
  weights = drunet_weights();
  weights["m_up2.0.weight"] = at::zeros({8, 6, 3, 3});
  CHECK_THAT(
      complaint(weights),
      contains("m_up2.0.weight is [8, 6, 3, 3] float32 on cpu, expected floating [8, 6, 2, 2]"));
  weights = drunet_weights();
  weights["m_tail.weight"] = at::zeros({3, 4, 3, 3}, at::kLong);
  CHECK_THAT(complaint(weights),
             contains("m_tail.weight is [3, 4, 3, 3] Long on cpu, expected floating"));
}

TEST_CASE("weights: the damaged parameter is blamed, not those that agree with each other") {
  StateDict weights = drunet_weights();
  weights["m_head.weight"] = at::zeros({5, 4, 3, 3});
  const std::string message = complaint(weights);
  CHECK_THAT(message, contains("m_head.weight is [5, 4, 3, 3]") &&
                          contains("expected floating [4, 4, 3, 3]"));
  CHECK_THAT(message, !contains("m_down1") && !contains("m_tail"));
  weights = drunet_weights();
  weights["m_down1.2.weight"] = at::zeros({7, 4, 2, 2});
  CHECK_THAT(complaint(weights),
             contains("expected floating [6, 4, 2, 2]") && !contains("m_down2"));
  // A block too many or too few in one stage.
  weights = drunet_weights();
  weights["m_body.2.res.0.weight"] = at::zeros({10, 10, 3, 3});
  CHECK_THAT(complaint(weights),
             contains("unexpected m_body.2.res.0.weight") && !contains("missing"));
  weights = drunet_weights();
  weights.erase("m_body.1.res.0.weight");
  weights.erase("m_body.1.res.2.weight");
  CHECK_THAT(
      complaint(weights),
      contains("missing m_body.1.res.0.weight [10, 10, 3, 3]; missing m_body.1.res.2.weight") &&
          !contains("unexpected"));
}

TEST_CASE("weights: all problems are in one message, up to a few") {
  StateDict weights = drunet_weights();
  weights.erase("m_head.weight");
  weights["m_up1.1.res.0.weight"] = at::zeros({4, 4, 5, 5});
  weights["extra"] = at::zeros({1});
  CHECK_THAT(complaint(weights), contains("missing m_head.weight [4, ?, 3, 3]") &&
                                     contains("m_up1.1.res.0.weight is") &&
                                     contains("unexpected extra [1]") && !contains("more"));
  CHECK_THAT(complaint({}), contains("(0 parameters given, 4 expected)") &&
                                contains("missing m_tail.weight [?, ?, 3, 3]"));
  StateDict prefixed;
  for (const auto& [key, tensor] : drunet_weights()) prefixed["module." + key] = tensor;
  CHECK_THAT(complaint(prefixed),
             contains("unexpected module.m_body.0.res.0.weight") && contains("and 32 more"));
}

TEST_CASE("weights: hostile state dicts are refused, never believed") {
  StateDict weights = drunet_weights();
  weights["m_body.999.res.0.weight"] = at::zeros({10, 10, 3, 3});
  CHECK_THAT(complaint(weights), contains("unexpected m_body.999.res.0.weight"));
  weights = drunet_weights();
  weights["m_down99999999999999999999.0.weight"] = at::zeros({1});
  CHECK_THAT(complaint(weights), contains("unexpected m_down99999999999999999999"));
  weights = drunet_weights();
  weights["m_down1.0.res.0.weight"] = tessera::Tensor();
  CHECK_THAT(complaint(weights), contains("m_down1.0.res.0.weight is an undefined tensor"));
  weights = drunet_weights();
  for (auto& [key, tensor] : weights) tensor = at::zeros({0, 0, 3, 3});
  CHECK_THAT(complaint(weights), contains("m_head.weight is [0, 0, 3, 3]"));
  for (auto& [key, tensor] : weights) tensor = at::zeros({});
  CHECK_THAT(complaint(weights), contains("m_head.weight is []"));
  CHECK_THROWS_WITH(
      DRUNet(test::sine_weights(test::drunet_keys(1, std::vector<std::int64_t>(9, 1), 1))),
      contains("9 scales, at most 8"));
  weights = drunet_weights();
  weights["m_head.weight"] = at::zeros({4, 3, 3, 3});
  CHECK_THAT(complaint(weights),
             contains("takes 3 channels and m_tail.weight gives 3, expected one more in than out"));
}

TEST_CASE("weights: DnCNN's are checked the same way") {
  StateDict weights = dncnn_weights();
  weights.erase("conv_list.1.weight");
  weights["out_conv.bias"] = at::zeros({4});
  CHECK_THROWS_WITH(DnCNN(weights),
                    contains("missing conv_list.1.weight [6, 6, 3, 3]; ") &&
                        contains("out_conv.bias is [4] float32 on cpu, expected floating [3]"));
  weights = test::sine_weights(test::dncnn_keys(3, 6, 5, false));
  weights["in_conv.bias"] = at::zeros({6});
  CHECK_THROWS_WITH(DnCNN(weights),
                    contains("unexpected in_conv.bias [6]") && !contains("missing"));
  weights = dncnn_weights();
  weights["out_conv.weight"] = at::zeros({2, 6, 3, 3});
  weights["out_conv.bias"] = at::zeros({2});
  CHECK_THROWS_WITH(DnCNN(weights), contains("takes 3 channels and out_conv.weight gives 2"));
  CHECK_THROWS_WITH(DnCNN(StateDict{}), contains("missing in_conv.weight [?, ?, 3, 3]"));
}
