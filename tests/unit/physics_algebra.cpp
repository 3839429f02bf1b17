// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/physics/algebra.hpp"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <limits>

#include "adjoint.hpp"
#include "catch.hpp"
#include "full_convolution.hpp"
#include "matrix_of.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/downsampling.hpp"
#include "tessera/physics/masking.hpp"
#include "tessera/physics/matrix_physics.hpp"
#include "tessera/physics/stacked.hpp"

using tessera::Blur;
using tessera::BlurOptions;
using tessera::compose;
using tessera::ConvolutionMethod;
using tessera::LinearPhysics;
using tessera::LinearPhysicsPtr;
using tessera::MatrixPhysics;
using tessera::Padding;
using tessera::StackedPhysics;
using tessera::Tensor;
using tessera::TensorList;
using tessera::weighted;
using test::matrix_of;

namespace {

LinearPhysicsPtr matrix(std::int64_t rows, std::vector<std::int64_t> image, std::uint64_t seed) {
  std::int64_t columns = 1;
  for (const std::int64_t extent : image) columns *= extent;
  const Tensor numbers = test::random({rows, columns}, seed);
  return std::make_shared<MatrixPhysics<Eigen::MatrixXd>>(tessera::eigen_matrix<double>(numbers),
                                                          std::move(image));
}

std::shared_ptr<Blur> blur(Padding padding, std::uint64_t seed,
                           ConvolutionMethod method = ConvolutionMethod::fourier) {
  return std::make_shared<Blur>(test::random({1, 1, 3, 4}, seed), BlurOptions{padding, method});
}

/// The same matrix to rounding, an exact adjoint, A^T A, and a norm that holds.
void check_is(const LinearPhysics& physics, const Eigen::MatrixXd& expected, const Tensor& image) {
  CAPTURE(physics.name());
  CHECK((matrix_of(physics, image) - expected).norm() < 1e-13 * expected.norm());
  CHECK_NOTHROW(tessera::check_adjoint(physics, image, 1e-13));
  const Tensor batch = image.repeat({2, 1, 1, 1}) + test::random({2, 1, 1, 1}, 77);
  CHECK(test::relative_error(physics.normal(batch), physics.adjoint(physics.forward(batch))) <
        1e-12);
  const double norm =
      Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(expected.transpose() * expected)
          .eigenvalues()
          .maxCoeff();
  const double bound = physics.norm_squared(image);
  CHECK(bound >= norm * (1 - 1e-12));
  CHECK(bound <= 1.02 * norm * (1 + 1e-12));
}

/// Adds 1 to each measurement, as noise.
class One : public tessera::Noise {
  Tensor do_add(const Tensor& clean, const tessera::ElementNumbers& /*numbers*/) const override {
    return clean + 1;
  }
};

}  // namespace

TEST_CASE("compose is the product of matrices", "[physics]") {
  const Tensor x = test::random({1, 1, 7, 6}, 1);
  const auto valid = blur(Padding::valid, 2);  // 5 x 3
  const auto outer = matrix(11, {1, 5, 3}, 3);
  check_is(*compose(outer, valid), matrix_of(*outer, valid->apply(x)) * matrix_of(*valid, x), x);
  const auto masked = std::make_shared<tessera::Masking>(test::random({1, 1, 7, 6}, 4));
  check_is(*compose(valid, masked), matrix_of(*valid, x) * matrix_of(*masked, x), x);
  check_is(*compose(outer, compose(valid, masked)),
           matrix_of(*outer, valid->apply(x)) * matrix_of(*valid, x) * matrix_of(*masked, x), x);
  CHECK(compose(valid, masked)->name() == "compose(blur, masking)");

  // A stack after one operator: each of its operators after that one.
  const auto stack = std::make_shared<StackedPhysics>(
      std::vector<LinearPhysicsPtr>{blur(Padding::circular, 5), blur(Padding::valid, 6)});
  const auto all = compose(stack, masked);
  CHECK(all->operator_count() == 2);
  const TensorList y = all->forward(x);
  for (std::int64_t i = 0; i < 2; ++i)
    CHECK(y[static_cast<std::size_t>(i)].equal(stack->at(i).forward(masked->apply(x)).front()));
  CHECK_NOTHROW(tessera::check_adjoint(*all, x, 1e-13));
  CHECK(test::relative_error(all->normal(x), all->adjoint(y)) < 1e-13);
}

