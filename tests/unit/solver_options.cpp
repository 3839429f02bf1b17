// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/prior/red.hpp"
#include "tessera/solver/gradient_descent.hpp"
#include "tessera/solver/hqs.hpp"
#include "tessera/solver/log_spaced.hpp"
#include "tessera/solver/pnp.hpp"
#include "toys.hpp"

using namespace tessera;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
const double not_a_number = std::nan("");
const Tensor target = test::indexed({1, 2, 3, 4}).abs();
const test::Halfway fidelity(target);
const test::Shrink prior(1.0);

using Pnp = PnP<test::Halfway, test::Shrink>;
using Hqs = HQS<test::Halfway, test::Shrink>;

/// Numbers that are neither positive nor a start.
const std::vector<double> not_positive = {0.0, -1.0, infinity, -infinity, not_a_number};
const std::vector<double> negative = {-1.0, infinity, -infinity, not_a_number};

}  // namespace

TEST_CASE("checks of numbers name who, what and the value") {
  CHECK_THROWS_WITH(check_positive(infinity, "blur", "sigma"),
                    test::contains("blur: sigma is inf, expected a finite number > 0"));
  for (const double value : not_positive) {
    CHECK_THROWS_AS(check_positive(value, "a", "b"), error::InvalidArgument);
  }
  for (const double value : negative) {
    CHECK_THROWS_AS(check_not_negative(value, "a", "b"), error::InvalidArgument);
  }
  CHECK_NOTHROW(check_positive(1e-300, "a", "b"));
  CHECK_NOTHROW(check_not_negative(0, "a", "b"));
  CHECK_NOTHROW(check_range({0, infinity}, "a", "b"));
  CHECK_NOTHROW(check_range({1, 1}, "a", "b"));
  for (const auto& range :
       {std::pair{1.0, 0.0}, std::pair{not_a_number, 1.0}, std::pair{0.0, not_a_number},
        std::pair{infinity, infinity}, std::pair{-infinity, -infinity}}) {
    CHECK_THROWS_AS(check_range(range, "a", "b"), error::InvalidArgument);
  }
}

TEST_CASE("check_finite finds the first value that is not finite") {
  const Tensor x = at::zeros({2, 3, 4}, at::kDouble);
  CHECK_NOTHROW(check_finite(x, "a", "x"));
  x[1][2][0] = -infinity;
  x[1][2][3] = not_a_number;
  CHECK_THROWS_WITH(
      check_finite(x, "a", "x"),
      test::contains(
          "a: x has 2 of 24 values that are not finite, the first is -inf at [1, 2, 0]"));
  CHECK_THROWS_AS(check_finite(x.to(at::kHalf), "a", "x"), error::InvalidArgument);
  CHECK_THROWS_AS(check_finite(x.to(at::kComplexDouble), "a", "x"), error::InvalidArgument);
}

TEST_CASE("PnP refuses options that cannot work") {
  const auto refuses = [](const PnPOptions& options, const std::string& text) {
    CHECK_THROWS_WITH(Pnp(fidelity, prior, options), test::contains(text));
  };
  for (const double value : not_positive) {
    refuses({.step = value}, "pnp: step is");
    refuses({.denoiser_sigma = {0.1, value}}, "pnp: every denoiser_sigma is");
    refuses({.relaxation = value}, "relaxation");
  }
  refuses({.relaxation = 2}, "relaxation");
  refuses({.clamp_range = std::pair{1.0, 0.0}}, "pnp: clamp_range is [1, 0]");
  refuses({.clamp_range = std::pair{not_a_number, 1.0}}, "pnp: clamp_range");
  refuses({.stopping = {.max_iterations = -1}}, "max_iterations >= 0");
  refuses({.stopping = {.time_limit_s = not_a_number}}, "time_limit_s");
  for (const double value : negative) {
    refuses({.stopping = {.relative_change = value}}, "relative_change is");
  }
  CHECK_THROWS_WITH(Pnp(fidelity, prior).solve(Tensor()),
                    test::contains("pnp.solve: x0 is an undefined tensor"));
}

TEST_CASE("Gradient descent refuses options that cannot work") {
  const auto dimmer = std::make_shared<test::Dimmer>();
  const RED red(dimmer, 0.1);
  const auto refuses = [&](const GradientDescentOptions& options, const std::string& text) {
    CHECK_THROWS_WITH(GradientDescent(fidelity, red, options), test::contains(text));
  };
  for (const double value : not_positive) refuses({.step = value}, "gradient_descent: step is");
  for (const double value : negative) refuses({.prior_weight = value}, "prior_weight is");
  refuses({.clamp_range = std::pair{1.0, 0.0}}, "gradient_descent: clamp_range");
}

