// SPDX-License-Identifier: BSD-3-Clause
// Solvers of convex problems: known minimisers, known rates, one minimiser by several methods.
#include <ATen/ops/arange.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/absolute_distance.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/fidelity/poisson_distance.hpp"
#include "tessera/fidelity/squared_distance.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/check_adjoint.hpp"
#include "tessera/physics/finite_differences.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/prior/box_prior.hpp"
#include "tessera/prior/l1_prior.hpp"
#include "tessera/prior/red.hpp"
#include "tessera/prior/total_variation_prior.hpp"
#include "tessera/solver/admm.hpp"
#include "tessera/solver/mlem.hpp"
#include "tessera/solver/primal_dual.hpp"
#include "tessera/solver/proximal_gradient.hpp"
#include "toys.hpp"

using namespace tessera;

namespace {

/// Total variation with weight 0.05 of a picture of 7x6 pixels, blurred by a circular kernel.
struct Deblurring {
  std::shared_ptr<Blur> blur = std::make_shared<Blur>(
      at::tensor({1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0}, at::kDouble).view({1, 1, 3, 3}) /
          16,
      Padding::circular);
  Tensor y = [&] {
    const Tensor rows = at::arange(7, at::kDouble).view({1, 1, 7, 1});
    const Tensor columns = at::arange(6, at::kDouble);
    const Tensor truth = 0.5 + 0.5 * at::sin(0.7 * rows) * at::cos(0.9 * columns);
    return blur->apply(truth) +
           0.05 * at::cos(1.3 * at::arange(42, at::kDouble)).view({1, 1, 7, 6});
  }();
  L2 fidelity{blur, {y}, y};
  double weight = 0.05;
  std::shared_ptr<FiniteDifferences> differences = std::make_shared<FiniteDifferences>();

  double objective(const Tensor& x) const {
    return fidelity.value(x) + weight * GroupL1Prior().value(differences->apply(x)).value();
  }
  /// Found by dense matrices in NumPy: 200000 iterations of another splitting, residual 2e-16.
  static constexpr double least = 0.3401661088177477;

  void check(const Tensor& x) const {
    CHECK(objective(x) == Approx(least).epsilon(1e-9));
    CHECK(x.sum().item<double>() == Approx(20.508183742997034).epsilon(1e-6));
    CHECK(x.flatten()[0].item<double>() == Approx(0.614557599488679).epsilon(1e-5));
    CHECK(x.flatten()[17].item<double>() == Approx(0.34534135718842873).epsilon(1e-5));
  }
};

/// A prior that knows nothing of its gradient's steepness.
class Quadratic : public DataFidelity {
 public:
  using DataFidelity::DataFidelity;

 private:
  std::optional<double> do_gradient_lipschitz(const Tensor&) const override { return {}; }
};

StoppingRules iterations(std::int64_t count) {
  return {.max_iterations = count};
}

}  // namespace

TEST_CASE("Finite differences: adjoint and norm", "[physics]") {
  const FiniteDifferences differences;
  for (const std::vector<std::int64_t>& shape : std::vector<std::vector<std::int64_t>>{
           {2, 3, 7, 5}, {1, 1, 1, 4}, {1, 2, 3, 4, 5}, {2, 1, 9}}) {
    const Tensor x = at::sin(at::arange(c10::multiply_integers(shape), at::kDouble)).view(shape);
    CAPTURE(shape);
    CHECK(adjoint_error(differences, x) < 1e-12);
    Tensor v = x;
    for (int i = 0; i < 3000; ++i) {
      v = differences.apply_adjoint(differences.apply(v));
      v = v / v.norm();
    }
    const double norm = differences.apply(v).square().sum().item<double>();
    CHECK(differences.norm_squared(x) == Approx(norm).epsilon(1e-6));
  }
  CHECK(differences.apply(at::tensor({1.0, 4.0, 2.0}, at::kDouble).view({1, 1, 3}))
            .equal(at::tensor({3.0, -2.0, 0.0}, at::kDouble).view({1, 1, 3})));
}

