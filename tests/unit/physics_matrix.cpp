// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/physics/matrix_physics.hpp"

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include "adjoint.hpp"
#include "catch.hpp"
#include "tessera/physics/stacked.hpp"

using tessera::MatrixPhysics;
using tessera::Tensor;
using tessera::error::ShapeMismatch;

namespace {

/// A sparse 7 x 24 matrix with a different value in each of its entries.
template <int Order, typename Scalar>
Eigen::SparseMatrix<Scalar, Order> sparse_matrix() {
  Eigen::SparseMatrix<Scalar, Order> matrix(7, 24);
  for (int row = 0; row < 7; ++row) {
    for (int k = 0; k < 3; ++k)
      matrix.insert(row, (5 * row + 7 * k) % 24) = static_cast<Scalar>(1 + row + 0.3 * k);
  }
  matrix.makeCompressed();
  return matrix;
}

/// The same numbers from an explicit loop over images and rows.
template <typename Matrix>
void check_matrix(const Matrix& matrix, double tolerance) {
  const MatrixPhysics physics(matrix, {2, 3, 4});
  const Eigen::MatrixXd dense = Eigen::MatrixXd(matrix.template cast<double>());
  const auto type = sizeof(typename Matrix::Scalar) == 4 ? at::kFloat : at::kDouble;
  const Tensor x = test::random({2, 2, 3, 4}, 1, type);
  const Tensor y = physics.apply(x);
  REQUIRE(y.sizes() == at::IntArrayRef({2, 7}));
  REQUIRE(y.scalar_type() == type);
  Tensor expected = at::zeros({2, 7}, at::kDouble);
  for (std::int64_t b = 0; b < 2; ++b) {
    for (std::int64_t row = 0; row < 7; ++row) {
      for (std::int64_t column = 0; column < 24; ++column) {
        expected[b][row].add_(dense(row, column) * x[b].flatten()[column].item<double>());
      }
    }
  }
  CHECK(test::relative_error(y, expected) < tolerance);
  CHECK(test::adjoint_error(physics, x) < tolerance);
  CHECK(physics.apply_adjoint(y).sizes() == x.sizes());
  // Other precisions than the matrix's, and images that are not contiguous.
  CHECK(physics.apply(x.to(at::kHalf)).scalar_type() == at::kHalf);
  CHECK(test::relative_error(physics.apply(x.transpose(2, 3).contiguous().transpose(2, 3)),
                             expected) < tolerance);
}

}  // namespace

TEST_CASE("MatrixPhysics over dense and sparse matrices of both orders and precisions",
          "[physics]") {
  const Eigen::MatrixXd dense = Eigen::MatrixXd(sparse_matrix<Eigen::ColMajor, double>()) +
                                0.1 * Eigen::MatrixXd::Constant(7, 24, 1.0);
  check_matrix(dense, 1e-14);
  check_matrix(tessera::RowMajorMatrix<double>(dense), 1e-14);
  check_matrix(Eigen::MatrixXf(dense.cast<float>()), 1e-6);
  check_matrix(tessera::RowMajorMatrix<float>(dense.cast<float>()), 1e-6);
  check_matrix(sparse_matrix<Eigen::ColMajor, double>(), 1e-14);
  check_matrix(sparse_matrix<Eigen::RowMajor, double>(), 1e-14);
  check_matrix(sparse_matrix<Eigen::ColMajor, float>(), 1e-6);
  check_matrix(sparse_matrix<Eigen::RowMajor, float>(), 1e-6);
}

TEST_CASE("MatrixPhysics over memory that belongs to someone else", "[physics]") {
  std::vector<double> numbers = {1, 2, 3, 4, 5, 6};
  const MatrixPhysics physics(
      Eigen::Map<const tessera::RowMajorMatrix<double>>(numbers.data(), 2, 3), {1, 3});
  const Tensor y = physics.apply(at::ones({1, 1, 3}, at::kDouble));
  CHECK(y[0][0].item<double>() == 6);
  CHECK(y[0][1].item<double>() == 15);
  numbers[0] = 10;
  CHECK(physics.apply(at::ones({1, 1, 3}, at::kDouble))[0][0].item<double>() == 15);
}

