// SPDX-License-Identifier: BSD-3-Clause
#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "toys.hpp"

using namespace tessera;

namespace {

const Tensor x = test::indexed({2, 3, 4, 5});

}  // namespace

TEST_CASE("A fixed plug-and-play prior denoises at its own level, whatever the step") {
  const auto prior = PlugAndPlay::fixed(std::make_shared<test::Dimmer>(), 0.25);
  CHECK(test::relative_error(prior.prox(x, 0.1), 0.75 * x) < 1e-15);
  CHECK(test::relative_error(prior.prox(x, 10), 0.75 * x) < 1e-15);
}

TEST_CASE("A matched plug-and-play prior denoises at the square root of the step") {
  const auto prior = PlugAndPlay::matched(std::make_shared<test::Dimmer>());
  CHECK(test::relative_error(prior.prox(x, 0.04), 0.8 * x) < 1e-14);
  CHECK_THROWS_WITH(prior.gradient(x), test::contains("has no gradient"));
}

TEST_CASE("Bad arguments of a prior are refused") {
  const auto prior = PlugAndPlay::fixed(std::make_shared<test::Dimmer>(), 0.25);
  CHECK_THROWS_WITH(prior.prox(x, 0), test::contains("step is 0, expected a finite number > 0"));
  CHECK_THROWS_AS(prior.prox(Tensor(), 1), error::ShapeMismatch);
  CHECK_THROWS_AS(PlugAndPlay::fixed(nullptr, 0.1), error::InvalidArgument);
  CHECK_THROWS_WITH(test::Shrink(1).gradient(x), test::contains("shrink.gradient"));
}