TEST_CASE("Priors as functions: values and proximal operators", "[prior]") {
  const Tensor z = at::tensor({-3.0, -0.5, 0.2, 4.0}, at::kDouble).view({1, 2, 1, 2});
  CHECK(L1Prior(2).value(z).value() == Approx(15.4));
  CHECK(L1Prior(2).prox(z, 0.5).flatten().equal(at::tensor({-2.0, 0.0, 0.0, 3.0}, at::kDouble)));
  // Pixels are (-3, 0.2) and (-0.5, 4).
  const double lengths = std::hypot(3, 0.2) + std::hypot(0.5, 4);
  CHECK(GroupL1Prior(2).value(z).value() == Approx(2 * lengths));
  const Tensor shorter = GroupL1Prior(2).prox(z, 0.5);
  for (std::int64_t pixel = 0; pixel < 2; ++pixel) {
    const Tensor before = z.select(3, pixel).flatten();
    const Tensor after = shorter.select(3, pixel).flatten();
    const double length = before.norm().item<double>();
    CHECK((after - before * (1 - 1 / length)).abs().max().item<double>() < 1e-15);
  }
  CHECK(GroupL1Prior(100).prox(z, 1).abs().max().item<double>() == 0);
  CHECK((GroupL1Prior(1.5, 2).prox(z, 1) - L1Prior(1.5).prox(z, 1)).abs().max().item<double>() <
        1e-15);
  CHECK(BoxPrior().value(z).value() == std::numeric_limits<double>::infinity());
  CHECK(BoxPrior(-3, 4).value(z).value() == 0);
  CHECK(
      BoxPrior(-1, 1).prox(z, 7).flatten().equal(at::tensor({-1.0, -0.5, 0.2, 1.0}, at::kDouble)));
  const TotalVariationPrior variation(0.3, {.relative_gap = 1e-12, .max_iterations = 100000});
  CHECK(variation.value(z).value() ==
        Approx(0.3 * GroupL1Prior().value(FiniteDifferences().apply(z)).value()));
  CHECK_THROWS_AS(L1Prior(-1), error::InvalidArgument);
  CHECK_THROWS_AS(GroupL1Prior(1, 0), error::InvalidArgument);
  CHECK_THROWS_AS(BoxPrior(1, 0), error::InvalidArgument);
  CHECK_THROWS_AS(TotalVariationPrior(0), error::InvalidArgument);
  CHECK_THROWS_WITH(GroupL1Prior(1, 3).prox(z, 1), test::contains("a multiple of 3 channels"));
}

TEST_CASE("Total variation: one minimiser by proximal gradient, ADMM and primal-dual", "[solver]") {
  const Deblurring problem;
  const TotalVariationPrior variation(problem.weight,
                                      {.relative_gap = 1e-11, .max_iterations = 3000});
  const Tensor start = at::zeros_like(problem.y);
  SECTION("proximal gradient with momentum") {
    problem.check(ProximalGradient(problem.fidelity, variation, {.stopping = iterations(150)})
                      .solve(start)
                      .x);
  }
  SECTION("ADMM") {
    problem.check(
        ADMM(problem.fidelity, variation, {.step = 2, .stopping = iterations(120)}).solve(start).x);
  }
  SECTION("primal-dual, data by its proximal operator") {
    const PrimalDual solver(problem.fidelity,
                            {{problem.differences, std::make_shared<GroupL1Prior>(), 0.05}},
                            nullptr, {.stopping = iterations(4000)});
    problem.check(solver.solve(start).x);
  }
  SECTION("primal-dual, data by its gradient") {
    const PrimalDual solver(problem.fidelity,
                            {{problem.differences, std::make_shared<GroupL1Prior>(0.05)}}, nullptr,
                            {.smooth_fidelity = true, .stopping = iterations(4000)});
    problem.check(solver.solve(start).x);
  }
}

