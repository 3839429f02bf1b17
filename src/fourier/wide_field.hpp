// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "fourier/nonuniform_transform.hpp"
#include "tessera/physics/linear_operator.hpp"

namespace tessera::fourier {

/// interferometer() with w terms.
class WideField : public LinearOperator {
 public:
  /// `points`: (M, 2) float64, radians per pixel; `w`: (M) float64, wavelengths; `roots`: (M)
  /// float64, roots of weights. All on the host. cell: radians.
  WideField(const Extents& spatial, double cell, const Tensor& points, const Tensor& w,
            Tensor roots, double tolerance, bool divide_by_n);

  std::string name() const override { return "interferometer"; }

 private:
  /// The visibilities to which a plane of constant w contributes.
  struct Plane {
    double w;
    Tensor indices;
    Tensor shares;  // what the kernel gives each of them
    NonuniformTransform transform;
  };

  Tensor do_apply(const Tensor& x) const override;
  Tensor do_apply_adjoint(const Tensor& v) const override;

  /// exp(-2 pi i w (n - 1 - middle)) of the plane and what its kernel's transform takes away.
  Tensor screen(const Plane& plane, at::ScalarType type) const;
  Tensor factors(at::ScalarType type) const { return factors_.to(type); }

  Extents extents_;
  std::int64_t count_;
  Tensor heights_;     // n - 1 - middle of each pixel
  Tensor correction_;  // 1 over the kernel's transform there, and over n if asked
  Tensor factors_;     // of visibilities: sqrt(weight) exp(-2 pi i w middle)
  std::vector<Plane> planes_;
};

}  // namespace tessera::fourier
