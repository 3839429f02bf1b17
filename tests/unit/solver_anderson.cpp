// SPDX-License-Identifier: BSD-3-Clause
// Anderson acceleration: against dense matrices, and beside the methods it accelerates.
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "catch.hpp"
#include "stateful_solver.hpp"
#include "tensors.hpp"
#include "tessera/core/eigen_map.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/fidelity/poisson_distance.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/prior/l1_prior.hpp"
#include "tessera/solver/anderson.hpp"
#include "tessera/solver/gradient_descent.hpp"
#include "tessera/solver/mlem.hpp"
#include "tessera/solver/pnp.hpp"
#include "tessera/solver/primal_dual.hpp"
#include "tessera/solver/proximal_gradient.hpp"

using namespace tessera;

namespace {

StoppingRules iterations(std::int64_t count) {
  return {.max_iterations = count};
}

class Nobody : public Observer {
 public:
  Verdict on_iteration(const Iteration& /*iteration*/) override { return Verdict::proceed; }
};

/// x <- B x + b, each image of the batch with its own b.
class Affine : public Solver {
 public:
  Affine(Eigen::MatrixXd matrix, const Tensor& shift)
      : Solver(iterations(0)), matrix_(std::move(matrix)), shift_(shift) {}
  std::string name() const override { return "affine"; }

 private:
  void do_step(SolverState& state, StepTimes&) const override {
    const Tensor matrix = at::from_blob(const_cast<double*>(matrix_.data()),
                                        {matrix_.cols(), matrix_.rows()}, at::kDouble);
    const Tensor rows = state.x.reshape({state.x.size(0), -1});
    state.x = rows.matmul(matrix).view(state.x.sizes()) + shift_;
  }
  Communicator& do_communicator() const override { return ImageSpace::whole().communicator(); }

  Eigen::MatrixXd matrix_;
  Tensor shift_;
};

/// A contraction of 2x3 pixels, all of whose singular values are 0.95.
Eigen::MatrixXd contraction() {
  Eigen::MatrixXd matrix(6, 6);
  for (int i = 0; i < 6; ++i) {
    for (int j = 0; j < 6; ++j) matrix(i, j) = std::sin(1.0 + 7 * i + 3.3 * j) + 2 * (i == j);
  }
  return 0.95 * Eigen::MatrixXd(matrix.householderQr().householderQ());
}

/// A circular blur, badly conditioned, and data of a picture of 7x6 pixels.
struct Blurred {
  std::shared_ptr<Blur> blur = std::make_shared<Blur>(gaussian_kernel(0.75, 0.7, 20, at::kDouble));
  Tensor truth = test::sine_image(1, 7, 6);
  L2 fidelity{blur, blur->forward(truth), truth};
};

/// A prior that says nothing.
class Flat : public Prior {
 public:
  std::string name() const override { return "flat"; }
  std::optional<double> gradient_lipschitz() const override { return 0.0; }

 private:
  Tensor do_gradient(const Tensor& x) const override { return at::zeros_like(x); }
};

double distance(const Tensor& x, const Tensor& expected) {
  return (x - expected).abs().max().item<double>();
}

}  // namespace

TEST_CASE("Anderson finds the fixed point of an affine map of n unknowns in n + 1", "[solver]") {
  const Eigen::MatrixXd matrix = contraction();
  const Tensor shift = at::cat({test::indexed({1, 1, 2, 3}), 1e4 * test::indexed({1, 1, 2, 3}, 1)});
  const Affine map(matrix, shift);
  const Tensor start = at::zeros_like(shift);
  const Tensor x = Anderson(map, {.depth = 6, .regularization = 1e-14, .stopping = iterations(7)})
                       .solve(start)
                       .x;
  const Tensor plain = Anderson(map, {.depth = 1, .stopping = iterations(1)}).solve(start).x;
  CHECK(distance(plain, shift) == 0);  // the first step is the map's own
  for (std::int64_t image = 0; image < 2; ++image) {
    const Tensor b = shift[image].contiguous();
    const Eigen::VectorXd expected =
        (Eigen::MatrixXd::Identity(6, 6) - matrix).lu().solve(eigen_vector<double>(b));
    const Tensor found = x[image].contiguous();
    CHECK((eigen_vector<double>(found) - expected).norm() < 1e-10 * expected.norm());
    // The map alone is far from it by then.
    Eigen::VectorXd slow = Eigen::VectorXd::Zero(6);
    for (int k = 0; k < 7; ++k) slow = matrix * slow + eigen_vector<double>(b);
    CHECK((slow - expected).norm() > 0.1 * expected.norm());
    // An image of a batch is as if it were alone.
    const Affine alone(matrix, shift.narrow(0, image, 1));
    const Tensor single =
        Anderson(alone, {.depth = 3, .stopping = iterations(5)}).solve(start.narrow(0, image, 1)).x;
    const Tensor both = Anderson(map, {.depth = 3, .stopping = iterations(5)}).solve(start).x;
    CHECK(test::relative_error(both.narrow(0, image, 1), single) < 1e-11);
  }
}

TEST_CASE("Anderson needs far fewer iterations than gradient descent", "[solver]") {
  const Blurred problem;
  const Flat none;
  const Tensor start = at::zeros_like(problem.truth);
  const auto descent = [&](std::int64_t count) {
    return GradientDescent(problem.fidelity, none, {.stopping = iterations(count)});
  };
  const auto method = descent(0);
  const auto accelerated = [&](std::int64_t count) {
    return Anderson(method, {.depth = 8, .stopping = iterations(count)}).solve(start).x;
  };
  CHECK(distance(accelerated(60), problem.truth) <
        distance(descent(1500).solve(start).x, problem.truth));
  CHECK(distance(accelerated(150), problem.truth) < 1e-5);
}

