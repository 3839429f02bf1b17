// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/denoiser/reach_probe.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>

#include <cmath>

#include "catch.hpp"
#include "networks.hpp"
#include "tessera/core/error.hpp"
#include "tessera/denoiser/dncnn.hpp"
#include "tessera/denoiser/drunet.hpp"

using test::Tensor;

namespace {

/// Random weights: in networks with regular ones, features may be zero everywhere.
tessera::StateDict random_weights(const test::KeyShapes& keys) {
  at::Generator generator = at::detail::createCPUGenerator(3);
  tessera::StateDict weights;
  for (const auto& [key, shape] : keys) {
    double inputs = 1;
    for (std::size_t axis = 1; axis < shape.size(); ++axis) {
      inputs *= static_cast<double>(shape[axis]);
    }
    weights[key] = at::randn(shape, std::optional<at::Generator>(generator),
                             at::TensorOptions().dtype(at::kDouble)) *
                   (shape.size() == 1 ? 0.1 : std::sqrt(2 / inputs));
  }
  return weights;
}

/// x minus its mean: depends on the whole image.
class Centred : public tessera::Denoiser {
 public:
  std::string name() const override { return "centred"; }

 private:
  Tensor do_denoise(const Tensor& x, const tessera::NoiseLevel& /*sigma*/) const override {
    return x - x.mean();
  }
};

class Rounded : public tessera::Denoiser {
 public:
  std::string name() const override { return "rounded"; }

 private:
  Tensor do_denoise(const Tensor& x, const tessera::NoiseLevel& /*sigma*/) const override {
    return x.detach().round();
  }
};

/// The pixel 3 columns to the left, or zero: looks to one side only.
class Shifted : public tessera::Denoiser {
 public:
  std::string name() const override { return "shifted"; }

 private:
  Tensor do_denoise(const Tensor& x, const tessera::NoiseLevel& /*sigma*/) const override {
    Tensor result = x.roll({3}, {3});
    result.narrow(3, 0, 3).zero_();
    return result;
  }
};

}  // namespace

TEST_CASE("probe_reach finds what DRUNet says of itself") {
  const auto check = [](const std::vector<std::int64_t>& widths, std::int64_t blocks) {
    const tessera::DRUNet net(random_weights(test::drunet_keys(1, widths, blocks)));
    tessera::ReachProbeOptions options;
    options.channels = 1;
    const tessera::ProbedReach probed = tessera::probe_reach(net, options);
    CHECK(probed.reach == net.reach());
    CHECK(probed.alignment == net.alignment());
  };
  check({4, 6}, 2);
  check({4, 4, 4, 4}, 1);
}

TEST_CASE("probe_reach finds what DnCNN says of itself") {
  const tessera::DnCNN flat(random_weights(test::dncnn_keys(3, 8, 7, true)));
  const tessera::ProbedReach probed = tessera::probe_reach(flat);
  CHECK(probed.reach == 7);
  CHECK(probed.alignment == 1);
}

TEST_CASE("probe_reach takes the farther side") {
  const tessera::ProbedReach probed = tessera::probe_reach(Shifted());
  CHECK(probed.reach == 3);
  CHECK(probed.alignment == 1);
}

TEST_CASE("probe_reach knows what has no reach, and what it cannot probe") {
  tessera::ReachProbeOptions options;
  options.largest_extent = 256;
  CHECK_FALSE(tessera::probe_reach(Centred(), options).reach.has_value());
  CHECK_THROWS_WITH(tessera::probe_reach(Rounded(), options), test::contains("rounded"));
  options.channels = 0;
  CHECK_THROWS_AS(tessera::probe_reach(Centred(), options), tessera::error::InvalidArgument);
  options.channels = 3;
  options.largest_alignment = 4;  // of a grid of 8
  const tessera::DRUNet net(random_weights(test::drunet_keys(3, {4, 4, 4, 4}, 1)));
  const tessera::ProbedReach probed = tessera::probe_reach(net, options);
  CHECK_FALSE(probed.alignment.has_value());
}
