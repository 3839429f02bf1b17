// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/empty.h>

#include <Eigen/Core>
#include <Eigen/SparseCore>
#include <utility>
#include <vector>

#include "tessera/core/eigen_map.hpp"
#include "tessera/core/error.hpp"
#include "tessera/physics/linear_operator.hpp"

namespace tessera {

/// A linear operator given as a matrix, y = M vec(x): one's own operator in one line,
/// `MatrixPhysics physics(M, {1, 64, 64});`
///
/// `Matrix`: any Eigen matrix of float or double, dense or sparse, of either storage order, or a
/// map or reference of one (which must outlive this). vec(x) runs through an image in the order of
/// tensors: channels, rows, columns. Images are (B, C, spatial...) in host memory, of any floating
/// dtype; products are computed in the matrix's own type. Measurements are (B, rows).
template <typename Matrix>
class MatrixPhysics : public LinearOperator {
 public:
  using Scalar = typename Matrix::Scalar;

  /// `image_shape`: an image without its batch dimension, (C, H, W) or (C, D, H, W). Throws
  /// error::ShapeMismatch unless its elements are as many as the matrix has columns.
  MatrixPhysics(Matrix matrix, std::vector<std::int64_t> image_shape)
      : matrix_(std::move(matrix)), image_shape_(std::move(image_shape)) {
    std::int64_t elements = 1;
    for (const std::int64_t extent : image_shape_) elements *= extent;
    if (image_shape_.size() < 2 || image_shape_.size() > 4 || elements != matrix_.cols() ||
        elements < 1) {
      throw error::ShapeMismatch("matrix: an image " + to_string(image_shape_) +
                                 " does not fit a matrix of " + std::to_string(matrix_.rows()) +
                                 " x " + std::to_string(matrix_.cols()) +
                                 ": expected (C, spatial...) with as many elements as columns");
    }
  }

  std::string name() const override { return "matrix"; }
  const Matrix& matrix() const { return matrix_; }

 private:
  using Columns = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;
  static constexpr at::ScalarType type = c10::CppTypeToScalarType<Scalar>::value;
  static_assert(type == at::kFloat || type == at::kDouble,
                "MatrixPhysics takes matrices of float or double");

  Tensor do_apply(const Tensor& x) const override {
    if (x.sizes().slice(1) != at::IntArrayRef(image_shape_) || !x.device().is_cpu()) {
      throw error::ShapeMismatch("matrix.forward: x is " + describe(x) + ", expected (B, then " +
                                 to_string(image_shape_) + ") on cpu");
    }
    const Tensor input = x.to(type).contiguous();
    const Tensor output = at::empty({x.size(0), matrix_.rows()}, input.options());
    columns(output).noalias() = matrix_ * columns(input);
    return output.to(x.scalar_type());
  }

  Tensor do_apply_adjoint(const Tensor& v) const override {
    if (v.dim() != 2 || v.size(1) != matrix_.rows() || !v.is_floating_point() ||
        !v.device().is_cpu()) {
      throw error::ShapeMismatch("matrix.adjoint: v is " + describe(v) + ", expected (B, " +
                                 std::to_string(matrix_.rows()) + ") floating on cpu");
    }
    const Tensor input = v.to(type).contiguous();
    std::vector<std::int64_t> shape = {v.size(0)};
    shape.insert(shape.end(), image_shape_.begin(), image_shape_.end());
    const Tensor output = at::empty(shape, input.options());
    columns(output).noalias() = matrix_.transpose() * columns(input);
    return output.to(v.scalar_type());
  }

  /// One column per batch element.
  static Eigen::Map<Columns> columns(const Tensor& batch) {
    const auto flat = eigen_vector<Scalar>(batch);
    return {const_cast<Scalar*>(flat.data()), flat.size() / batch.size(0), batch.size(0)};
  }

  Matrix matrix_;
  std::vector<std::int64_t> image_shape_;
};

}  // namespace tessera
