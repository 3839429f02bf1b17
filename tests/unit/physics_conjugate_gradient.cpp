// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/physics/conjugate_gradient.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/fft_fft2.h>
#include <ATen/ops/fft_ifft2.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/real.h>
#include <ATen/ops/view_as_real.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <Eigen/SVD>
#include <cmath>

#include "adjoint.hpp"
#include "catch.hpp"
#include "matrix_of.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/clipped_l2.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/downsampling.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/physics/masking.hpp"
#include "tessera/physics/matrix_physics.hpp"

using tessera::Blur;
using tessera::ConjugateGradientEnd;
using tessera::ConjugateGradientOptions;
using tessera::ConjugateGradientResult;
using tessera::L2;
using tessera::MatrixPhysics;
using tessera::Padding;
using tessera::Tensor;
using tessera::Unconverged;
using tessera::error::InvalidArgument;
using tessera::error::NotConverged;
using test::relative_error;

namespace {

std::shared_ptr<const Blur> reflecting(double sigma) {
  return std::make_shared<Blur>(tessera::gaussian_kernel(sigma, sigma), Padding::reflect);
}

Tensor gaussian(std::vector<std::int64_t> shape, std::uint64_t seed,
                at::ScalarType type = at::kDouble) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions().dtype(at::kDouble)).to(type);
}

Tensor second(const Tensor& batch) {
  return batch.narrow(0, 1, 1);
}

/// Some of an image's Fourier coefficients: complex measurements of a real image.
class Coefficients : public tessera::LinearOperator {
 public:
  std::string name() const override { return "coefficients"; }

 private:
  static constexpr std::int64_t kept = 5;  // rows
  Tensor do_apply(const Tensor& x) const override {
    return at::fft_fft2(x, {}, {-2, -1}, "ortho").narrow(-2, 0, kept);
  }
  Tensor do_apply_adjoint(const Tensor& v) const override {
    std::vector<std::int64_t> shape = v.sizes().vec();
    shape[2] = shape[3];  // square images
    Tensor all = at::zeros(shape, v.options());
    all.narrow(-2, 0, kept).copy_(v);
    return at::real(at::fft_ifft2(all, {}, {-2, -1}, "ortho")).contiguous();
  }
};

}  // namespace

TEST_CASE("Data that are not finite are refused, and zeros give zeros", "[physics]") {
  const auto blur = reflecting(1);
  const Tensor x = test::random({1, 1, 16, 16}, 1);
  const Tensor y = blur->apply(x);
  for (const double bad : {std::nan(""), HUGE_VAL}) {
    Tensor wrong = y.clone();
    wrong[0][0][3][5] = bad;
    CHECK_THROWS_WITH(blur->solve_normal(wrong, 0.1), test::contains("[0, 0, 3, 5]"));
    CHECK_THROWS_WITH(blur->pseudo_inverse({wrong}), test::contains("[0, 0, 3, 5]"));
    const Blur circular(tessera::gaussian_kernel(1, 1));
    CHECK_THROWS_AS(circular.pseudo_inverse({wrong}), InvalidArgument);
    const L2 f(blur, {wrong}, x);
    CHECK_THROWS_AS(f.prox(x, 1.0), InvalidArgument);
    CHECK_FALSE(std::isfinite(f.value(x)));
  }
  Tensor gap = y.clone();
  gap[0][0][3][5] = std::nan("");
  CHECK_THROWS_AS(tessera::ClippedL2(blur, {gap}, {}).prox(x, 1.0), InvalidArgument);
  CHECK(blur->pseudo_inverse({at::zeros_like(y)}).abs().max().item<double>() == 0);
  CHECK(blur->solve_normal(at::zeros_like(y), 0.1).abs().max().item<double>() == 0);
}

