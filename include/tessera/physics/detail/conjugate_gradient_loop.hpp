// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/comm/image_space.hpp"
#include "tessera/physics/conjugate_gradient.hpp"

namespace tessera::detail {

/// Normal equations N x = b, N symmetric and positive (semi-)definite, as conjugate gradients see
/// them. Tensors are cut into groups along their first dimension, one for each image.
class NormalEquations {
 public:
  virtual ~NormalEquations() = default;
  /// b - N x, computed anew. The recurrence goes on as before.
  virtual Tensor exact_residual(const Tensor& x) = 0;
  /// <p, N p> / <p, p> beside its largest so far at which p lies in the null space, to rounding of
  /// type `epsilon`.
  virtual double flatness(double epsilon) const = 0;
  /// The recurrence goes on from the residual computed last, in the groups where `groups` is true.
  virtual void adopt(const Tensor& groups) = 0;
  /// The residual by the recurrence.
  virtual Tensor residual() = 0;
  /// <p, N p> of each group.
  virtual std::vector<double> curvature(const Tensor& p) = 0;
  /// Takes a step of `lengths`, one for each group, along the last p.
  virtual void advance(const Tensor& lengths) = 0;
};

/// What conjugate gradients begin with.
struct ConjugateGradientStart {
  Tensor x;             ///< where they start; undefined: at zero
  Tensor right;         ///< b
  std::int64_t groups;  ///< of images solved by themselves
};

/// Conjugate gradients (Hestenes and Stiefel, J. Res. Natl. Bur. Stand. 49, 1952),
/// each group as if it were alone: its own step length and its own end. Every so often, and before
/// it is believed, a residual is computed anew; the iterate of the least such is the result.
/// Images live in `space`. Collective over `ranks`, which take every decision from the same
/// numbers; those of the space are among them. Throws error::InvalidArgument on every rank if the
/// operator makes numbers that are not finite.
ConjugateGradientResult conjugate_gradient(NormalEquations& equations,
                                           const ConjugateGradientStart& start,
                                           const ConjugateGradientOptions& options,
                                           const ImageSpace& space, Communicator& ranks,
                                           const std::string& who);

}  // namespace tessera::detail
