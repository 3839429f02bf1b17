// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tessera/core/text.hpp"
#include "tessera/solver/clamp_range.hpp"
#include "tessera/solver/solver.hpp"

namespace tessera {

struct AndersonOptions {
  std::int64_t depth = 5;  ///< iterates before the last that are mixed, >= 1; two images kept each
  /// Of the least squares, relative to the squared lengths of its columns, > 0.
  double regularization = 1e-10;
  /// An image of the batch forgets its iterates before, and takes a step as it is, where its
  /// residual ||g(x) - x|| is more than this many times the least since it last did so; >= 1.
  double restart_factor = 2;
  /// Every iterate is clamped to this range, if there is one: mixed iterates leave the range of g.
  ClampRange clamp_range = {};
  StoppingRules stopping = {};
};

/// Anderson acceleration of a fixed-point iteration x <- g(x), the step of any method (type II:
/// Walker and Ni, SIAM J. Numer. Anal. 49, 2011). With f_k = g(x_k) - x_k and differences d of
/// successive iterations,
///
///     x_k+1 = g(x_k) - sum_j c_j dg_j,   c = argmin ||f_k - sum_j c_j df_j||^2
///
/// with coefficients for each image of a batch by itself. On an affine g it is GMRES: n unknowns
/// take n + 1 iterations at most if depth >= n. In general nothing is guaranteed far from a fixed
/// point; the restart lets g go on alone where mixing does harm.
///
/// The next iterate of the method must depend on the last one alone: error::InvalidArgument, in the
/// first iteration, for one that keeps images or measurement-shaped variables from one iteration to
/// the next (momentum, duals). Its own stopping rules do not count. With a schedule g changes from
/// iteration to iteration, and old iterates mislead: use a constant one. HQS has no step after the
/// last of its schedule.
class Anderson : public Solver {
 public:
  /// `method` must outlive the solver. Throws error::InvalidArgument for options that cannot be.
  explicit Anderson(const Solver& method, AndersonOptions options = {});

  std::string name() const override { return formatted("anderson({})", method_->name()); }
  const AndersonOptions& options() const { return options_; }

 private:
  inline void do_start(SolverState& state) const override { method_->do_start(state); }
  inline void do_step(SolverState& state, StepTimes& times) const override;
  Communicator& do_communicator() const override { return method_->do_communicator(); }
  const ImageSpace& do_space() const override { return method_->do_space(); }

  /// state.x = g(state.x).
  void step_of_method(SolverState& state, StepTimes& times) const;
  /// How many differences each image may use; 0 after a restart.
  std::vector<std::int64_t> depths(SolverState& state, const Tensor& residual) const;
  /// c of each difference, newest first, for each image. Products of differences of earlier
  /// iterations are kept in the state: the newest alone is multiplied with the others. Collective.
  std::vector<std::vector<double>> coefficients(SolverState& state, const Tensor& residual,
                                                const TensorList& differences) const;

  const Solver* method_;
  AndersonOptions options_;
};

}  // namespace tessera

#include "tessera/solver/detail/anderson.hpp"
