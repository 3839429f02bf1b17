// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/detail/image_products.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/fidelity/distance.hpp"
#include "tessera/physics/linear_physics.hpp"
#include "tessera/physics/physics.hpp"

namespace tessera {

/// How badly an image explains the data: f(x) = sum_i d(A_i(x), y_i), a distance d bound to its
/// physics and its data. Any distance makes one; classes derived from it know more, such as a
/// proximal operator.
///
/// `measurements` holds one tensor per operator that this rank holds (physics.held()), as
/// physics.measure() returns them. Nothing here knows about ranks: physics.vjp completes the
/// gradient, physics.sum the value. All public functions are collective if the physics is
/// distributed.
class DataFidelity {
 public:
  /// Collective if the physics is distributed. Throws on every rank if a rank's measurements are
  /// not one per operator that it holds or not such as the distance can have
  /// (Distance::check_data), or if the distance is null. Values that are not finite make values and
  /// gradients that are not finite either, and are refused by prox.
  DataFidelity(PhysicsPtr physics, TensorList measurements, DistancePtr distance);
  virtual ~DataFidelity() = default;

  /// The name of the distance, unless a class has one of its own.
  virtual std::string name() const { return distance_->name(); }
  const Physics& physics() const { return *physics_; }
  const Distance& distance() const { return *distance_; }

  /// One per operator that this rank holds. Throws error::InvalidArgument if they were dropped.
  const TensorList& measurements() const;

  /// A bound of the distance's curvature for all measurements, the same on every rank; steps up to
  /// 2 / (curvature ||A||^2) descend where A is linear. Nothing where there is none. Local.
  std::optional<double> curvature() const { return curvature_; }
  /// True if f is known to be convex: a convex distance of a linear model. Local.
  bool is_convex() const {
    return distance_->is_convex() && dynamic_cast<const LinearPhysics*>(physics_.get()) != nullptr;
  }
  /// The ranks that evaluate it together, and where its images live: those of the physics.
  Communicator& communicator() const { return physics_->communicator(); }
  const ImageSpace& space() const { return physics_->space(); }

  /// f(x), summed over operators, batch and pixels.
  double value(const Tensor& x) const;

  /// The gradient of f at x: sum_i J_i(x)^T d'(A_i(x), y_i). Shape of x.
  Tensor gradient(const Tensor& x) const;

  /// argmin_u step * f(u) + 0.5 ||u - z||^2, step > 0. Throws error::InvalidArgument where it is
  /// not known.
  Tensor prox(const Tensor& z, double step) const;

  /// The same where it takes iterations, begun at `start`, like z, and ended relative to how far
  /// that is from the solution: a solver that starts them at its iterate makes errors that vanish
  /// as it converges, which momentum needs (Schmidt, Le Roux and Bach, NIPS 24, 2011). In closed
  /// form `start` changes nothing.
  Tensor prox(const Tensor& z, double step, const Tensor& start) const;

  /// A Lipschitz constant L of the gradient, ||grad f(x) - grad f(z)|| <= L ||x - z||, on images
  /// like `image`; nullopt where none is known. Costs applications of A where ||A|| must be found.
  std::optional<double> gradient_lipschitz(const Tensor& image) const;

 protected:
  /// The same; `make_distance` may throw, on some ranks only.
  DataFidelity(PhysicsPtr physics, TensorList measurements,
               const std::function<DistancePtr()>& make_distance);

  void drop_measurements();
  bool has_measurements() const { return has_measurements_; }
  /// Forward, checked against the measurements' shapes.
  TensorList predicted(const Tensor& x) const;

  /// Default: the sum of the distances of the held operators, summed over ranks.
  virtual inline double do_value(const Tensor& x) const;
  /// Default: the vector-Jacobian product of the distance's gradients.
  virtual inline Tensor do_gradient(const Tensor& x) const;

 private:
  /// Default: throws, no closed form.
  virtual inline Tensor do_prox(const Tensor& z, double step) const;
  /// Default: do_prox.
  virtual inline Tensor do_prox_from(const Tensor& z, double step, const Tensor& start) const;
  /// Default: curvature() ||A||^2 where the physics is linear; else not known.
  virtual inline std::optional<double> do_gradient_lipschitz(const Tensor& image) const;