TEST_CASE("Composed circular blurs are a circular blur", "[physics]") {
  const Tensor x = test::random({1, 1, 7, 6}, 1);
  const auto first = blur(Padding::circular, 2);
  const auto second = blur(Padding::circular, 3);
  const auto both = compose(second, first);
  CHECK(both->has_exact_inverse(x));
  check_is(*both, matrix_of(*second, x) * matrix_of(*first, x), x);
  const Tensor product = first->transfer_function(x) * second->transfer_function(x);
  CHECK((both->transfer_function(x) - product).abs().max().item<double>() < 1e-14);
  const Tensor solution = both->solve_normal(x, 0.2);
  CHECK(test::relative_error(both->adjoint(both->forward(solution)) + 0.2 * solution, x) < 1e-13);
  // Several frames of one scene behind one lens.
  const auto stack = std::make_shared<StackedPhysics>(std::vector<LinearPhysicsPtr>{
      blur(Padding::circular, 4), blur(Padding::circular, 5, ConvolutionMethod::direct)});
  const auto frames = compose(stack, first);
  CHECK(frames->has_exact_inverse(x));
  CHECK(test::relative_error(frames->normal(x), frames->adjoint(frames->forward(x))) < 1e-13);
  CHECK_FALSE(compose(blur(Padding::reflect, 4), first)->has_normal_filter(x));
  CHECK_FALSE(compose(first, blur(Padding::reflect, 4))->has_normal_filter(x));
  const auto toeplitz = std::make_shared<test::FullConvolution>(1);
  CHECK_FALSE(compose(toeplitz, first)->has_normal_filter(x));
  CHECK(test::relative_error(compose(toeplitz, first)->normal(x),
                             first->apply_adjoint(toeplitz->normal(first->apply(x)))) < 1e-13);
}

TEST_CASE("weighted is a diagonal matrix times the operator's", "[physics]") {
  const Tensor x = test::random({1, 1, 7, 6}, 1);
  const auto valid = blur(Padding::valid, 2);
  const Eigen::MatrixXd plain = matrix_of(*valid, x);
  check_is(*weighted(valid, -0.3), -0.3 * plain, x);
  const Tensor weights = test::random({1, 1, 5, 3}, 3);
  const Eigen::VectorXd diagonal = tessera::eigen_vector<double>(weights);
  check_is(*weighted(valid, weights), diagonal.asDiagonal() * plain, x);
  const Tensor per_row = test::random({5, 1}, 4).to(at::kFloat);  // broadcast along the rows
  const Tensor rows = per_row.to(at::kDouble).expand({1, 1, 5, 3}).contiguous();
  const Eigen::VectorXd repeated = tessera::eigen_vector<double>(rows);
  check_is(*weighted(valid, per_row), repeated.asDiagonal() * plain, x);

  // A number keeps what is known of the operator.
  const auto circular = blur(Padding::circular, 5);
  const auto half = weighted(circular, 0.5);
  CHECK(half->has_exact_inverse(x));
  check_is(*half, 0.5 * matrix_of(*circular, x), x);
  CHECK(half->norm_squared(x) == Approx(0.25 * circular->norm_squared(x)).epsilon(1e-14));
  CHECK(half->transfer_function(x).equal(0.5 * circular->transfer_function(x)));
  CHECK_FALSE(weighted(valid, 2.0)->transfer_function(x).defined());
  const tessera::Masking mask(test::random({1, 1, 7, 6}, 6));
  CHECK(weighted(std::make_shared<tessera::Masking>(mask), 3.0)->norm_squared(x) ==
        Approx(9 * mask.norm_squared(x)).epsilon(1e-14));
  const auto toeplitz = weighted(std::make_shared<test::FullConvolution>(1), 2.0);
  CHECK(toeplitz->has_normal_filter(x));
  CHECK(test::relative_error(toeplitz->normal(x), toeplitz->adjoint(toeplitz->forward(x))) < 1e-13);

  // Data measured through it carry the noise times the weight.
  circular->set_noise(std::make_shared<One>());
  CHECK(test::relative_error(half->measure(x).front(), half->forward(x).front() + 0.5) < 1e-14);
}

TEST_CASE("Whitened measurements make the same L2", "[fidelity]") {
  const Tensor x = test::random({2, 1, 7, 6}, 1);
  const auto stack = std::make_shared<StackedPhysics>(
      std::vector<LinearPhysicsPtr>{blur(Padding::circular, 2), blur(Padding::circular, 3)});
  TensorList y = stack->forward(test::random(x.sizes(), 4));
  const tessera::L2 scaled(stack, y, x, {.sigma = 0.25});
  const auto whitening = weighted(stack, 4.0);
  const TensorList white = {4 * y[0], 4 * y[1]};
  const tessera::L2 whitened(whitening, white, x);
  CHECK(whitened.is_fused());
  CHECK(whitened.value(x) == Approx(scaled.value(x)).epsilon(1e-12));
  CHECK(test::relative_error(whitened.gradient(x), scaled.gradient(x)) < 1e-13);

  // One standard deviation for each pixel of each measurement.
  const TensorList weights = {test::random({7, 6}, 5), test::random({2, 1, 1, 1}, 6)};
  const auto each = weighted(stack, weights);
  CHECK_NOTHROW(tessera::check_adjoint(*each, x, 1e-13));
  const TensorList whiter = {weights[0] * y[0], weights[1] * y[1]};
  double expected = 0;
  const TensorList predicted = stack->forward(x);
  for (std::size_t i = 0; i < 2; ++i)
    expected += 0.5 * (weights[i] * (predicted[i] - y[i])).square().sum().item<double>();
  CHECK(tessera::L2(each, whiter, x).value(x) == Approx(expected).epsilon(1e-12));
}

