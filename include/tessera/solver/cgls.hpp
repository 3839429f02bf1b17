// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

#include "tessera/core/check.hpp"
#include "tessera/fidelity/data_fidelity.hpp"
#include "tessera/fidelity/squared_distance.hpp"
#include "tessera/physics/linear_physics.hpp"
#include "tessera/solver/solver.hpp"
#include "tessera/solver/stopwatch.hpp"

namespace tessera {

struct CglsOptions {
  double weight = 0;  ///< of ||x||^2 / 2 beside the fidelity (Tikhonov), >= 0
  /// An image of the batch stays as it is once its relative residual is at most this, >= 0; when
  /// all do, the run stops by StopReason::tolerance.
  double tolerance = 1e-6;
  StoppingRules stopping = {};
};

/// Minimises f(x) + weight / 2 ||x||^2 for f(x) = 0.5 / sigma^2 sum_i ||A_i x - y_i||^2, one
/// iteration of conjugate gradients for least squares at a time (CGLS: Bjorck, Elfving and Strakos,
/// SIAM J. Matrix Anal. Appl. 19, 1998): the solver among the methods for this problem whose
/// iterates observers see, that checkpoints resume, and that is stopped early so as not to fit the
/// noise. LinearPhysics::pseudo_inverse and solve_normal give the solution at once.
///
/// The error falls as 2 ((sqrt(k) - 1) / (sqrt(k) + 1))^n in n iterations, in the norm of M = A^T A
/// + weight sigma^2 and with its condition k. Each applies A and its adjoint once. Images of a
/// batch are solved by themselves where every measurement has the batch as its first dimension.
///
/// SolverState::numbers["relative_residual"] is ||A^T (y - A x) - weight sigma^2 x|| / ||A^T y||,
/// the largest over the images of the batch. The residual r = y - A x is carried along, not
/// computed anew. An image also stays as it is once rounding keeps its residual from falling: ||A^T
/// r - ...||
/// <= 32 epsilon ||A|| ||r||.
class CGLS : public Solver {
 public:
  /// `fidelity` has a SquaredDistance, linear physics and its measurements, as an L2 that has not
  /// dropped them; else error::InvalidArgument, as for a weight or tolerance that cannot be. It
  /// must outlive the solver. Measurements that are not finite are refused when a run begins.
  explicit CGLS(const DataFidelity& fidelity, CglsOptions options = {});

  std::string name() const override { return "cgls"; }
  Guarantee guarantee() const override { return Guarantee::minimum; }
  const CglsOptions& options() const { return options_; }

 private:
  inline void do_start(SolverState& state) const override;
  inline void do_step(SolverState& state, StepTimes& times) const override;
  inline bool do_finished(const SolverState& state) const override;
  Communicator& do_communicator() const override { return fidelity_->communicator(); }
  const ImageSpace& do_space() const override { return fidelity_->space(); }

  /// y - A x, checked. Local.
  TensorList residual_of(const Tensor& x) const;
  /// Images that are solved by themselves: all, or 1 for the batch as a whole. Collective.
  std::int64_t groups_of(const Tensor& x) const;
  /// A^T r - shift x. Collective.
  Tensor descent(const TensorList& residual, const Tensor& x) const;
  /// Takes the norms of the descent, and returns how far each image turns to the last direction.
  std::vector<double> turn(SolverState& state, const Tensor& descent) const;
  /// How far each image goes along its direction p, given A p.
  std::vector<double> lengths(SolverState& state, const Tensor& p, const TensorList& image) const;

  const DataFidelity* fidelity_;
  const LinearPhysics* physics_;
  CglsOptions options_;
  double shift_ = 0;  // weight sigma^2
};

}  // namespace tessera

#include "tessera/solver/detail/cgls.hpp"
