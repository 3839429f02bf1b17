// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>

#include "tessera/core/image_spec.hpp"
#include "tessera/physics/conjugate_gradient.hpp"
#include "tessera/physics/normal_filter.hpp"
#include "tessera/physics/physics.hpp"
#include "tessera/physics/spectrum_cache.hpp"

namespace tessera {

/// A linear forward model: A_i(x) = A_i x, with its exact adjoint.
///
/// Where A^T A is a filter (normal_filter), the normal operator is computed in Fourier space: one
/// multiplication for any number of operators. If the filter is circulant, the shifted
/// inverse and the norm are computed there too.
class LinearPhysics : public Physics {
 public:
  /// sum_i A_i^T v_i over all operators, complete on every rank; `v` holds one tensor per held
  /// operator. Exact adjoint: <A x, v> = <x, A^T v> to rounding. Collective if distributed.
  Tensor adjoint(const TensorList& v) const;

  /// A^T A x. One multiplication in Fourier space if has_normal_filter(x). Collective if
  /// distributed.
  Tensor normal(const Tensor& x) const;

  /// A^T A on images like x as a filter; undefined if it is none. Computed once per shape, dtype
  /// and device. Collective if distributed, once per shape.
  NormalFilter normal_filter(const Tensor& x) const;

  /// True if normal_filter(x) is defined. Collective if distributed, once per shape.
  bool has_normal_filter(const Tensor& x) const { return normal_filter(x).defined(); }

  /// True if normal(x) makes no measurement: by a filter, or where the operator has a normal
  /// operator of its own that costs less than A and A^T; a stack, where each of its operators has.
  /// Gradients of L2 then use it. Collective if distributed, once per shape.
  bool has_fused_normal(const Tensor& x) const;

  /// True if solve_normal is exact on images like x for shift > 0: one division in Fourier space,
  /// by a circulant filter. Collective if distributed, once per shape.
  bool has_exact_inverse(const Tensor& x) const;

  /// For a single operator that is a circular convolution and is computed by FFT: its spectrum on
  /// images like x, complex, (1 or B, 1 or C, rfftn of the spatial dimensions), in float32 at
  /// least. Undefined otherwise, which is the default. Stacks transform an image once for all
  /// operators that have one. Local.
  virtual inline Tensor transfer_function(const Tensor& x) const;

  /// Largest eigenvalue of A^T A, that is ||A||^2, on images like x. Exact from a circulant filter,
  /// or where the operator knows it. Otherwise Lanczos from a fixed random start, returned as an
  /// upper bound: 1.02 theta, with so many steps that the true norm exceeds it with probability
  /// below 1e-6 over starts (Kuczynski and Wozniakowski, SIAM J. Matrix Anal. Appl. 13, 1992,
  /// theorem 3.2); at most 2 % above the norm, at every scale of A. The same on every rank and for
  /// every rank count. Collective if distributed.
  double norm_squared(const Tensor& x) const;
  /// The same on images of this kind.
  double norm_squared(const ImageSpec& spec) const { return norm_squared(spec.placeholder()); }

  /// Solves (A^T A + shift I) x = b, shift >= 0: exactly in Fourier space if has_exact_inverse(b)
  /// and shift > 0, else by conjugate gradients, each image of the batch as if alone.
  /// `start` is where they begin (undefined: at zero); near the solution it saves iterations.
  /// Throws error::InvalidArgument if b is not finite, and error::NotConverged if the tolerance is
  /// missed, unless options.unconverged accepts that. Collective if distributed.
  Tensor solve_normal(const Tensor& b, double shift, const ConjugateGradientOptions& options = {},
                      const Tensor& start = {}) const;

  /// The same with a report instead of error::NotConverged.
  /// Collective if distributed.
  ConjugateGradientResult normal_solution(const Tensor& b, double shift,
                                          const ConjugateGradientOptions& options = {},
                                          const Tensor& start = {}) const;

  /// Least-squares solution argmin_x sum_i ||A_i x - y_i||^2 of least norm, by conjugate gradients
  /// for least squares from zero (CGLS: Bjorck, Elfving and Strakos, SIAM J. Matrix Anal. Appl. 19,
  /// 1998): the residual is kept as y - A x, so that float32 loses nothing to the square of the
  /// condition. Images of a batch are solved by themselves where every measurement has the batch as
  /// its first dimension. Throws as solve_normal does. Collective if distributed.
  Tensor pseudo_inverse(const TensorList& y, const ConjugateGradientOptions& options = {}) const;

  /// The same with a report instead of error::NotConverged. Collective if distributed.
  ConjugateGradientResult least_squares(const TensorList& y,
                                        const ConjugateGradientOptions& options = {}) const;

 private:
  virtual Tensor do_adjoint(const TensorList& v) const = 0;
  /// Default: the adjoint of forward.
  virtual inline Tensor do_normal(const Tensor& x) const;
  /// Whether do_normal makes no measurement; asked for where there is no filter. Default: false.
  virtual inline bool do_has_fused_normal(const Tensor& x) const;
  /// Default: undefined, no filter.
  virtual inline NormalFilter do_normal_filter(const Tensor& x) const;
  /// Default: not known.
  virtual inline std::optional<double> do_norm_squared(const Tensor& x) const;
  inline Tensor do_vjp(const Tensor& x, const TensorList& v) const override;

  mutable SpectrumCache<NormalFilter> filters_;  // by an image without its batch
  mutable SpectrumCache<bool> fused_;            // by the same
};

using LinearPhysicsPtr = std::shared_ptr<const LinearPhysics>;

}  // namespace tessera

#include "tessera/physics/detail/linear_physics.hpp"
