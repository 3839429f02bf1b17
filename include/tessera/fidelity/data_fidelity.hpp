#pragma once

#include <memory>
#include <string>

#include "tessera/physics/physics.hpp"

namespace tessera {

/// How badly an image explains the data: f(x) = sum_i d(A_i(x), y_i), bound to its physics and its
/// data.
///
/// `measurements` holds one tensor per operator that this rank holds (physics.held()), as
/// physics.measure() returns them. Nothing here knows about ranks: physics.vjp completes the
/// gradient, physics.sum the value. All public functions are collective if the physics is
/// distributed.
class DataFidelity {
 public:
  virtual ~DataFidelity() = default;

  virtual std::string name() const = 0;
  const Physics& physics() const { return *physics_; }

  /// f(x), summed over operators, batch and pixels.
  double value(const Tensor& x) const;

  /// The gradient of f at x: sum_i J_i(x)^T d'(A_i(x), y_i). Shape of x.
  Tensor gradient(const Tensor& x) const;

  /// argmin_u step * f(u) + 0.5 ||u - z||^2, step > 0. Throws error::InvalidArgument where it is
  /// not known.
  Tensor prox(const Tensor& z, double step) const;

 protected:
  /// Collective if the physics is distributed. Throws on every rank if a rank's measurements are
  /// not one per operator that it holds. Values that are not finite make values and gradients that
  /// are not finite either, and are refused by prox.
  DataFidelity(PhysicsPtr physics, TensorList measurements);
  const TensorList& measurements() const { return measurements_; }
  void drop_measurements() { measurements_.clear(); }
  /// Forward, checked against the measurements' shapes.
  TensorList predicted(const Tensor& x) const;

  /// Default: the sum of do_distance over the held operators, summed over ranks.
  virtual double do_value(const Tensor& x) const;
  /// Default: the vector-Jacobian product of do_distance_gradient.
  virtual Tensor do_gradient(const Tensor& x) const;

 private:
  /// Default: throws, no closed form.
  virtual Tensor do_prox(const Tensor& z, double step) const;

  void check_measurements() const;

  /// d(u, y), summed over all elements.
  virtual double do_distance(const Tensor& u, const Tensor& y) const = 0;
  /// Gradient of d with respect to u.
  virtual Tensor do_distance_gradient(const Tensor& u, const Tensor& y) const = 0;

  PhysicsPtr physics_;
  TensorList measurements_;
};

using DataFidelityPtr = std::shared_ptr<const DataFidelity>;

}  // namespace tessera
