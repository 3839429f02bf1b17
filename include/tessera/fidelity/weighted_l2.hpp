// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>
#include <utility>

#include "tessera/comm/agreement.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/algebra.hpp"

namespace tessera {

namespace detail {

/// A model and data of it.
struct ModelWithData {
  LinearPhysicsPtr physics;
  TensorList measurements;
};

inline ModelWithData whitened_by(const LinearPhysicsPtr& physics, TensorList measurements,
                                 const TensorList& weights);
inline ModelWithData whitened_by(const LinearPhysicsPtr& physics, TensorList measurements,
                                 double weight);

}  // namespace detail

/// Weighted least squares, the fidelity of Gaussian noise that differs from measurement to
/// measurement or from pixel to pixel: with weights W_i >= 0, as a rule 1 / variance,
///
///     f(x) = 0.5 / sigma^2 sum_i ||W_i^(1/2) (A_i x - y_i)||^2
///
/// L2 of whitened data (Aitken, Proc. R. Soc. Edinb. 55, 1935): physics(), measurements() and
/// distance() are those of W_i^(1/2) A_i and W_i^(1/2) y_i. Where each W_i is a number, and the
/// physics on one rank, gradients are fused as those of L2; a physics that is shared out is fused
/// where it is made of operators that are weighted() themselves. Other weights take a forward model
/// and an adjoint per gradient, and conjugate gradients for prox.
class WeightedL2 : public L2 {
 public:
  /// `weights` holds a real floating tensor for each operator that this rank holds: of one element,
  /// or of a shape that broadcasts to the measurement's. Collective if the physics is distributed.
  /// `image` and `options` as those of L2. Throws, on every rank if on one, error::ShapeMismatch
  /// for tensors of another number, type or shape, error::InvalidArgument for weights that are
  /// negative or not finite. Weight 0 leaves a value out, which must be finite all the same.
  WeightedL2(const LinearPhysicsPtr& physics, TensorList measurements, const TensorList& weights,
             const Tensor& image, L2Options options = {})
      : WeightedL2(detail::whitened_by(physics, std::move(measurements), weights), image, options) {
  }
  /// One weight for all, >= 0 and finite; keeps all that the physics knows of itself.
  WeightedL2(const LinearPhysicsPtr& physics, TensorList measurements, double weight,
             const Tensor& image, L2Options options = {})
      : WeightedL2(detail::whitened_by(physics, std::move(measurements), weight), image, options) {}

  std::string name() const override { return "weighted_l2"; }

 private:
  WeightedL2(detail::ModelWithData whitened, const Tensor& image, const L2Options& options)
      : L2(std::move(whitened.physics), std::move(whitened.measurements), image, options) {}
};

namespace detail {

/// W^(1/2) of a measurement, in its precision and on its device.
inline Tensor root_of_weight(const Tensor& weight, const Tensor& measurement, std::size_t i) {
  if (!weight.defined() || !measurement.defined() || !weight.is_floating_point() ||
      !(weight.numel() == 1 || broadcasts_to(weight.sizes(), measurement.sizes()))) {
    throw error::ShapeMismatch(
        formatted("WeightedL2: the weight of held operator {} is {}, expected a real floating "
                  "tensor that broadcasts to the measurement, {}",
                  i, describe(weight), describe(measurement)));
  }
  check_finite(weight, "WeightedL2", "a weight");
  if ((weight < 0).any().item<bool>()) {
    throw error::InvalidArgument(
        formatted("WeightedL2: a weight of held operator {} is {}, expected 0 or more", i,
                  weight.min().item<double>()));
  }
  const Tensor number_or_map = weight.numel() == 1 ? weight.reshape({}) : weight;
  return number_or_map.sqrt().to(measurement.device(),
                                 c10::toRealValueType(measurement.scalar_type()));
}

inline ModelWithData whitened_by(const LinearPhysicsPtr& physics, TensorList measurements,
                                 const TensorList& weights) {
  if (!physics) throw error::InvalidArgument("WeightedL2: physics is null");
  const TensorList roots = guarded(physics->communicator(), "WeightedL2", [&] {
    const std::size_t expected = physics->held().size();
    if (measurements.size() != expected || weights.size() != expected) {
      throw error::ShapeMismatch(
          formatted("WeightedL2: got {} measurements and {} weights, expected {} of each, one per "
                    "operator that this rank holds",
                    measurements.size(), weights.size(), expected));
    }
    TensorList each;
    for (std::size_t i = 0; i < expected; ++i) {
      each.push_back(root_of_weight(weights[i], measurements[i], i));
      measurements[i] = measurements[i] * each[i];
    }
    return each;
  });
  return {weighted(physics, roots), std::move(measurements)};
}

inline ModelWithData whitened_by(const LinearPhysicsPtr& physics, TensorList measurements,
                                 double weight) {
  if (!physics) throw error::InvalidArgument("WeightedL2: physics is null");
  guarded(physics->communicator(), "WeightedL2", [&] {
    check_not_negative(weight, "WeightedL2", "weight");
    for (Tensor& y : measurements) {
      if (!y.defined()) throw error::ShapeMismatch("WeightedL2: a measurement is undefined");
      y = std::sqrt(weight) * y;
    }
  });
  return {weighted(physics, std::sqrt(weight)), std::move(measurements)};
}

}  // namespace detail

}  // namespace tessera