  void check_measurements() const;
  /// Of this rank's measurements; infinite where there is no bound.
  double largest_curvature() const;

  PhysicsPtr physics_;
  TensorList measurements_;
  DistancePtr distance_;
  bool has_measurements_ = true;
  std::optional<double> curvature_;
};

using DataFidelityPtr = std::shared_ptr<const DataFidelity>;

inline DataFidelity::DataFidelity(PhysicsPtr physics, TensorList measurements, DistancePtr distance)
    : DataFidelity(std::move(physics), std::move(measurements), [&] { return distance; }) {}

inline DataFidelity::DataFidelity(PhysicsPtr physics, TensorList measurements,
                                  const std::function<DistancePtr()>& make_distance)
    : physics_(std::move(physics)), measurements_(std::move(measurements)) {
  if (!physics_) throw error::InvalidArgument("DataFidelity: physics is null");
  std::vector<double> bound = {guarded(physics_->communicator(), "DataFidelity", [&] {
    distance_ = make_distance();
    if (!distance_) throw error::InvalidArgument("DataFidelity: distance is null");
    check_measurements();
    for (const Tensor& y : measurements_) distance_->check_data(y);
    return largest_curvature();
  })};
  detail::share(physics_->communicator(), "DataFidelity", bound);
  if (std::isfinite(bound[0])) curvature_ = bound[0];
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

inline double DataFidelity::largest_curvature() const {
  double largest = 0;
  for (const Tensor& y : measurements_) {
    largest = std::max(largest,
                       distance_->curvature(y).value_or(std::numeric_limits<double>::infinity()));
  }
  return largest;
}

inline const TensorList& DataFidelity::measurements() const {
  if (!has_measurements_) {
    throw error::InvalidArgument(formatted("{}.measurements: they were dropped", name()));
  }
  return measurements_;
}

inline void DataFidelity::drop_measurements() {
  measurements_.clear();
  has_measurements_ = false;
}

inline double DataFidelity::value(const Tensor& x) const {
  check_image(x, formatted("{}.value: x", name()));
  return do_value(x);
}

inline Tensor DataFidelity::gradient(const Tensor& x) const {
  check_image(x, formatted("{}.gradient: x", name()));
  return do_gradient(x);
}

inline Tensor DataFidelity::prox(const Tensor& z, double step) const {
  check_image(z, formatted("{}.prox: z", name()));
  check_positive(step, formatted("{}.prox", name()), "step");
  return do_prox(z, step);
}

inline Tensor DataFidelity::prox(const Tensor& z, double step, const Tensor& start) const {
  check_image(z, formatted("{}.prox: z", name()));
  check_positive(step, formatted("{}.prox", name()), "step");
  check_like(start, z, formatted("{}.prox: start", name()));
  return do_prox_from(z, step, start);
}

inline std::optional<double> DataFidelity::gradient_lipschitz(const Tensor& image) const {
  check_image(image, formatted("{}.gradient_lipschitz: image", name()));
  return do_gradient_lipschitz(image);
}

inline std::optional<double> DataFidelity::do_gradient_lipschitz(const Tensor& image) const {
  const auto* linear = dynamic_cast<const LinearPhysics*>(physics_.get());
  if (linear == nullptr || !curvature_) return std::nullopt;
  return *curvature_ * linear->norm_squared(image);
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
  for (std::size_t i = 0; i < u.size(); ++i) local += distance_->value(u[i], measurements_[i]);
  return physics_->sum(local);
}

inline Tensor DataFidelity::do_gradient(const Tensor& x) const {
  TensorList u = predicted(x);
  for (std::size_t i = 0; i < u.size(); ++i) u[i] = distance_->gradient(u[i], measurements_[i]);
  return physics_->vjp(x, u);
}

inline Tensor DataFidelity::do_prox(const Tensor& /*z*/, double /*step*/) const {
  throw error::InvalidArgument(
      formatted("{}.prox: this fidelity has no proximal operator", name()));
}

inline Tensor DataFidelity::do_prox_from(const Tensor& z, double step,
                                         const Tensor& /*start*/) const {
  return do_prox(z, step);
}

}  // namespace tessera
