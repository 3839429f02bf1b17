// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tessera/core/text.hpp"
#include "tessera/physics/detail/convolution.hpp"
#include "tessera/physics/linear_physics.hpp"

/// Single operators on the same image. Those with a transfer function share its Fourier transforms,
/// one of x instead of one per operator, and one of the sum of what comes back.
namespace tessera::detail {

/// A_i x for each operator.
TensorList forward_each(const std::vector<LinearPhysicsPtr>& operators, const Tensor& x);

/// sum_i A_i^T v_i; undefined without operators. Throws error::ShapeMismatch naming `who` if the
/// images, or measurements that are transformed together, differ in shape, dtype or device.
Tensor adjoint_sum(const std::vector<LinearPhysicsPtr>& operators, const TensorList& v,
                   const std::string& who);

/// The sum of their normal filters; none without operators, or if one has none, or one of another
/// kind.
NormalFilter sum_of_filters(const std::vector<LinearPhysicsPtr>& operators, const Tensor& x);

/// True if each operator has a normal operator that makes no measurement.
inline bool all_have_fused_normals(const std::vector<LinearPhysicsPtr>& operators,
                                   const Tensor& x) {
  return std::all_of(operators.begin(), operators.end(),
                     [&](const LinearPhysicsPtr& one) { return one->has_fused_normal(x); });
}

inline TensorList forward_each(const std::vector<LinearPhysicsPtr>& operators, const Tensor& x) {
  TensorList y;
  Tensor transformed;
  for (const LinearPhysicsPtr& one : operators) {
    const Tensor transfer = one->transfer_function(x);
    if (!transfer.defined()) {
      y.push_back(one->forward(x).front());
      continue;
    }
    const std::vector<std::int64_t> extents = x.sizes().slice(2).vec();
    if (!transformed.defined()) transformed = to_fourier(x, extents);
    y.push_back(from_fourier(transformed * transfer, extents, x.scalar_type()));
  }
  return y;
}

inline Tensor adjoint_sum(const std::vector<LinearPhysicsPtr>& operators, const TensorList& v,
                          const std::string& who) {
  Tensor sum;
  const auto add = [&](const Tensor& image) {
    if (sum.defined()) check_like(image, sum, who + ": an operator's image");
    sum = sum.defined() ? sum + image : image;
  };
  Tensor transformed;
  Tensor like;
  for (std::size_t i = 0; i < operators.size(); ++i) {
    const Tensor transfer = operators[i]->transfer_function(v[i]);
    if (!transfer.defined()) {
      add(operators[i]->adjoint({v[i]}));
      continue;
    }
    if (like.defined()) {
      check_like(v[i], like, formatted("{}: the measurement of held operator {}", who, i));
    } else {
      like = v[i];
    }
    Tensor term = to_fourier(v[i], v[i].sizes().slice(2).vec());
    term.mul_(transfer.conj());
    transformed = transformed.defined() ? transformed.add_(term) : term;
  }
  if (transformed.defined()) {
    add(from_fourier(transformed, like.sizes().slice(2).vec(), like.scalar_type()));
  }
  return sum;
}

inline NormalFilter sum_of_filters(const std::vector<LinearPhysicsPtr>& operators,
                                   const Tensor& x) {
  NormalFilter sum;
  for (std::size_t i = 0; i < operators.size(); ++i) {
    const NormalFilter filter = operators[i]->normal_filter(x);
    sum = i == 0 ? filter : sum + filter;
    if (!sum.defined()) return {};
  }
  return sum;
}

}  // namespace tessera::detail
