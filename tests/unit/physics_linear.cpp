// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <Eigen/Eigenvalues>
#include <Eigen/SVD>

#include "adjoint.hpp"
#include "catch.hpp"
#include "matrix_of.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/matrix_physics.hpp"
#include "tessera/physics/stacked.hpp"

using tessera::Blur;
using tessera::BlurOptions;
using tessera::ConvolutionMethod;
using tessera::MatrixPhysics;
using tessera::Padding;
using tessera::Tensor;

using test::matrix_of;

namespace {

/// Returns its very argument, as an operator of a user may.
class Identity : public tessera::LinearOperator {
 public:
  std::string name() const override { return "identity"; }

 private:
  Tensor do_apply(const Tensor& x) const override { return x; }
  Tensor do_apply_adjoint(const Tensor& v) const override { return v; }
};

Eigen::MatrixXd random_matrix(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  const Tensor numbers = test::random({rows, columns}, seed);
  return tessera::eigen_matrix<double>(numbers);
}

double largest_eigenvalue(const Eigen::MatrixXd& matrix) {
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(matrix.transpose() * matrix)
      .eigenvalues()
      .maxCoeff();
}

}  // namespace

TEST_CASE("norm_squared is never below the norm, and at most 2 % above it", "[physics]") {
  std::vector<Eigen::MatrixXd> matrices;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    matrices.push_back(random_matrix(40, 60, seed));
    matrices.push_back(random_matrix(90, 60, 100 + seed));
  }
  // Many eigenvalues crowded below the largest; one far above the others; tiny and huge scales.
  Eigen::VectorXd crowded = Eigen::VectorXd::LinSpaced(300, 0.99, 1.0);
  matrices.emplace_back(crowded.asDiagonal());
  Eigen::VectorXd lonely = Eigen::VectorXd::Constant(300, 1e-3);
  lonely(17) = 5;
  matrices.emplace_back(lonely.asDiagonal());
  matrices.push_back(1e60 * random_matrix(20, 30, 7));
  matrices.push_back(1e-60 * random_matrix(20, 30, 7));
  // Krylov spaces of one and two dimensions.
  matrices.push_back(Eigen::MatrixXd::Constant(1, 1, -3.0));
  matrices.push_back(random_matrix(2, 2, 8));
  matrices.push_back(random_matrix(3, 2, 9));
  matrices.emplace_back(Eigen::MatrixXd::Identity(50, 50));
  for (const Eigen::MatrixXd& matrix : matrices) {
    CAPTURE(matrix.rows(), matrix.cols());
    const double truth = largest_eigenvalue(matrix);
    for (const auto type : {at::kDouble, at::kFloat}) {
      if (type == at::kFloat && !(truth > 1e-30 && truth < 1e30)) continue;
      const double rounding = type == at::kFloat ? 1e-5 : 1e-12;
      const double bound = MatrixPhysics(matrix, {1, matrix.cols()})
                               .norm_squared(at::zeros({1, 1, matrix.cols()}, type));
      CHECK(bound >= truth * (1 - rounding));
      CHECK(bound <= truth * (1.02 + rounding));
    }
  }
}

TEST_CASE("norm_squared of blurs with borders", "[physics]") {
  const Tensor x = at::zeros({1, 1, 12, 11}, at::kDouble);
  for (const Padding padding :
       {Padding::valid, Padding::reflect, Padding::replicate, Padding::constant}) {
    for (const std::uint64_t seed : {1, 2, 3}) {
      const Blur blur(test::random({1, 1, 4, 5}, seed), padding);
      const double truth = largest_eigenvalue(matrix_of(blur, x));
      CHECK(blur.norm_squared(x) >= truth);
      CHECK(blur.norm_squared(x) <= 1.02 * truth * (1 + 1e-12));
      CHECK(blur.norm_squared(x) == blur.norm_squared(x));
    }
  }
  const Blur circular(test::random({1, 1, 4, 5}, 4), Padding::circular);
  CHECK(circular.norm_squared(x) ==
        Approx(largest_eigenvalue(matrix_of(circular, x))).epsilon(1e-12));
}

TEST_CASE("check_adjoint tells an exact adjoint from a wrong one", "[physics]") {
  class Doubled : public tessera::LinearOperator {
   public:
    std::string name() const override { return "doubled"; }

   private:
    Tensor do_apply(const Tensor& x) const override { return 2 * x; }
    Tensor do_apply_adjoint(const Tensor& v) const override { return v; }
  };
  const Tensor x = at::zeros({2, 3, 7, 5}, at::kDouble);
  const auto blur = std::make_shared<Blur>(test::random({1, 1, 3, 4}, 4), Padding::reflect);
  CHECK_NOTHROW(tessera::check_adjoint(*blur, x));
  CHECK_NOTHROW(tessera::check_adjoint(*blur, x.to(at::kFloat), 1e-5));
  const tessera::StackedPhysics stack({blur, std::make_shared<Identity>()});
  CHECK(tessera::adjoint_error(stack, x) < 1e-14);
  CHECK_THROWS_WITH(tessera::check_adjoint(Doubled(), x),
                    test::contains("doubled: adjoint is not the transpose of forward"));
  const tessera::StackedPhysics wrong({blur, std::make_shared<Doubled>()});
  CHECK_THROWS_AS(tessera::check_adjoint(wrong, x), tessera::error::InvalidArgument);
}