TEST_CASE("Anderson forgets what led it astray", "[solver]") {
  // The map changes sides at 0: what was learned on the one misleads on the other.
  class Kink : public Solver {
   public:
    Kink() : Solver(iterations(0)) {}
    std::string name() const override { return "kink"; }

   private:
    void do_step(SolverState& state, StepTimes&) const override {
      state.x = state.x.clamp_min(0) * 0.99 + state.x.clamp_max(0) * -0.5 - 1;
    }
    Communicator& do_communicator() const override { return ImageSpace::whole().communicator(); }
  } kink;
  const Tensor start = at::full({1, 1, 1, 1}, 300.0, at::kDouble);
  const auto run = [&](std::int64_t count, double factor) {
    return Anderson(kink, {.restart_factor = factor, .stopping = iterations(count)}).solve(start).x;
  };
  CHECK(run(2, 2).item<double>() == Approx(-100));  // the root of the line
  CHECK(at::equal(run(3, 2), kink.step(run(2, 2))));
  CHECK_FALSE(at::equal(run(3, 1e9), kink.step(run(2, 1e9))));
  CHECK_FALSE(at::equal(run(4, 2), kink.step(run(3, 2))));  // it learns again
}

TEST_CASE("Anderson goes on with the same bits", "[solver]") {
  const Blurred problem;
  const L1Prior prior(0.02);
  const PnP pnp(problem.fidelity, prior);
  const Tensor start = at::zeros_like(problem.truth);
  const auto run = [&](std::int64_t count) {
    return Anderson(pnp, {.depth = 3, .stopping = iterations(count)});
  };
  Nobody nobody;
  const SolveResult whole = run(9).solve(start);
  const SolveResult half = run(5).solve(start);
  const SolveResult resumed = run(9).solve(SolverState(half), nobody);
  CHECK(at::equal(resumed.x, whole.x));
  CHECK_FALSE(at::equal(half.x, whole.x));
  CHECK(whole.images.size() == 6);  // two for each of three iterations
}

TEST_CASE("Anderson's kept products are those of its differences", "[solver]") {
  const Blurred problem;
  const L1Prior prior(0.02);
  const Tensor start = at::cat({at::zeros_like(problem.truth), problem.truth});
  const L2 two(problem.blur, {at::cat({problem.truth, 0.5 * problem.truth})}, start);
  const PnP method(two, prior);
  Nobody nobody;
  const auto is_product = [](const auto& number) {
    return number.first.rfind("anderson product", 0) == 0;
  };
  SolverState state = Anderson(method, {.depth = 3, .stopping = iterations(6)}).solve(start);
  CHECK(std::count_if(state.numbers.begin(), state.numbers.end(), is_product) == 2 * 6);
  SolverState forgetful = state;
  std::erase_if(forgetful.numbers, is_product);
  const Anderson more(method, {.depth = 3, .stopping = iterations(9)});
  CHECK(at::equal(more.solve(state, nobody).x, more.solve(forgetful, nobody).x));
  // They are used: others lead elsewhere.
  for (auto& [name, value] : state.numbers) {
    if (is_product(std::pair(name, value))) value *= 1.5;
  }
  CHECK_FALSE(at::equal(more.solve(state, nobody).x, more.solve(forgetful, nobody).x));
}

TEST_CASE("Anderson takes methods without memory alone", "[solver]") {
  const Blurred problem;
  const L1Prior prior(0.02);
  const Tensor start = at::full({1, 1, 7, 6}, 0.5, at::kDouble);
  const ProximalGradient fista(problem.fidelity, prior);
  CHECK_THROWS_WITH(Anderson(fista).solve(start),
                    test::contains("proximal_gradient keeps 'ahead'"));
  const PrimalDual dual(problem.fidelity, {});
  CHECK_THROWS_AS(Anderson(dual).solve(start), error::InvalidArgument);
  const test::StatefulSolver stateful(problem.blur, problem.fidelity.measurements(), 5);
  CHECK_THROWS_AS(Anderson(stateful).solve(start), error::InvalidArgument);
  // What is found once is no memory: a step, a sensitivity.
  const ProximalGradient plain(problem.fidelity, prior, {.momentum = false});
  CHECK(Anderson(plain).solve(start).iterations == 10);
  const DataFidelity poisson(problem.blur, {(50 * problem.truth).round()},
                             std::make_shared<PoissonDistance>());
  const MLEM mlem(poisson, {.stopping = iterations(30)});
  const Anderson faster(mlem, {.clamp_range = {{1e-3, INFINITY}}, .stopping = iterations(30)});
  CHECK(poisson.value(faster.solve(start).x) < poisson.value(mlem.solve(start).x));
  CHECK_THROWS_AS(Anderson(plain, {.depth = 0}), error::InvalidArgument);
  CHECK_THROWS_AS(Anderson(plain, {.regularization = 0}), error::InvalidArgument);
  CHECK_THROWS_AS(Anderson(plain, {.restart_factor = 0.5}), error::InvalidArgument);
}

TEST_CASE("Anderson accelerates plug-and-play", "[solver]") {
  const Blurred problem;
  const L1Prior prior(0.02);
  const Tensor start = at::zeros_like(problem.truth);
  const Tensor expected =
      ProximalGradient(problem.fidelity, prior, {.stopping = iterations(20000)}).solve(start).x;
  const auto pnp = [&](std::int64_t count) {
    return PnP(problem.fidelity, prior, {.stopping = iterations(count)});
  };
  const auto method = pnp(0);
  const Tensor found = Anderson(method, {.depth = 8, .stopping = iterations(150)}).solve(start).x;
  CHECK(distance(found, expected) < 1e-3);
  CHECK(distance(pnp(1500).solve(start).x, expected) > 1e-3);
}