TEST_CASE("MatrixPhysics is differentiable, twice, and stacks with other operators", "[physics]") {
  const auto physics = std::make_shared<MatrixPhysics<Eigen::SparseMatrix<double>>>(
      sparse_matrix<Eigen::ColMajor, double>(), std::vector<std::int64_t>{2, 3, 4});
  const Tensor x = test::random({1, 2, 3, 4}, 1).requires_grad_(true);
  const Tensor v = test::random({1, 7}, 2).requires_grad_(true);
  const Tensor gradient = torch::autograd::grad({physics->apply(x)}, {x}, {v}, true, true).front();
  CHECK(test::relative_error(gradient.detach(), physics->apply_adjoint(v).detach()) < 1e-14);
  const Tensor again = torch::autograd::grad({gradient}, {v}, {x.detach()}).front();
  CHECK(test::relative_error(again, physics->apply(x.detach())) < 1e-14);
  CHECK(test::relative_error(physics->vjp(x, {v.detach()}), physics->apply_adjoint(v.detach())) <
        1e-14);

  const tessera::StackedPhysics stack({physics, physics});
  CHECK(test::adjoint_error(stack, x.detach()) < 1e-14);
  CHECK(test::relative_error(stack.adjoint(stack.forward(x.detach())),
                             2 * physics->normal(x.detach())) < 1e-14);
}

TEST_CASE("MatrixPhysics says what does not fit", "[physics]") {
  const auto matrix = sparse_matrix<Eigen::ColMajor, double>();
  CHECK_THROWS_WITH(MatrixPhysics(matrix, {2, 3, 5}),
                    test::contains("[2, 3, 5]") && test::contains("7 x 24"));
  CHECK_THROWS_AS(MatrixPhysics(matrix, {24}), ShapeMismatch);
  const MatrixPhysics physics(matrix, {2, 3, 4});
  CHECK_THROWS_AS(physics.apply(at::ones({1, 2, 4, 3}, at::kDouble)), ShapeMismatch);
  CHECK_THROWS_AS(physics.apply_adjoint(at::ones({1, 24}, at::kDouble)), ShapeMismatch);
  CHECK_THROWS_AS(physics.apply_adjoint(at::ones({7}, at::kDouble)), ShapeMismatch);
}

TEST_CASE("Eigen sees a tensor's memory", "[core]") {
  const Tensor tensor = test::indexed({2, 3, 4});
  auto matrix = tessera::eigen_matrix<double>(tensor);
  REQUIRE(matrix.rows() == 6);
  REQUIRE(matrix.cols() == 4);
  CHECK(static_cast<void*>(matrix.data()) == tensor.data_ptr());
  CHECK(matrix(4, 2) == tensor[1][1][2].item<double>());
  matrix(4, 2) = 42;
  CHECK(tensor[1][1][2].item<double>() == 42);
  auto vector = tessera::eigen_vector<double>(tensor);
  CHECK(vector.size() == 24);
  CHECK(vector(18) == 42);
  CHECK(tessera::eigen_matrix<double>(at::zeros({3, 0}, at::kDouble)).size() == 0);

  CHECK_THROWS_WITH(tessera::eigen_vector<float>(tensor), test::contains("float64"));
  CHECK_THROWS_WITH(tessera::eigen_matrix<double>(tensor.transpose(0, 1)),
                    test::contains("not contiguous"));
  CHECK_THROWS_AS(tessera::eigen_vector<double>(Tensor{}), ShapeMismatch);
}

TEST_CASE("A tensor sees an Eigen object's memory", "[core]") {
  Eigen::MatrixXf columns(2, 3);
  columns << 1, 2, 3, 4, 5, 6;
  const Tensor view = tessera::tensor_view(columns);
  CHECK(view.data_ptr() == static_cast<void*>(columns.data()));
  CHECK(view.sizes() == at::IntArrayRef({2, 3}));
  CHECK(view.scalar_type() == at::kFloat);
  CHECK(view[0][2].item<float>() == 3);
  columns(0, 2) = 30;
  CHECK(view[0][2].item<float>() == 30);

  tessera::RowMajorMatrix<double> rows = columns.cast<double>();
  CHECK(tessera::tensor_view(rows).is_contiguous());
  CHECK(tessera::tensor_view(rows)[1][0].item<double>() == 4);
  Eigen::VectorXd vector = Eigen::VectorXd::LinSpaced(4, 0, 3);
  CHECK(tessera::tensor_view(vector).sizes() == at::IntArrayRef({4}));
}

TEST_CASE("A tensor keeps a moved-in Eigen object alive", "[core]") {
  Tensor kept;
  const void* memory = nullptr;
  {
    Eigen::MatrixXd matrix(2, 2);
    matrix << 1, 2, 3, 4;
    memory = matrix.data();
    kept = tessera::tensor_from(std::move(matrix));
  }
  CHECK(kept.data_ptr() == memory);
  CHECK(kept[1][0].item<double>() == 3);
  const Tensor part = kept[1];
  kept = Tensor{};
  CHECK(part[1].item<double>() == 4);
}