TEST_CASE("HQS and its schedules refuse numbers that cannot work") {
  for (const double value : not_positive) {
    CHECK_THROWS_WITH(Hqs(fidelity, prior, {.schedule = {{0.1, value}, {1, 1}}}),
                      test::contains("hqs: every denoiser_sigma of the schedule is"));
    CHECK_THROWS_WITH(Hqs(fidelity, prior, {.schedule = {{0.1, 0.1}, {1, value}}}),
                      test::contains("hqs: every gamma of the schedule is"));
    CHECK_THROWS_AS(HqsSchedule::dpir(value, 8), error::InvalidArgument);
    CHECK_THROWS_WITH(HqsSchedule::dpir(0.1, 8, value), test::contains("prior_weight is"));
    CHECK_THROWS_AS(log_spaced(value, 1, 3), error::InvalidArgument);
    CHECK_THROWS_AS(log_spaced(1, value, 3), error::InvalidArgument);
    CHECK_THROWS_AS(prior.prox(target, value), error::InvalidArgument);
  }
  CHECK_THROWS_AS(Hqs(fidelity, prior, {}), error::InvalidArgument);
  CHECK_THROWS_AS(Hqs(fidelity, prior, {.schedule = {{0.1}, {1, 1}}}), error::InvalidArgument);
  CHECK_THROWS_WITH(
      Hqs(fidelity, prior, {.schedule = {{0.1}, {1}}, .clamp_range = std::pair{1.0, 0.0}}),
      test::contains("hqs: clamp_range"));
  CHECK_THROWS_WITH(HqsSchedule::dpir(0.1, 0), test::contains("count is 0"));
}

TEST_CASE("Levels for a prior that ignores them are refused") {
  const auto dimmer = std::make_shared<test::Dimmer>();
  const PlugAndPlay fixed = PlugAndPlay::fixed(dimmer, 0.1);
  const PlugAndPlay matched = PlugAndPlay::matched(dimmer);
  CHECK_FALSE(fixed.follows_step());
  CHECK(matched.follows_step());
  const PnPOptions levels{.denoiser_sigma = {0.2, 0.1}};
  CHECK_THROWS_WITH(PnP(fidelity, fixed, levels), test::contains("PlugAndPlay::matched"));
  CHECK_NOTHROW(PnP(fidelity, matched, levels));
  CHECK_NOTHROW(PnP(fidelity, fixed, PnPOptions{}));
  const HqsOptions schedule{.schedule = {{0.1}, {1}}};
  CHECK_THROWS_WITH(HQS(fidelity, fixed, schedule), test::contains("PlugAndPlay::matched"));
  CHECK_NOTHROW(HQS(fidelity, matched, schedule));
  // A denoiser of one level, also when it is applied tile by tile.
  struct Blind : test::Dimmer {
    bool follows_level() const override { return false; }
  };
  const auto blind = std::make_shared<Blind>();
  const DenoiserPtr tiled = std::make_shared<TiledDenoiser>(blind, self_communicator());
  for (const DenoiserPtr& denoiser : {DenoiserPtr(blind), tiled}) {
    const PlugAndPlay none = PlugAndPlay::matched(denoiser);
    CHECK_FALSE(none.follows_step());
    CHECK_THROWS_WITH(PnP(fidelity, none, levels), test::contains("its denoiser takes none"));
    CHECK_THROWS_WITH(HQS(fidelity, none, schedule), test::contains("its denoiser takes none"));
    CHECK_NOTHROW(PnP(fidelity, none, PnPOptions{}));
  }
  CHECK(PlugAndPlay::matched(std::make_shared<TiledDenoiser>(dimmer, self_communicator()))
            .follows_step());
  const RED red(dimmer, 0.1);
  CHECK_FALSE(red.follows_step());
  CHECK_THROWS_WITH(PnP(fidelity, red, levels), test::contains("PlugAndPlay::matched"));
  CHECK_THROWS_WITH(HQS(fidelity, red, schedule), test::contains("PlugAndPlay::matched"));
}

TEST_CASE("Levels and total variation refuse numbers that cannot work") {
  for (const double value : negative) {
    CHECK_THROWS_AS(NoiseLevel(value), error::InvalidArgument);
    CHECK_THROWS_AS(TotalVariation({.weight_per_sigma = value}), error::InvalidArgument);
    CHECK_THROWS_AS(TotalVariation({.relative_gap = value}), error::InvalidArgument);
  }
  CHECK_THROWS_AS(TotalVariation({.max_iterations = 0}), error::InvalidArgument);
}