TEST_CASE("An answer that misses its tolerance is refused or told", "[physics]") {
  const auto blur = reflecting(3);
  const Tensor b = test::random({1, 1, 32, 32}, 2);
  for (const double shift : {1e-2, 1e-4}) {
    const Tensor x = blur->solve_normal(b, shift);
    CHECK(relative_error(blur->normal(x) + shift * x, b) < 2e-6);
  }
  CHECK_THROWS_WITH(blur->solve_normal(b, 1e-6, {1e-6, 5}), test::contains("after 5 iterations"));
  CHECK_THROWS_AS(blur->solve_normal(b, 1e-6, {1e-6, 5}), NotConverged);
  const ConjugateGradientOptions lenient{1e-6, 5, Unconverged::accept};
  const ConjugateGradientResult told = blur->normal_solution(b, 1e-6, lenient);
  REQUIRE(told.images.size() == 1);
  CHECK(told.images[0].end == ConjugateGradientEnd::limit);
  CHECK(told.images[0].iterations == 5);
  CHECK(told.images[0].relative_residual ==
        Approx(relative_error(blur->normal(told.x) + 1e-6 * told.x, b)).epsilon(1e-6));
  CHECK(blur->solve_normal(b, 1e-6, lenient).equal(told.x));
}

TEST_CASE("Each image of a batch is solved as if alone", "[physics]") {
  const auto blur = reflecting(1);
  const Tensor flat = at::ones({1, 1, 24, 24}, at::kDouble);
  const Tensor random = test::random({1, 1, 24, 24}, 3);
  for (const double scale : {1e-4, 1e-8, 1e-200}) {
    CAPTURE(scale);
    const Tensor batch = at::cat({flat, scale * random});
    CHECK(relative_error(second(blur->solve_normal(batch, 0.01)) / scale,
                         blur->solve_normal(scale * random, 0.01) / scale) < 1e-6);
  }
  const Tensor two = at::cat({flat, 1e-6 * random});
  CHECK(relative_error(second(L2(blur, {two}, two).prox(at::zeros_like(two), 100.0)),
                       L2(blur, {1e-6 * random}, random).prox(at::zeros_like(random), 100.0)) <
        1e-6);
  Eigen::MatrixXd diagonal = Eigen::MatrixXd::Identity(36, 36);
  for (int i = 0; i < 36; ++i) diagonal(i, i) = 1 + 0.1 * i;
  const MatrixPhysics matrix(diagonal, {1, 6, 6});
  Tensor unit = at::zeros({1, 36}, at::kDouble);
  unit[0][0] = 1;
  const Tensor faint = 1e-7 * test::random({1, 36}, 4);
  CHECK(relative_error(second(matrix.pseudo_inverse({at::cat({unit, faint})})),
                       matrix.pseudo_inverse({faint})) < 1e-6);
}

TEST_CASE("Scales beyond the squares of a type, and half precision", "[physics]") {
  const auto blur = reflecting(1);
  const Tensor b = test::random({1, 1, 20, 20}, 5);
  const Tensor x = blur->solve_normal(b, 0.1);
  for (const double scale : {1e-200, 1e200}) {
    CHECK(relative_error(blur->solve_normal(scale * b, 0.1) / scale, x) < 1e-12);
  }
  for (const double scale : {1e-30, 1e30}) {
    const Tensor single = blur->solve_normal((scale * b).to(at::kFloat), 0.1);
    CHECK(relative_error(single.to(at::kDouble) / scale, x) < 1e-5);
  }
  const Tensor half = blur->solve_normal((1e-3 * b).to(at::kHalf), 0.1);
  CHECK(half.scalar_type() == at::kHalf);
  CHECK(relative_error(half.to(at::kDouble) / 1e-3, x) < 2e-3);
}

TEST_CASE("Least squares stop where rounding is reached", "[physics]") {
  // Many more unknowns than measurements: what rounding puts into the null space grows for ever.
  const Tensor numbers = gaussian({60, 400}, 6, at::kFloat);
  const Eigen::MatrixXf matrix = tessera::eigen_matrix<float>(numbers);
  const MatrixPhysics physics(matrix, {1, 20, 20});
  const MatrixPhysics exact(Eigen::MatrixXd(matrix.cast<double>()), {1, 20, 20});
  const Tensor y = gaussian({1, 60}, 7, at::kFloat);
  const Tensor expected = exact.pseudo_inverse({y.to(at::kDouble)}, {1e-12, 500});
  for (const std::int64_t most : {40, 200, 1000}) {
    const ConjugateGradientOptions never{0, most, Unconverged::accept};
    const ConjugateGradientResult result = physics.least_squares({y}, never);
    CAPTURE(most, result.images[0].iterations);
    CHECK(relative_error(result.x, expected) < 1e-4);
    CHECK(result.images[0].relative_residual < 1e-5);
  }
  CHECK(physics.least_squares({y}, {0, 1000}).images[0].end == ConjugateGradientEnd::rounding);
}

