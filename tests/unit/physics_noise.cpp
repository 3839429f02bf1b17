#include "tessera/physics/noise.hpp"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "adjoint.hpp"
#include "catch.hpp"
#include "tessera/core/error.hpp"
#include "tessera/physics/masking.hpp"
#include "tessera/physics/stacked.hpp"

using tessera::GaussianNoise;
using tessera::LinearPhysicsPtr;
using tessera::Masking;
using tessera::StackedPhysics;
using tessera::Tensor;
using tessera::TensorList;

namespace {

LinearPhysicsPtr noisy_identity(std::uint64_t seed) {
  auto identity =
      std::make_shared<Masking>(at::ones({1, 1, 1, 1}, at::kDouble).expand({1, 1, 40, 50}));
  identity->set_noise(std::make_shared<GaussianNoise>(0.1, seed));
  return identity;
}

}  // namespace

TEST_CASE("GaussianNoise has the standard deviation it is given", "[physics]") {
  for (const auto type : {at::kFloat, at::kDouble}) {
    const Tensor clean = at::full({1, 3, 200, 300}, 0.25, type);
    const Tensor noise = GaussianNoise(0.1, 42).add(clean) - clean;
    // 180000 draws: the estimates' own standard deviations are 0.1 / sqrt(n) and 0.1 / sqrt(2 n).
    CHECK(std::abs(noise.mean().item<double>()) < 5 * 0.1 / std::sqrt(180000.0));
    CHECK(std::abs(noise.std().item<double>() - 0.1) < 5 * 0.1 / std::sqrt(360000.0));
    CHECK(noise.scalar_type() == type);
  }
}

TEST_CASE("GaussianNoise is repeatable and depends on its seed alone", "[physics]") {
  const Tensor clean = test::random({1, 1, 8, 9}, 1);
  const GaussianNoise noise(0.1, 42);
  const Tensor noisy = noise.add(clean);
  CHECK(noise.add(clean).equal(noisy));
  CHECK(GaussianNoise(0.1, 42).add(clean).equal(noisy));
  CHECK_FALSE(GaussianNoise(0.1, 43).add(clean).equal(noisy));
  CHECK(GaussianNoise(0, 42).add(clean).equal(clean));
}

TEST_CASE("GaussianNoise clamps to its range", "[physics]") {
  const Tensor clean = at::full({1, 1, 100, 100}, 0.9, at::kDouble);
  const Tensor free = GaussianNoise(0.2, 7).add(clean);
  const Tensor clamped = GaussianNoise(0.2, 7, std::pair{0.0, 1.0}).add(clean);
  CHECK(free.max().item<double>() > 1);
  CHECK(clamped.equal(free.clamp(0, 1)));
}

TEST_CASE("The noise of an operator does not depend on the others", "[physics]") {
  const Tensor x = test::random({1, 1, 40, 50}, 1);
  const StackedPhysics many(
      4, [](std::int64_t i) { return noisy_identity(42 + static_cast<std::uint64_t>(i)); });
  const StackedPhysics two({noisy_identity(43), noisy_identity(45)});
  const TensorList y = many.measure(x);
  CHECK(many.measure(x)[2].equal(y[2]));
  CHECK(two.measure(x)[0].equal(y[1]));
  CHECK(two.measure(x)[1].equal(y[3]));
  CHECK_FALSE(y[0].equal(y[1]));
  CHECK(many.forward(x)[0].equal(x));
}

TEST_CASE("GaussianNoise refuses what it cannot draw", "[physics]") {
  using tessera::error::InvalidArgument;
  CHECK_THROWS_AS(GaussianNoise(-0.1, 1), InvalidArgument);
  CHECK_THROWS_AS(GaussianNoise(std::nan(""), 1), InvalidArgument);
  CHECK_THROWS_AS(GaussianNoise(0.1, 1, std::pair{1.0, 0.0}), InvalidArgument);
}