TEST_CASE("norm_squared of zero is zero", "[physics]") {
  CHECK(MatrixPhysics(Eigen::MatrixXd(Eigen::MatrixXd::Zero(4, 6)), {1, 6})
            .norm_squared(at::zeros({1, 1, 6}, at::kDouble)) == 0);
}

TEST_CASE("solve_normal solves (A^T A + shift I) x = b", "[physics]") {
  const Eigen::MatrixXd matrix = random_matrix(30, 24, 1);
  const MatrixPhysics physics(matrix, {2, 3, 4});
  const Tensor b = test::random({1, 2, 3, 4}, 2);
  const tessera::ConjugateGradientOptions tight{1e-13, 500};
  for (const double shift : {0.0, 0.3, 10.0}) {
    const Eigen::MatrixXd normal =
        matrix.transpose() * matrix + shift * Eigen::MatrixXd::Identity(24, 24);
    const Eigen::VectorXd expected = normal.ldlt().solve(tessera::eigen_vector<double>(b));
    const Tensor x = physics.solve_normal(b, shift, tight);
    CHECK((tessera::eigen_vector<double>(x) - expected).norm() < 1e-10 * expected.norm());
  }
  // In Fourier space for circular blurs; checked through the normal operator itself.
  const Blur blur(test::random({1, 1, 5, 4}, 3),
                  BlurOptions{Padding::circular, ConvolutionMethod::direct});
  const Tensor image = test::random({2, 3, 11, 13}, 4);
  const Tensor x = blur.solve_normal(image, 0.2);
  CHECK(test::relative_error(blur.apply_adjoint(blur.apply(x)) + 0.2 * x, image) < 1e-13);
}

TEST_CASE("pseudo_inverse is the least-squares solution of least norm", "[physics]") {
  const tessera::ConjugateGradientOptions tight{1e-14, 500};
  for (const auto& [rows, columns] : {std::pair{40, 24}, std::pair{10, 24}}) {
    const Eigen::MatrixXd matrix = random_matrix(rows, columns, 5);
    const Tensor y = test::random({1, rows}, 6);
    const Eigen::VectorXd expected =
        matrix.completeOrthogonalDecomposition().solve(tessera::eigen_vector<double>(y));
    const Tensor x = MatrixPhysics(matrix, {1, columns}).pseudo_inverse({y}, tight);
    CHECK((tessera::eigen_vector<double>(x) - expected).norm() < 1e-9 * expected.norm());
  }
  const MatrixPhysics zero(Eigen::MatrixXd(Eigen::MatrixXd::Zero(4, 6)), {1, 6});
  CHECK(zero.pseudo_inverse({test::random({1, 4}, 1)}).abs().max().item<double>() == 0);
}

TEST_CASE("Conjugate gradients stop when they are told to", "[physics]") {
  const MatrixPhysics physics(random_matrix(60, 50, 1), {1, 50});
  const Tensor b = test::random({1, 1, 50}, 2);
  const auto residual = [&](const tessera::ConjugateGradientOptions& options) {
    const Tensor x = physics.solve_normal(b, 0.1, options);
    return test::relative_error(physics.normal(x) + 0.1 * x, b);
  };
  CHECK(residual({1e-3, 1000}) <= 1.001e-3);
  CHECK(residual({1e-9, 1000}) <= 1.001e-9);
  using tessera::Unconverged;
  CHECK(residual({1e-9, 3, Unconverged::accept}) > 1e-3);
  CHECK(residual({1e-9, 3, Unconverged::accept}) > residual({1e-9, 20, Unconverged::accept}));
}

TEST_CASE("An operator may return its argument", "[physics]") {
  const auto identity = std::make_shared<Identity>();
  const Tensor x = test::random({1, 1, 5, 6}, 1);
  const Tensor untouched = x.clone();
  CHECK(test::relative_error(identity->solve_normal(x, 0.5, {1e-12, 10}), x / 1.5) < 1e-12);
  const Tensor y = test::random({1, 1, 5, 6}, 2);
  const tessera::L2 fidelity(identity, {y}, x);
  CHECK(test::relative_error(fidelity.gradient(x), untouched - y) < 1e-14);
  CHECK(test::relative_error(fidelity.prox(x, 0.5), (x + 0.5 * y) / 1.5) < 1e-6);
  CHECK(identity->norm_squared(x) == Approx(1.02));
  CHECK(x.equal(untouched));
}

TEST_CASE("LinearPhysics refuses what it cannot solve", "[physics]") {
  using tessera::error::InvalidArgument;
  const Identity identity;
  const Tensor x = test::random({1, 1, 5, 6}, 1);
  CHECK_THROWS_AS(identity.solve_normal(x, -1), InvalidArgument);
  CHECK_THROWS_AS(identity.solve_normal(x, 0, {-1.0, 10}), InvalidArgument);
  CHECK_THROWS_AS(identity.solve_normal(x, 0, {1e-3, 0}), InvalidArgument);
  CHECK_THROWS_AS(identity.normal(Tensor{}), tessera::error::ShapeMismatch);
  CHECK_THROWS_AS(identity.has_normal_filter(Tensor{}), tessera::error::ShapeMismatch);
}