TEST_CASE("FISTA, ADMM and primal-dual reach the same minimiser", "[solver]") {
  // Strongly convex, with an exact proximal operator: none stops at the accuracy of an inner one.
  const Deblurring problem;
  const auto identity = std::make_shared<Blur>(at::ones({1, 1, 1, 1}, at::kDouble));
  const auto both =
      std::make_shared<StackedPhysics>(std::vector<LinearPhysicsPtr>{problem.blur, identity});
  const L2 fidelity(both, {problem.y, problem.y}, problem.y);
  const auto prior = std::make_shared<L1Prior>(0.3);
  const Tensor start = at::zeros_like(problem.y);
  const Tensor fista =
      ProximalGradient(fidelity, *prior, {.stopping = iterations(200)}).solve(start).x;
  const Tensor admm =
      ADMM(fidelity, *prior, {.step = 0.7, .stopping = iterations(200)}).solve(start).x;
  const Tensor primal_dual =
      PrimalDual(fidelity, {}, prior, {.stopping = iterations(1500)}).solve(start).x;
  const double size = fista.norm().item<double>();
  CHECK((admm - fista).norm().item<double>() < 1e-6 * size);
  CHECK((primal_dual - fista).norm().item<double>() < 1e-6 * size);
  CHECK((fista == 0).any().item<bool>());
  CHECK(size > 1);
}

TEST_CASE("Primal-dual moves in its first iteration, as rules for small changes need", "[solver]") {
  const Deblurring problem;
  const PrimalDual solver(problem.fidelity,
                          {{problem.differences, std::make_shared<GroupL1Prior>(), 0.05}}, nullptr,
                          {.stopping = {.max_iterations = 5000, .relative_change = 1e-8}});
  const SolveResult result = solver.solve(problem.y);
  CHECK(result.reason == StopReason::relative_change);
  CHECK(result.iterations > 50);
  CHECK(problem.objective(result.x) == Approx(Deblurring::least).epsilon(1e-6));
}

TEST_CASE("An L1 prior on measured pixels is the soft threshold, by every solver", "[solver]") {
  const Tensor y = at::tensor({-2.0, -0.3, 0.1, 1.4}, at::kDouble).view({1, 1, 2, 2});
  const auto identity = std::make_shared<Blur>(at::ones({1, 1, 1, 1}, at::kDouble));
  const L2 fidelity(identity, {y}, y);
  const L1Prior prior(0.5);
  const Tensor expected = L1Prior(0.5).prox(y, 1);
  const auto error = [&](const Solver& solver) {
    return (solver.solve(at::zeros_like(y)).x - expected).abs().max().item<double>();
  };
  CHECK(error(ProximalGradient(fidelity, prior, {.stopping = iterations(60)})) < 1e-10);
  CHECK(error(ADMM(fidelity, prior, {.stopping = iterations(60)})) < 1e-10);
  CHECK(error(PrimalDual(fidelity, {{identity, std::make_shared<L1Prior>(0.5)}}, nullptr,
                         {.stopping = iterations(300)})) < 1e-10);
  // The same with the prior as the part without a map.
  CHECK(error(PrimalDual(fidelity, {}, std::make_shared<L1Prior>(0.5),
                         {.stopping = iterations(300)})) < 1e-10);
}

