// SPDX-License-Identifier: BSD-3-Clause
// Conjugate gradients for least squares as a solver: against dense matrices, by their rate.
#include <ATen/ops/cat.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/imag.h>
#include <ATen/ops/real.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <Eigen/Dense>
#include <cmath>
#include <limits>

#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/fidelity/absolute_distance.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/physics/linear_operator.hpp"
#include "tessera/physics/matrix_physics.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/solver/cgls.hpp"

using namespace tessera;

namespace {

using Dense = MatrixPhysics<Eigen::MatrixXd>;

/// `rows` equations for an image of 2x3 pixels.
Eigen::MatrixXd equations(std::int64_t rows, double phase) {
  const Tensor values = test::indexed({rows, 6}, phase);
  Eigen::MatrixXd matrix(rows, 6);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < 6; ++j) matrix(i, j) = values[i][j].item<double>() + (i == j);
  }
  return matrix;
}

/// Two operators of different size, no right-hand side of which is in their range.
struct LeastSquaresProblem {
  Eigen::MatrixXd first = equations(7, 0.3);
  Eigen::MatrixXd second = equations(4, 1.1);
  std::shared_ptr<StackedPhysics> physics =
      std::make_shared<StackedPhysics>(std::vector<LinearPhysicsPtr>{
          std::make_shared<Dense>(first, std::vector<std::int64_t>{1, 2, 3}),
          std::make_shared<Dense>(second, std::vector<std::int64_t>{1, 2, 3})});
  TensorList y = {test::indexed({1, 7}, 0.2), test::indexed({1, 4}, 0.9)};
  Tensor zero = at::zeros({1, 1, 2, 3}, at::kDouble);

  Eigen::MatrixXd normal(double shift) const {
    return first.transpose() * first + second.transpose() * second +
           shift * Eigen::MatrixXd::Identity(6, 6);
  }
  Eigen::VectorXd solution(double shift) const {
    const Eigen::VectorXd right = first.transpose() * eigen_vector<double>(y[0]) +
                                  second.transpose() * eigen_vector<double>(y[1]);
    return normal(shift).ldlt().solve(right);
  }
};

StoppingRules iterations(std::int64_t count) {
  return {.max_iterations = count};
}

class Nobody : public Observer {
 public:
  Verdict on_iteration(const Iteration& /*iteration*/) override { return Verdict::proceed; }
};

double difference(const Tensor& x, const Eigen::VectorXd& expected) {
  return (eigen_vector<double>(x.contiguous()) - expected).cwiseAbs().maxCoeff();
}

}  // namespace

TEST_CASE("CGLS solves a problem of n unknowns in n iterations", "[solver]") {
  const LeastSquaresProblem problem;
  for (const double weight : {0.0, 0.4}) {
    for (const double sigma : {1.0, 0.5}) {
      CAPTURE(weight, sigma);
      const L2 fidelity(problem.physics, problem.y, problem.zero, {.sigma = sigma});
      const CGLS solver(fidelity,
                        {.weight = weight, .tolerance = 1e-8, .stopping = iterations(20)});
      const Eigen::VectorXd expected = problem.solution(weight * sigma * sigma);
      for (const Tensor& start : {problem.zero, test::indexed({1, 1, 2, 3}, 2)}) {
        const SolveResult result = solver.solve(start);
        CHECK(result.reason == StopReason::tolerance);
        CHECK(result.iterations == 6);
        CHECK(difference(result.x, expected) < 1e-9);
        CHECK(result.numbers.at("relative_residual") < 1e-8);
      }
      // Nothing is left to do from the solution.
      const SolveResult again = solver.solve(solver.solve(problem.zero).x);
      CHECK(again.iterations == 0);
      CHECK(again.reason == StopReason::tolerance);
    }
  }
  CHECK(to_string(StopReason::tolerance) == "the residual fell below the tolerance");
}