TEST_CASE("Least squares see singular values down to rounding", "[physics]") {
  // 1, ..., 1e-5: their squares end far below the rounding of float32.
  Eigen::MatrixXf diagonal = Eigen::MatrixXf::Zero(6, 6);
  for (int i = 0; i < 6; ++i) diagonal(i, i) = static_cast<float>(std::pow(10.0, -i));
  const MatrixPhysics physics(diagonal, {1, 2, 3});
  const Tensor y = physics.apply(at::ones({1, 1, 2, 3}));
  const ConjugateGradientOptions never{0, 200, Unconverged::accept};
  CHECK(relative_error(physics.least_squares({y}, never).x, at::ones({1, 1, 2, 3})) < 0.02);
}

TEST_CASE("Least squares of operators and data of any size", "[physics]") {
  const Tensor numbers = gaussian({40, 36}, 21, at::kFloat);
  const Eigen::MatrixXf matrix = tessera::eigen_matrix<float>(numbers);
  const Tensor y = gaussian({2, 40}, 22, at::kFloat);
  const Tensor expected = MatrixPhysics(matrix, {1, 6, 6}).pseudo_inverse({y});
  for (const float size : {1e-30F, 1e25F}) {
    for (const double scale : {1e-5, 1e5}) {
      CAPTURE(size, scale);
      const MatrixPhysics scaled(Eigen::MatrixXf(size * matrix), {1, 6, 6});
      const Tensor x = scaled.pseudo_inverse({scale * y});
      CHECK(relative_error(x * (size / scale), expected) < 1e-4);
    }
  }
  const MatrixPhysics plain(matrix, {1, 6, 6});
  CHECK(relative_error(plain.pseudo_inverse({1e37F * y}) / 1e37F, expected) < 1e-4);
}

TEST_CASE("A long run of proximal steps keeps its accuracy in float32", "[physics]") {
  const Tensor numbers = gaussian({80, 64}, 8, at::kFloat);
  const Eigen::MatrixXf matrix = tessera::eigen_matrix<float>(numbers);
  const auto single =
      std::make_shared<MatrixPhysics<Eigen::MatrixXf>>(matrix, std::vector<std::int64_t>{1, 8, 8});
  const auto wide = std::make_shared<MatrixPhysics<Eigen::MatrixXd>>(
      matrix.cast<double>(), std::vector<std::int64_t>{1, 8, 8});
  const Tensor y = gaussian({1, 80}, 9);
  Tensor x = at::zeros({1, 1, 8, 8}, at::kFloat);
  Tensor reference = at::zeros({1, 1, 8, 8}, at::kDouble);
  const L2 f(single, {y.to(at::kFloat)}, x);
  const L2 g(wide, {y}, reference);
  for (int i = 0; i < 200; ++i) {
    x = f.prox(x, 0.1);
    reference = g.prox(reference, 0.1);
  }
  CHECK(relative_error(x, reference) < 1e-5);
}

TEST_CASE("Where conjugate gradients begin saves iterations, not accuracy", "[physics]") {
  const auto blur = reflecting(1.5);
  const Tensor b = test::random({1, 1, 24, 24}, 11);
  const ConjugateGradientResult far = blur->normal_solution(b, 0.01);
  const ConjugateGradientResult near = blur->normal_solution(b, 0.01, {}, far.x);
  CHECK(near.images[0].iterations == 0);
  CHECK(relative_error(near.x, far.x) < 1e-12);
  CHECK_THROWS_AS(blur->normal_solution(b, 0.01, {}, at::zeros({1, 1, 3, 3}, at::kDouble)),
                  InvalidArgument);
}

TEST_CASE("What cannot be differentiated says so", "[physics]") {
  const Tensor b = test::random({1, 1, 16, 16}, 12).requires_grad_(true);
  CHECK_THROWS_WITH(reflecting(1)->solve_normal(b, 0.1), test::contains("differentiated"));
  const Blur circular(tessera::gaussian_kernel(1, 1));
  CHECK(circular.solve_normal(b, 0.1).requires_grad());
}