TEST_CASE("Proximal gradient keeps its rates", "[solver]") {
  const Deblurring problem;
  const L1Prior prior(0.02);
  const double lipschitz = problem.fidelity.gradient_lipschitz(problem.y).value();
  const auto objective = [&](const Tensor& x) {
    return problem.fidelity.value(x) + prior.value(x).value();
  };
  const Tensor start = at::full({1, 1, 7, 6}, 2.0, at::kDouble);
  const Tensor best =
      ProximalGradient(problem.fidelity, prior, {.stopping = iterations(20000)}).solve(start).x;
  const double distance = (start - best).square().sum().item<double>();
  for (const bool momentum : {false, true}) {
    CAPTURE(momentum);
    const ProximalGradient solver(
        problem.fidelity, prior,
        {.momentum = momentum, .restart = false, .stopping = iterations(1)});
    SolverState state{.x = start};
    double last = objective(start);
    for (double k = 1; k <= 200; ++k) {
      struct Silent : Observer {
        Verdict on_iteration(const Iteration&) override { return Verdict::proceed; }
      } nobody;
      SolverState next = state;
      next.iterations = 0;
      state = solver.solve(next, nobody);
      const double value = objective(state.x);
      const double bound = momentum ? 2 * lipschitz * distance / ((k + 1) * (k + 1))
                                    : lipschitz * distance / (2 * k);
      CHECK(value - objective(best) <= bound + 1e-12);
      if (!momentum) CHECK(value <= last + 1e-14);
      last = value;
    }
  }
}

TEST_CASE("Proximal gradient with the prior as the smooth part", "[solver]") {
  // 0.5 |x - y|^2 + 0.125 |x|^2
  const Tensor y = at::tensor({-2.0, -0.3, 0.1, 1.4}, at::kDouble).view({1, 1, 2, 2});
  const test::Halfway fidelity(y);
  const RED red(std::make_shared<test::Dimmer>(), 0.25);
  const Tensor x =
      ProximalGradient(red, fidelity, {.stopping = iterations(60)}).solve(at::zeros_like(y)).x;
  CHECK((x - y / 1.25).abs().max().item<double>() < 1e-12);
}

TEST_CASE("Backtracking finds a step where no constant is known", "[solver]") {
  const Deblurring problem;
  const Quadratic fidelity(problem.blur, {problem.y}, std::make_shared<SquaredDistance>());
  const TotalVariationPrior variation(problem.weight,
                                      {.relative_gap = 1e-11, .max_iterations = 3000});
  CHECK_THROWS_WITH(ProximalGradient(fidelity, variation).solve(problem.y),
                    test::contains("no Lipschitz constant"));
  const SolveResult result =
      ProximalGradient(fidelity, variation,
                       {.step = 100, .backtracking = true, .stopping = iterations(150)})
          .solve(at::zeros_like(problem.y));
  problem.check(result.x);
  CHECK(result.numbers.at("step") <= 2.0);
  CHECK(result.numbers.at("step") > 0.5);
}

TEST_CASE("Absolute distances shrug off gross errors, by primal-dual", "[solver]") {
  const Tensor truth = 0.5 + 0.5 * at::sin(at::arange(42, at::kDouble)).view({1, 1, 7, 6});
  const auto identity = std::make_shared<Blur>(at::ones({1, 1, 1, 1}, at::kDouble));
  Tensor y = truth.clone();
  y.flatten()[20].fill_(50.0);
  const DataFidelity robust(
      std::make_shared<StackedPhysics>(std::vector<LinearPhysicsPtr>{identity, identity, identity}),
      {truth, y, truth}, std::make_shared<AbsoluteDistance>());
  const PrimalDual solver(robust, {}, std::make_shared<BoxPrior>(0, 1),
                          {.stopping = iterations(2000)});
  CHECK((solver.solve(at::zeros_like(truth)).x - truth).abs().max().item<double>() < 1e-8);
}

TEST_CASE("MLEM keeps the counts and raises the likelihood", "[solver]") {
  const Deblurring problem;
  const Tensor counts = (100 * problem.y).clamp_min(0).round();
  const auto physics =
      std::make_shared<StackedPhysics>(std::vector<LinearPhysicsPtr>{problem.blur, problem.blur});
  const Tensor others = (counts + 3).flip(2);
  const DataFidelity fidelity(physics, {counts, others}, std::make_shared<PoissonDistance>());
  const MLEM solver(fidelity, {.stopping = iterations(1)});
  Tensor x = at::ones({1, 1, 7, 6}, at::kDouble);
  double last = fidelity.value(x);
  const double total = (counts.sum() + others.sum()).item<double>();
  for (int k = 0; k < 60; ++k) {
    x = solver.solve(x).x;
    const TensorList u = physics->forward(x);
    CHECK((u[0].sum() + u[1].sum()).item<double>() == Approx(total).epsilon(1e-12));
    CHECK(fidelity.value(x) < last);
    last = fidelity.value(x);
  }
  CHECK_THROWS_WITH(solver.solve(x - 1000), test::contains("negative values"));
  CHECK_THROWS_WITH(MLEM(problem.fidelity), test::contains("expected a PoissonDistance"));
}