TEST_CASE("CGLS tells the residual of the normal equations", "[solver]") {
  const LeastSquaresProblem problem;
  const L2 fidelity(problem.physics, problem.y, problem.zero);
  for (const std::int64_t count : {0, 1, 3}) {
    const SolveResult result =
        CGLS(fidelity, {.weight = 0.3, .stopping = iterations(count + 1)}).solve(problem.zero);
    const Tensor residual = fidelity.gradient(result.x) + 0.3 * result.x;
    CHECK(result.numbers.at("relative_residual") ==
          Approx((residual.norm() / fidelity.adjoint_of_data().norm()).item<double>()));
  }
}

TEST_CASE("CGLS keeps its rate", "[solver]") {
  const LeastSquaresProblem problem;
  const double weight = 0.05;
  const L2 fidelity(problem.physics, problem.y, problem.zero);
  const Eigen::MatrixXd normal = problem.normal(weight);
  const Eigen::VectorXd expected = problem.solution(weight);
  const Eigen::VectorXd spectrum =
      Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(normal).eigenvalues();
  const double root = std::sqrt(spectrum(5) / spectrum(0));
  const auto error = [&](const Tensor& x) {
    const Eigen::VectorXd e = eigen_vector<double>(x.contiguous()) - expected;
    return std::sqrt(e.dot(normal * e));
  };
  double last = error(problem.zero);
  int seen = 0;
  ObserverFunction watch([&](const Iteration& iteration) {
    const double now = error(iteration.x);
    const double bound =
        2 * std::pow((root - 1) / (root + 1), iteration.index + 1) * error(problem.zero);
    CHECK(now <= bound + 1e-12);
    CHECK(now <= last);
    last = now;
    ++seen;
  });
  CGLS(fidelity, {.weight = weight, .stopping = iterations(5)}).solve(problem.zero, watch);
  CHECK(seen == 5);
}

TEST_CASE("CGLS solves each image of a batch as if it were alone", "[solver]") {
  const auto blur = std::make_shared<Blur>(gaussian_kernel(0.6, 0.5, 20), Padding::reflect);
  const auto physics = std::make_shared<StackedPhysics>(
      std::vector<LinearPhysicsPtr>{blur, std::make_shared<Blur>(gaussian_kernel(0.4, 0.7, 80))});
  const Tensor bright = 1e6 * test::sine_image(1, 7, 5);
  const Tensor faint = 1e-6 * test::indexed({1, 1, 7, 5});
  const auto run = [&](const Tensor& truth) {
    const L2 fidelity(physics, physics->forward(truth), truth);
    return CGLS(fidelity, {.tolerance = 1e-5, .stopping = iterations(200)})
        .solve(at::zeros_like(truth));
  };
  const SolveResult both = run(at::cat({bright, faint}));
  const SolveResult first = run(bright);
  const SolveResult second = run(faint);
  CHECK(both.reason == StopReason::tolerance);
  CHECK(both.iterations == std::max(first.iterations, second.iterations));
  CHECK(first.iterations != second.iterations);
  CHECK(test::relative_error(both.x.narrow(0, 0, 1), first.x) < 1e-10);
  CHECK(test::relative_error(both.x.narrow(0, 1, 1), second.x) < 1e-10);
}

