// SPDX-License-Identifier: BSD-3-Clause
// What solvers say that theory guarantees, by their parts; and that convex parts are convex.
#include <ATen/ops/full.h>
#include <ATen/ops/ones_like.h>

#include "catch.hpp"
#include "distances.hpp"
#include "tensors.hpp"
#include "tessera/fidelity/absolute_distance.hpp"
#include "tessera/fidelity/amplitude_distance.hpp"
#include "tessera/fidelity/clipped_squared_distance.hpp"
#include "tessera/fidelity/huber_distance.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/fidelity/poisson_distance.hpp"
#include "tessera/fidelity/student_distance.hpp"
#include "tessera/fidelity/transmission_distance.hpp"
#include "tessera/physics/finite_differences.hpp"
#include "tessera/prior/box_prior.hpp"
#include "tessera/prior/l1_prior.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/prior/red.hpp"
#include "tessera/prior/total_variation_prior.hpp"
#include "tessera/solver/admm.hpp"
#include "tessera/solver/anderson.hpp"
#include "tessera/solver/cgls.hpp"
#include "tessera/solver/gradient_descent.hpp"
#include "tessera/solver/hqs.hpp"
#include "tessera/solver/mlem.hpp"
#include "tessera/solver/pnp.hpp"
#include "tessera/solver/primal_dual.hpp"
#include "tessera/solver/proximal_gradient.hpp"
#include "toys.hpp"

using namespace tessera;

namespace {

const Tensor image = test::sine_image(1, 5, 4);

DataFidelity fidelity_of(const DistancePtr& distance) {
  return {std::make_shared<test::Identity>(), {image}, distance};
}

/// d(u, 1) lies below its chords on [0.05, 12].
bool lies_below_chords(const Distance& distance) {
  for (double a = 0.05; a < 12; a += 0.7) {
    for (double b = a + 0.35; b < 12; b += 0.7) {
      const double chord = 0.5 * (test::value_at(distance, a, 1) + test::value_at(distance, b, 1));
      if (test::value_at(distance, 0.5 * (a + b), 1) > chord + 1e-12) return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("Distances and priors that say they are convex are", "[solver]") {
  for (const DistancePtr& distance : std::vector<DistancePtr>{
           std::make_shared<SquaredDistance>(), std::make_shared<AbsoluteDistance>(),
           std::make_shared<HuberDistance>(0.4), std::make_shared<PoissonDistance>(),
           std::make_shared<TransmissionDistance>(3),
           std::make_shared<ClippedSquaredDistance>(ClippedSquaredDistanceOptions{})}) {
    CAPTURE(distance->name());
    CHECK(distance->is_convex());
    CHECK(lies_below_chords(*distance));
  }
  CHECK_FALSE(StudentDistance(1, 0.3).is_convex());
  CHECK_FALSE(lies_below_chords(StudentDistance(1, 0.3)));
  CHECK_FALSE(AmplitudeDistance().is_convex());
  const Tensor a = test::indexed({1, 2, 5, 4});
  const Tensor b = test::indexed({1, 2, 5, 4}, 1);
  for (const PriorPtr& prior : std::vector<PriorPtr>{
           std::make_shared<L1Prior>(2), std::make_shared<GroupL1Prior>(),
           std::make_shared<BoxPrior>(-2, 2), std::make_shared<TotalVariationPrior>(0.3)}) {
    CAPTURE(prior->name());
    CHECK(prior->is_convex());
    CHECK(prior->value(0.5 * (a + b)).value() <=
          0.5 * (prior->value(a).value() + prior->value(b).value()) + 1e-12);
  }
  const auto denoiser = std::make_shared<test::Dimmer>();
  CHECK_FALSE(RED(denoiser, 0.1).is_convex());
  CHECK_FALSE(PlugAndPlay::matched(denoiser).is_convex());
}

TEST_CASE("Solvers of convex parts reach the minimum, others promise nothing", "[solver]") {
  const auto squared = fidelity_of(std::make_shared<SquaredDistance>());
  const auto student = fidelity_of(std::make_shared<StudentDistance>(1, 0.3));
  const auto absolute = fidelity_of(std::make_shared<AbsoluteDistance>());
  const auto poisson = fidelity_of(std::make_shared<PoissonDistance>());
  const L1Prior l1(0.1);
  const auto denoiser = std::make_shared<test::Dimmer>();
  const auto plug_and_play = PlugAndPlay::matched(denoiser);
  const RED red(denoiser, 0.1);
  const auto minimum = Guarantee::minimum;
  const auto none = Guarantee::none;

  CHECK(ProximalGradient(squared, l1, {.restart = false}).guarantee() == minimum);
  CHECK(ProximalGradient(squared, l1, {.momentum = false}).guarantee() == minimum);
  CHECK(ProximalGradient(squared, l1).guarantee() == none);
  CHECK(ProximalGradient(student, l1, {.restart = false}).guarantee() == none);
  CHECK(ProximalGradient(absolute, l1, {.step = 1, .momentum = false}).guarantee() ==
        none);  // no gradient to speak of
  CHECK(ProximalGradient(poisson, l1, {.step = 1, .momentum = false}).guarantee() ==
        none);  // no bound
  CHECK(ProximalGradient(squared, plug_and_play, {.restart = false}).guarantee() == none);
  CHECK(ProximalGradient(red, squared).guarantee() == none);
  CHECK(ADMM(absolute, l1).guarantee() == minimum);
  CHECK(ADMM(absolute, plug_and_play).guarantee() == none);
  CHECK(GradientDescent(squared, red).guarantee() == none);
  CHECK(GradientDescent(squared, red, {.prior_weight = 0}).guarantee() == minimum);
  CHECK(PnP(squared, l1).guarantee() == minimum);
  CHECK(PnP(squared, l1, {.relaxation = 1.5}).guarantee() == none);
  CHECK(PnP(squared, l1, {.clamp_range = {{0, 1}}}).guarantee() == none);
  const PnP with_levels(squared, plug_and_play, {.denoiser_sigma = {0.1}});
  CHECK(with_levels.guarantee() == none);
  CHECK(Anderson(with_levels).guarantee() == none);
  CHECK(HQS(squared, plug_and_play, {.schedule = HqsSchedule::dpir(0.1, 3)}).guarantee() == none);
  CHECK(CGLS(squared).guarantee() == minimum);
  CHECK(MLEM(poisson).guarantee() == Guarantee::descent);

  const auto map = std::make_shared<FiniteDifferences>();
  const PriorPtr plug = std::make_shared<PlugAndPlay>(plug_and_play);
  const MappedPrior variation{map, std::make_shared<GroupL1Prior>(), 0.1};
  CHECK(PrimalDual(absolute, {variation}, std::make_shared<BoxPrior>()).guarantee() == minimum);
  CHECK(PrimalDual(absolute, {}, nullptr, {.smooth_fidelity = true}).guarantee() == none);
  CHECK(PrimalDual(squared, {}, nullptr, {.smooth_fidelity = true}).guarantee() == minimum);
  CHECK(PrimalDual(squared, {{map, plug, 1.0}}).guarantee() == none);
  CHECK(PrimalDual(squared, {variation}, plug).guarantee() == none);
  CHECK(to_string(minimum) == "the objective tends to its minimum");
}