TEST_CASE("norm_squared is right at every scale", "[physics]") {
  const Tensor numbers = test::random({30, 30}, 13);
  const Eigen::MatrixXd matrix = tessera::eigen_matrix<double>(numbers);
  const double largest = Eigen::BDCSVD<Eigen::MatrixXd>(matrix).singularValues()(0);
  for (const double scale : {1.0, 1e-10, 1e-16, 1e-20, 1e-100, 1e20, 1e100}) {
    CAPTURE(scale);
    const MatrixPhysics physics(Eigen::MatrixXd(scale * matrix), {1, 5, 6});
    const double ratio = physics.norm_squared(at::zeros({1, 1, 5, 6}, at::kDouble)) /
                         (scale * scale) / (largest * largest);
    CHECK(ratio > 1 - 1e-9);
    CHECK(ratio < 1.0201);
  }
}

TEST_CASE("norm_squared of a half image is computed in single precision", "[physics]") {
  const auto blur = reflecting(2);
  const double half = blur->norm_squared(at::zeros({1, 1, 24, 24}, at::kHalf));
  CHECK(half == Approx(blur->norm_squared(at::zeros({1, 1, 24, 24}))).epsilon(1e-5));
}

TEST_CASE("Downsampling of a circular blur knows its norm", "[physics]") {
  for (const std::int64_t factor : {1, 2, 3}) {
    const tessera::Downsampling physics(factor, tessera::gaussian_kernel(1.5, 0.7, 30));
    const Tensor x = at::zeros({1, 1, 12, 18}, at::kDouble);
    const Eigen::MatrixXd matrix = test::matrix_of(physics, x);
    const double largest = Eigen::BDCSVD<Eigen::MatrixXd>(matrix).singularValues()(0);
    CHECK(physics.norm_squared(x) == Approx(largest * largest).epsilon(1e-12));
  }
}

TEST_CASE("A mask knows its norm", "[physics]") {
  const Tensor mask = (test::random({1, 1, 9, 7}, 14) > 0.5);
  const Tensor image = at::zeros({1, 3, 9, 7});
  CHECK(tessera::Masking(mask).norm_squared(image) == 1);
  CHECK(tessera::Masking(-3 * mask.to(at::kDouble)).norm_squared(image) == 9);
}

TEST_CASE("Complex measurements count with both parts", "[physics]") {
  const auto physics = std::make_shared<Coefficients>();
  const Tensor x = test::random({2, 1, 8, 8}, 15);
  const Tensor truth = test::random({2, 1, 8, 8}, 16);
  const tessera::TensorList y = physics->forward(truth);
  const L2 f(physics, y, x, {.sigma = 0.5});
  const Tensor residual = at::view_as_real(physics->apply(x) - y.front());
  CHECK(f.value(x) == Approx(0.5 * residual.square().sum().item<double>() / 0.25).epsilon(1e-12));
  const Tensor direction = test::random({2, 1, 8, 8}, 17);
  const double step = 1e-4;
  const double slope = (f.value(x + step * direction) - f.value(x - step * direction)) / (2 * step);
  CHECK((f.gradient(x) * direction).sum().item<double>() == Approx(slope).epsilon(1e-7));
  // The optimality condition of prox: u - z + step * gradient = 0.
  const Tensor u = f.prox(x, 2.0);
  CHECK((u - x + 2.0 * f.gradient(u)).norm().item<double>() < 1e-5 * x.norm().item<double>());
  const Tensor solution = physics->pseudo_inverse(y);
  CHECK(relative_error(at::view_as_real(physics->apply(solution)), at::view_as_real(y.front())) <
        1e-5);
  CHECK_THROWS_WITH(tessera::ClippedL2(physics, y, {}), test::contains("complex"));
}

TEST_CASE("The fused value of L2 is right where little is left of it", "[fidelity]") {
  const auto blur = std::make_shared<Blur>(tessera::gaussian_kernel(2, 1, 30));
  for (const double offset : {0.0, 10.0, 1000.0}) {
    CAPTURE(offset);
    const Tensor x = offset + test::random({1, 3, 64, 64}, 18).to(at::kFloat);
    const Tensor y = blur->apply(x);
    const Tensor near = x + 1e-4 * gaussian({1, 3, 64, 64}, 19, at::kFloat);
    const double unfused = L2(blur, {y}, x, {.fused = false}).value(near);
    CHECK(L2(blur, {y}, x).value(near) == Approx(unfused).epsilon(0.05));
    CHECK(L2(blur, {y}, x, {.drop_measurements = true}).value(near) >= 0);
    CHECK(L2(blur, {y}, x, {.drop_measurements = true}).value(x) >= 0);
  }
}