TEST_CASE("sum is the sum of matrices", "[physics]") {
  const Tensor x = test::random({1, 1, 7, 6}, 1);
  const auto circular = blur(Padding::circular, 2);
  const auto reflect = blur(Padding::reflect, 3);
  const auto mask = std::make_shared<tessera::Masking>(test::random({1, 1, 7, 6}, 4));
  const auto three = tessera::sum({circular, reflect, mask});
  check_is(*three, matrix_of(*circular, x) + matrix_of(*reflect, x) + matrix_of(*mask, x), x);
  CHECK(three->name() == "sum(blur, blur, masking)");
  CHECK_FALSE(three->has_normal_filter(x));

  const auto other = blur(Padding::circular, 5);
  const auto both = tessera::sum({circular, other});
  CHECK(both->has_exact_inverse(x));
  check_is(*both, matrix_of(*circular, x) + matrix_of(*other, x), x);
  const auto difference = tessera::sum({circular, weighted(other, -1.0)});
  check_is(*difference, matrix_of(*circular, x) - matrix_of(*other, x), x);
  circular->set_noise(std::make_shared<One>());
  CHECK(test::relative_error(both->measure(x).front(), both->forward(x).front() + 1) < 1e-14);

  // Stacks take what was made of operators.
  const StackedPhysics stack({both, compose(other, circular), weighted(other, 0.5)});
  CHECK(stack.has_exact_inverse(x));
  CHECK(test::relative_error(stack.normal(x), stack.adjoint(stack.forward(x))) < 1e-13);
}

TEST_CASE("A subset of a stack has the operators of its indices", "[physics]") {
  const Tensor x = test::random({1, 2, 7, 6}, 1);
  const StackedPhysics stack(5, [](std::int64_t i) {
    return blur(Padding::circular, 10 + static_cast<std::uint64_t>(i));
  });
  const StackedPhysics some = stack.subset({3, 0, 4});
  REQUIRE(some.operator_count() == 3);
  CHECK(&some.at(0) == &stack.at(3));
  CHECK(&some.at(1) == &stack.at(0));
  CHECK(&some.at(2) == &stack.at(4));
  const Tensor rest = stack.subset({1, 2}).normal(x);
  CHECK(test::relative_error(some.normal(x) + rest, stack.normal(x)) < 1e-13);
  using tessera::error::InvalidArgument;
  CHECK_THROWS_AS(stack.subset({}), InvalidArgument);
  CHECK_THROWS_WITH(stack.subset({0, 5}), test::contains("stacked.subset: index is 5"));
}

TEST_CASE("Gradients go back through what was made of operators", "[physics]") {
  const auto physics =
      compose(tessera::sum({blur(Padding::circular, 2), blur(Padding::reflect, 3)}),
              weighted(blur(Padding::replicate, 4), 0.7));
  const Tensor x = test::random({1, 2, 7, 6}, 1).requires_grad_(true);
  const Tensor v = test::random({1, 2, 7, 6}, 5);
  const Tensor gradient = torch::autograd::grad(physics->forward(x), {x}, {v}).front();
  CHECK(test::relative_error(gradient, physics->adjoint({v})) < 1e-13);
}

TEST_CASE("The algebra of operators says what does not fit", "[physics]") {
  using tessera::error::InvalidArgument;
  using tessera::error::ShapeMismatch;
  const Tensor x = test::random({1, 1, 7, 6}, 1);
  const auto circular = blur(Padding::circular, 2);
  const auto valid = blur(Padding::valid, 3);
  const auto stack =
      std::make_shared<StackedPhysics>(std::vector<LinearPhysicsPtr>{circular, valid});
  CHECK_THROWS_WITH(compose(circular, stack), test::contains("stacked is 2 operators"));
  CHECK_THROWS_AS(compose(nullptr, circular), InvalidArgument);
  CHECK_THROWS_AS(compose(circular, nullptr), InvalidArgument);
  CHECK_THROWS_AS(weighted(nullptr, 1.0), InvalidArgument);
  CHECK_THROWS_AS(weighted(circular, std::numeric_limits<double>::infinity()), InvalidArgument);
  CHECK_THROWS_WITH(weighted(stack, x), test::contains("got 1 weights, expected 2"));
  CHECK_THROWS_AS(weighted(circular, x.to(at::kComplexDouble)), ShapeMismatch);
  CHECK_THROWS_AS(weighted(circular, x / 0.0), InvalidArgument);
  const auto narrow = weighted(circular, test::random({7, 5}, 1));
  CHECK_THROWS_WITH(narrow->forward(x), test::contains("weighted(blur).forward: the weights"));
  CHECK_THROWS_AS(narrow->adjoint({x}), ShapeMismatch);
  CHECK_THROWS_AS(weighted(circular, test::random({2, 1, 7, 6}, 1))->forward(x), ShapeMismatch);
  CHECK_THROWS_AS(tessera::sum({}), InvalidArgument);
  CHECK_THROWS_WITH(tessera::sum({circular, stack}), test::contains("sum: stacked is 2"));
  CHECK_THROWS_WITH(tessera::sum({circular, valid})->forward(x),
                    test::contains("sum(blur, blur): the measurement of blur is [1, 1, 5, 3]"));
}