TEST_CASE("CGLS takes means over operators, complex data and float32", "[solver]") {
  const LeastSquaresProblem problem;
  // A mean of two operators weighs ||x||^2 twice as much beside their sum.
  const auto mean = std::make_shared<DistributedPhysics>(
      *problem.physics, self_communicator(),
      DistributedPhysicsOptions{.reduction = OperatorReduction::mean});
  const L2 halved(mean, problem.y, problem.zero);
  const CglsOptions options{.weight = 0.2, .tolerance = 1e-9, .stopping = iterations(20)};
  CHECK(difference(CGLS(halved, options).solve(problem.zero).x, problem.solution(0.4)) < 1e-8);

  // A x = x + 2i x on a batch of two: ||A x - y||^2 = 5 x^2 - 2 x (Re y + 2 Im y) + constant.
  class Phase : public LinearOperator {
   public:
    std::string name() const override { return "phase"; }

   private:
    Tensor do_apply(const Tensor& x) const override { return at::complex(x, 2 * x); }
    Tensor do_apply_adjoint(const Tensor& v) const override {
      return at::real(v) + 2 * at::imag(v);
    }
  };
  const Tensor data = at::complex(test::indexed({2, 1, 3, 2}), test::indexed({2, 1, 3, 2}, 1));
  const auto phase = std::make_shared<Phase>();
  const DataFidelity complex(phase, {data}, std::make_shared<SquaredDistance>());
  const Tensor start = at::zeros({2, 1, 3, 2}, at::kDouble);
  CHECK(test::relative_error(CGLS(complex, {.weight = 1}).solve(start).x,
                             phase->apply_adjoint(data) / 6) < 1e-14);

  const L2 single(problem.physics, {problem.y[0].to(at::kFloat), problem.y[1].to(at::kFloat)},
                  problem.zero.to(at::kFloat));
  const SolveResult result =
      CGLS(single, {.stopping = iterations(20)}).solve(problem.zero.to(at::kFloat));
  CHECK(result.reason == StopReason::tolerance);
  CHECK(result.x.scalar_type() == at::kFloat);
  CHECK(difference(result.x.to(at::kDouble), problem.solution(0)) < 1e-4);
}

TEST_CASE("CGLS stays where no image reduces what is left", "[solver]") {
  // Three equations for six unknowns: the solution of least norm, and no walk in the null space.
  const LeastSquaresProblem problem;
  Eigen::MatrixXd wide = equations(3, 0.4);
  Eigen::MatrixXd twice(6, 6);
  twice << wide, 2 * wide;
  const auto physics = std::make_shared<Dense>(twice, std::vector<std::int64_t>{1, 2, 3});
  const TensorList y = {test::indexed({1, 6}, 0.7)};
  const L2 fidelity(physics, y, problem.zero);
  const SolveResult result =
      CGLS(fidelity, {.tolerance = 0, .stopping = iterations(300)}).solve(problem.zero);
  const Eigen::VectorXd expected =
      twice.completeOrthogonalDecomposition().solve(eigen_vector<double>(y[0]));
  CHECK(difference(result.x, expected) < 1e-10);
  CHECK(result.reason == StopReason::tolerance);
  CHECK(result.iterations < 10);
}

TEST_CASE("CGLS goes on with the same bits", "[solver]") {
  const LeastSquaresProblem problem;
  const L2 fidelity(problem.physics, problem.y, problem.zero);
  const auto solver = [&](std::int64_t count) {
    return CGLS(fidelity, {.weight = 0.1, .stopping = iterations(count)});
  };
  Nobody nobody;
  const SolveResult whole = solver(5).solve(problem.zero);
  const SolveResult half = solver(2).solve(problem.zero);
  const SolveResult resumed = solver(5).solve(SolverState(half), nobody);
  CHECK(resumed.iterations == 5);
  CHECK(at::equal(resumed.x, whole.x));
  CHECK(resumed.numbers == whole.numbers);
  CHECK_FALSE(at::equal(half.x, whole.x));
}

TEST_CASE("CGLS refuses what cannot work", "[solver]") {
  const LeastSquaresProblem problem;
  const L2 fidelity(problem.physics, problem.y, problem.zero);
  CHECK_THROWS_AS(CGLS(fidelity, {.weight = -1}), error::InvalidArgument);
  CHECK_THROWS_AS(CGLS(fidelity, {.tolerance = std::nan("")}), error::InvalidArgument);
  const DataFidelity absolute(problem.physics, problem.y, std::make_shared<AbsoluteDistance>());
  CHECK_THROWS_WITH(CGLS(absolute), test::contains("expected a SquaredDistance"));
  TensorList broken = {problem.y[0],
                       at::full_like(problem.y[1], std::numeric_limits<double>::infinity())};
  const DataFidelity infinite(problem.physics, broken, std::make_shared<SquaredDistance>());
  CHECK_THROWS_WITH(CGLS(infinite).solve(problem.zero),
                    test::contains("measurement of held operator 1 has 4 of 4 values"));
  CHECK_THROWS_AS(CGLS(fidelity).solve(problem.zero.to(at::kFloat)), error::ShapeMismatch);
}
