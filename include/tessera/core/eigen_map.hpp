// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>

#include <Eigen/Core>

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

/// Eigen objects and tensors over the same memory: nothing is copied here. Autograd does not see
/// what Eigen writes.
namespace tessera {

/// A matrix in the order of tensors.
template <typename Scalar>
using RowMajorMatrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Throws error::ShapeMismatch unless `tensor` is contiguous, in host memory and of element type
/// `type`.
void check_mappable(const Tensor& tensor, at::ScalarType type, const std::string& who);

/// A contiguous host tensor of any shape, element by element. Valid as long as the tensor's memory.
/// Throws error::ShapeMismatch for another dtype, device or layout.
template <typename Scalar>
Eigen::Map<Eigen::VectorX<Scalar>> eigen_vector(const Tensor& tensor) {
  check_mappable(tensor, c10::CppTypeToScalarType<Scalar>::value, "eigen_vector: the tensor");
  return {static_cast<Scalar*>(tensor.data_ptr()), tensor.numel()};
}

/// A contiguous host tensor as a matrix: its last dimension runs along a row, all others count the
/// rows. Valid as long as the tensor's memory. Throws error::ShapeMismatch for another dtype,
/// device or layout, or a tensor without dimensions.
template <typename Scalar>
Eigen::Map<RowMajorMatrix<Scalar>> eigen_matrix(const Tensor& tensor) {
  check_mappable(tensor, c10::CppTypeToScalarType<Scalar>::value, "eigen_matrix: the tensor");
  const std::int64_t columns = tensor.dim() > 0 ? tensor.size(-1) : 1;
  return {static_cast<Scalar*>(tensor.data_ptr()), columns > 0 ? tensor.numel() / columns : 0,
          columns};
}

namespace detail {

template <typename Derived>
Tensor tensor_over(Eigen::PlainObjectBase<Derived>& matrix,
                   const std::function<void(void*)>& deleter) {
  using Scalar = typename Derived::Scalar;
  const auto options = at::TensorOptions().dtype(c10::CppTypeToScalarType<Scalar>::value);
  void* data = matrix.data();
  if constexpr (Derived::IsVectorAtCompileTime) {
    return at::from_blob(data, {matrix.size()}, {1}, deleter, options);
  } else if constexpr (Derived::IsRowMajor) {
    return at::from_blob(data, {matrix.rows(), matrix.cols()}, {matrix.cols(), 1}, deleter,
                         options);
  } else {
    return at::from_blob(data, {matrix.rows(), matrix.cols()}, {1, matrix.rows()}, deleter,
                         options);
  }
}

}  // namespace detail

/// A tensor over the memory of a matrix (rows, columns) or vector (size), which must outlive it and
/// must not be resized meanwhile. A column-major matrix gives a tensor that is not contiguous.
template <typename Derived>
Tensor tensor_view(Eigen::PlainObjectBase<Derived>& matrix) {
  return detail::tensor_over(matrix, [](void*) {});
}

/// The same for a matrix that is moved in: the tensor keeps it alive.
template <typename Derived>
requires(!std::is_lvalue_reference_v<Derived> &&
         std::is_base_of_v<Eigen::PlainObjectBase<Derived>, Derived>) Tensor
    tensor_from(Derived&& matrix) {
  auto owned = std::make_shared<Derived>(std::forward<Derived>(matrix));
  Derived& kept = *owned;
  return detail::tensor_over(kept, [owned = std::move(owned)](void*) mutable { owned.reset(); });
}

inline void check_mappable(const Tensor& tensor, at::ScalarType type, const std::string& who) {
  if (tensor.defined() && tensor.scalar_type() == type && tensor.device().is_cpu() &&
      tensor.layout() == at::kStrided && tensor.is_contiguous()) {
    return;
  }
  const bool strided =
      tensor.defined() && !(tensor.layout() == at::kStrided && tensor.is_contiguous());
  throw error::ShapeMismatch(formatted("{} is {}{}, expected {}, contiguous, on cpu", who,
                                       describe(tensor), strided ? ", not contiguous" : "",
                                       c10::toString(type)));
}

}  // namespace tessera
