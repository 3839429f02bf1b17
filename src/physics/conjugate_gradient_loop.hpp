#pragma once

#include <string>
#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/physics/conjugate_gradient.hpp"

namespace tessera::detail {

/// Normal equations N x = b, N symmetric and positive (semi-)definite, as conjugate gradients see
/// them. Tensors are cut into groups along their first dimension, one for each image.
class NormalEquations {
 public:
  virtual ~NormalEquations() = default;
  /// b - N x, computed anew.
  virtual Tensor residual(const Tensor& x) = 0;
  /// <p, N p> of each group.
  virtual std::vector<double> curvature(const Tensor& p) = 0;
  /// The residual after a step of `lengths`, one for each group, along the last p.
  virtual Tensor advance(const Tensor& lengths) = 0;
  /// An approximation of N^-1 r. Default: r.
  virtual Tensor precondition(const Tensor& r) { return r; }
};

/// What conjugate gradients begin with.
struct ConjugateGradientStart {
  Tensor x;             ///< where they start
  Tensor right;         ///< b
  std::int64_t groups;  ///< of images solved by themselves
};

/// Preconditioned conjugate gradients (Hestenes and Stiefel, J. Res. Natl. Bur. Stand. 49, 1952),
/// each group with its own step length and its own end. Every so often, and before it is believed,
/// the residual is recomputed; the iterate of the least recomputed residual is the result.
/// Collective over `ranks`, which take every decision from the same numbers. Throws
/// error::InvalidArgument on every rank if the operator makes numbers that are not finite.
ConjugateGradientResult conjugate_gradient(NormalEquations& equations,
                                           const ConjugateGradientStart& start,
                                           const ConjugateGradientOptions& options,
                                           Communicator& ranks, const std::string& who);

}  // namespace tessera::detail