TEST_CASE("Runs of convex solvers go on with the same bits", "[solver]") {
  const Deblurring problem;
  const L1Prior l1(0.02);
  const DataFidelity poisson(problem.blur, {(100 * problem.y).clamp_min(0).round()},
                             std::make_shared<PoissonDistance>());
  struct Silent : Observer {
    Verdict on_iteration(const Iteration&) override { return Verdict::proceed; }
  } nobody;
  const auto check = [&](const std::function<std::unique_ptr<Solver>(std::int64_t)>& make) {
    const Tensor start = at::full({1, 1, 7, 6}, 0.3, at::kDouble);
    const SolveResult whole = make(11)->solve(start);
    const SolveResult half = make(5)->solve(start);
    const SolveResult resumed = make(11)->solve(SolverState(half), nobody);
    CHECK(resumed.iterations == 11);
    CHECK(at::equal(resumed.x, whole.x));
    CHECK_FALSE(at::equal(half.x, whole.x));
  };
  check([&](std::int64_t n) {
    return std::make_unique<ProximalGradient<L2, L1Prior>>(
        problem.fidelity, l1,
        ProximalGradientOptions{.step = 3, .backtracking = true, .stopping = iterations(n)});
  });
  check([&](std::int64_t n) {
    return std::make_unique<ADMM<L2, L1Prior>>(problem.fidelity, l1,
                                               AdmmOptions{.stopping = iterations(n)});
  });
  check([&](std::int64_t n) {
    return std::make_unique<PrimalDual>(
        problem.fidelity,
        std::vector<MappedPrior>{{problem.differences, std::make_shared<GroupL1Prior>(), 0.05}},
        std::make_shared<BoxPrior>(), PrimalDualOptions{.stopping = iterations(n)});
  });
  check([&](std::int64_t n) {
    return std::make_unique<MLEM>(poisson, MlemOptions{.stopping = iterations(n)});
  });
}

TEST_CASE("Convex solvers refuse what cannot work", "[solver]") {
  const Deblurring problem;
  const L1Prior prior;
  CHECK_THROWS_AS(ProximalGradient(problem.fidelity, prior, {.step = 0}), error::InvalidArgument);
  CHECK_THROWS_AS(ProximalGradient(problem.fidelity, prior, {.weight = -1}),
                  error::InvalidArgument);
  CHECK_THROWS_AS(ADMM(problem.fidelity, prior, {.step = std::nan("")}), error::InvalidArgument);
  CHECK_THROWS_WITH(PrimalDual(problem.fidelity, {}, nullptr, {.primal_step = 1}),
                    test::contains("expected both or neither"));
  CHECK_THROWS_WITH(PrimalDual(problem.fidelity, {{nullptr, nullptr}}),
                    test::contains("no map or no prior"));
  const auto stack =
      std::make_shared<StackedPhysics>(std::vector<LinearPhysicsPtr>{problem.blur, problem.blur});
  CHECK_THROWS_WITH(PrimalDual(problem.fidelity, {{stack, std::make_shared<L1Prior>()}}),
                    test::contains("expected one on this rank"));
  const DataFidelity absolute(problem.blur, {problem.y}, std::make_shared<AbsoluteDistance>());
  CHECK_THROWS_WITH(PrimalDual(absolute, {}, nullptr, {.smooth_fidelity = true}).solve(problem.y),
                    test::contains("no Lipschitz constant"));
}
