#pragma once

#include <memory>
#include <string>

#include "tessera/comm/agreement.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
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
  virtual inline double do_value(const Tensor& x) const;
  /// Default: the vector-Jacobian product of do_distance_gradient.
  virtual inline Tensor do_gradient(const Tensor& x) const;

 private:
  /// Default: throws, no closed form.
  virtual inline Tensor do_prox(const Tensor& z, double step) const;

  void check_measurements() const;

  /// d(u, y), summed over all elements.
  virtual double do_distance(const Tensor& u, const Tensor& y) const = 0;
  /// Gradient of d with respect to u.
  virtual Tensor do_distance_gradient(const Tensor& u, const Tensor& y) const = 0;

  PhysicsPtr physics_;
  TensorList measurements_;
};

using DataFidelityPtr = std::shared_ptr<const DataFidelity>;

inline DataFidelity::DataFidelity(PhysicsPtr physics, TensorList measurements)
    : physics_(std::move(physics)), measurements_(std::move(measurements)) {
  if (!physics_) throw error::InvalidArgument("DataFidelity: physics is null");
  guarded(physics_->communicator(), "DataFidelity", [&] { check_measurements(); });
}

inline void DataFidelity::check_measurements() const {
  const std::size_t expected = physics_->held().size();
  if (measurements_.size() != expected) {
    throw error::ShapeMismatch(formatted(
        "DataFidelity: got {} measurements, expected {}, one per operator that this rank holds{}",
        measurements_.size(), expected,
        static_cast<std::int64_t>(measurements_.size()) == physics_->operator_count()
            ? "; physics.select(all) takes those of this rank"
            : ""));
  }
  for (std::size_t i = 0; i < expected; ++i) {
    if (!measurements_[i].defined()) {
      throw error::ShapeMismatch(formatted(
          "DataFidelity: the measurement of operator {} is undefined", physics_->held()[i]));
    }
  }
}

inline double DataFidelity::value(const Tensor& x) const {
  check_image(x, name() + ".value: x");
  return do_value(x);
}

inline Tensor DataFidelity::gradient(const Tensor& x) const {
  check_image(x, name() + ".gradient: x");
  return do_gradient(x);
}

inline Tensor DataFidelity::prox(const Tensor& z, double step) const {
  check_image(z, name() + ".prox: z");
  check_positive(step, name() + ".prox", "step");
  return do_prox(z, step);
}

inline TensorList DataFidelity::predicted(const Tensor& x) const {
  TensorList u = physics_->forward(x);
  for (std::size_t i = 0; i < u.size(); ++i) {
    check_like(u[i], measurements_[i],
               formatted("{}: the prediction of held operator {}", name(), i));
  }
  return u;
}

inline double DataFidelity::do_value(const Tensor& x) const {
  const TensorList u = predicted(x);
  double local = 0;
  for (std::size_t i = 0; i < u.size(); ++i) local += do_distance(u[i], measurements_[i]);
  return physics_->sum(local);
}

inline Tensor DataFidelity::do_gradient(const Tensor& x) const {
  TensorList u = predicted(x);
  for (std::size_t i = 0; i < u.size(); ++i) u[i] = do_distance_gradient(u[i], measurements_[i]);
  return physics_->vjp(x, u);
}

inline Tensor DataFidelity::do_prox(const Tensor& /*z*/, double /*step*/) const {
  throw error::InvalidArgument(name() + ".prox: this fidelity has no proximal operator");
}

}  // namespace tessera
