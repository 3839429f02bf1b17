// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// How far a prediction u is from a measurement y, element by element: d(u, y) = sum_i d_i(u_i,
/// y_i). The negative logarithm of a likelihood, as a rule. DataFidelity composes one with a
/// forward model.
///
/// u and y have one shape, dtype and device, else error::ShapeMismatch. Both may be complex where
/// the distance says so: derivatives are then those with respect to real and imaginary parts,
/// <u, v> = Re sum conj(u) v. All functions are local and leave their arguments as they are. Those
/// of u take y as data that check_data accepts: who calls them directly checks the data once.
class Distance {
 public:
  virtual ~Distance() = default;

  virtual std::string name() const = 0;

  /// Throws error::InvalidArgument for data that the distance cannot have, such as negative counts.
  /// DataFidelity calls it once for each measurement that it is given. Default: accepts all.
  virtual inline void check_data(const Tensor& y) const;

  /// True if d is convex in u for all data that it can have; false if not, or not known.
  virtual bool is_convex() const { return false; }

  /// d(u, y), summed over all elements in float64.
  double value(const Tensor& u, const Tensor& y) const;

  /// The gradient of d with respect to u.
  Tensor gradient(const Tensor& u, const Tensor& y) const;

  /// argmin_v step d(v, y) + 0.5 |v - u|^2, step > 0. Throws error::InvalidArgument where it is not
  /// known.
  Tensor prox(const Tensor& u, const Tensor& y, double step) const;

  /// The proximal operator of the convex conjugate d*(p, y) = sup_v <p, v> - d(v, y):
  /// argmin_p step d*(p, y) + 0.5 |p - u|^2, step > 0, for d convex.
  Tensor conjugate_prox(const Tensor& u, const Tensor& y, double step) const;

  /// An upper bound of the second derivative of d in u, for every u: gradient steps up to
  /// 2 / (curvature ||A||^2) descend. Nothing where there is no bound.
  std::optional<double> curvature(const Tensor& y) const;

 private:
  virtual double do_value(const Tensor& u, const Tensor& y) const = 0;
  virtual Tensor do_gradient(const Tensor& u, const Tensor& y) const = 0;
  /// Default: throws, not known.
  virtual inline Tensor do_prox(const Tensor& u, const Tensor& y, double step) const;
  /// Default: u - step prox(u / step, y, 1 / step), which is exact (Moreau, Bull. Soc. Math. France
  /// 93, 1965).
  virtual inline Tensor do_conjugate_prox(const Tensor& u, const Tensor& y, double step) const;
  /// Default: no bound.
  virtual inline std::optional<double> do_curvature(const Tensor& y) const;
};

using DistancePtr = std::shared_ptr<const Distance>;

inline void Distance::check_data(const Tensor& /*y*/) const {}

inline double Distance::value(const Tensor& u, const Tensor& y) const {
  check_like(u, y, formatted("{}.value: u", name()));
  return do_value(u, y);
}

inline Tensor Distance::gradient(const Tensor& u, const Tensor& y) const {
  check_like(u, y, formatted("{}.gradient: u", name()));
  return do_gradient(u, y);
}

inline Tensor Distance::prox(const Tensor& u, const Tensor& y, double step) const {
  check_like(u, y, formatted("{}.prox: u", name()));
  check_positive(step, formatted("{}.prox", name()), "step");
  return do_prox(u, y, step);
}

inline Tensor Distance::conjugate_prox(const Tensor& u, const Tensor& y, double step) const {
  check_like(u, y, formatted("{}.conjugate_prox: u", name()));
  check_positive(step, formatted("{}.conjugate_prox", name()), "step");
  return do_conjugate_prox(u, y, step);
}

inline std::optional<double> Distance::curvature(const Tensor& y) const {
  return do_curvature(y);
}

inline Tensor Distance::do_prox(const Tensor& /*u*/, const Tensor& /*y*/, double /*step*/) const {
  throw error::InvalidArgument(
      formatted("{}.prox: this distance has no proximal operator", name()));
}

inline Tensor Distance::do_conjugate_prox(const Tensor& u, const Tensor& y, double step) const {
  return u - step * do_prox(u / step, y, 1 / step);
}

inline std::optional<double> Distance::do_curvature(const Tensor& /*y*/) const {
  return std::nullopt;
}

}  // namespace tessera
