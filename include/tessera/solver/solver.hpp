// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>

#include "tessera/comm/communicator.hpp"
#include "tessera/comm/image_space.hpp"
#include "tessera/comm/larger_group.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/solver/guarantee.hpp"
#include "tessera/solver/observer.hpp"
#include "tessera/solver/stopwatch.hpp"

namespace tessera {

/// When a solver stops, whichever comes first. Decisions are taken from values reduced over all
/// ranks.
struct StoppingRules {
  std::int64_t max_iterations = 10;
  /// Stop once ||x_new - x_old|| <= relative_change * ||x_new|| for every image of the batch, so
  /// that a faint image is not stopped by a bright one; finite, >= 0; 0: never.
  double relative_change = 0;
  /// Stop after the iteration during which this much time has passed, observers excluded.
  double time_limit_s = std::numeric_limits<double>::infinity();
};

enum class StopReason {
  max_iterations,
  relative_change,
  tolerance,
  time_limit,
  observer,
  not_finite
};

/// "reached 10 iterations", "relative change fell below the threshold", ...
std::string to_string(StopReason reason);

/// Where an iteration stands: all that a solver needs to go on from there, and what a checkpoint
/// keeps. A method names its own entries; nobody else reads them.
struct SolverState {
  Tensor x;  ///< the last iterate
  /// Images beside x that every rank has whole: momentum, the iterate before, duals of image maps.
  std::map<std::string, Tensor> images = {};
  /// Measurement-shaped variables, such as duals: one tensor per operator that this rank holds, in
  /// the order of Physics::held(). They stay on their rank.
  std::map<std::string, TensorList> measured = {};
  /// Numbers that were found on the way, the same on all ranks: a step, the scalars of a momentum.
  std::map<std::string, double> numbers = {};
  std::int64_t iterations = 0;  ///< iterations done
  double elapsed_s = 0;         ///< observers excluded
  /// ||x_new - x_old|| / ||x_new|| of the last iteration, the largest over the images of the batch.
  double relative_change = std::numeric_limits<double>::infinity();
};

/// `x` is the last finite iterate if reason is not_finite: x0, after 0 iterations, if the first
/// step fails already, as with data that are not finite.
struct SolveResult : SolverState {
  StopReason reason = StopReason::max_iterations;
};

/// An iterative method x <- step(x). The base class runs the loop, the clock, the observers and the
/// stopping rules; a method supplies one step.
class Solver {
 public:
  virtual ~Solver() = default;

  virtual std::string name() const = 0;

  /// What theory says of the iterates, given the parts of this solver. Local. Default: nothing.
  virtual Guarantee guarantee() const { return Guarantee::none; }

  /// Iterates from x0. Collective if the physics or the denoiser is distributed.
  /// Throws error::InvalidArgument for an x0 that is not finite, error::RankFailure if a rank
  /// failed.
  SolveResult solve(const Tensor& x0) const;
  SolveResult solve(const Tensor& x0, Observer& observer) const;
  /// Goes on from where an earlier run stood, as if it had never stopped: iterations and time count
  /// from the beginning of that run, and no iteration is done if a stopping rule already holds. The
  /// same bits as in a run of one piece, if the fidelity, the prior and the ranks are the same.
  SolveResult solve(const SolverState& start, Observer& observer) const;

  /// The iterate after x where a run that begins with x has come to iteration `index`, counted from
  /// 0. Collective as solve() is.
  Tensor step(const Tensor& x, std::int64_t index = 0) const;

 protected:
  /// Throws error::InvalidArgument for rules that cannot work.
  explicit Solver(StoppingRules rules);

  /// The two halves of a step; a method wraps each in timed().
  struct StepTimes {
    PhaseTimer gradient{.phase = Phase::gradient};
    PhaseTimer prior{.phase = Phase::prior};
  };

 private:
  /// Adds what the method keeps in images, measured and numbers, and finds what it needs once, to a
  /// state that has not got it yet; a resumed one has. Called at the beginning of each run, its
  /// time not counted. Collective as solve() is. Default: nothing.
  virtual inline void do_start(SolverState& state) const;
  /// One iteration: replaces state.x, and what else the method keeps in `state`, by what follows.
  /// state.iterations says which one it is, from 0. Tensors are replaced, not written into:
  /// observers and the state before share them.
  virtual void do_step(SolverState& state, StepTimes& times) const = 0;
  /// True if the method can say that x is what it looks for: the run stops by StopReason::tolerance
  /// on all ranks once one of them says so. Asked after do_start and after each iteration. Local.
  /// Default: false.
  virtual inline bool do_finished(const SolverState& state) const;
  /// The ranks that iterate together. Called at the beginning of each run; may be collective.
  virtual Communicator& do_communicator() const = 0;
  /// Where the iterates live. Default: whole on every rank.
  virtual const ImageSpace& do_space() const { return ImageSpace::whole(); }
  /// One iteration and its observer: advances `state`, and says why this rank would stop.
  std::optional<StopReason> iterate(SolverState& state, Observer& observer) const;
  std::optional<StopReason> rule_that_holds(const SolverState& state) const;

  friend class Anderson;  // runs the steps of another method

  StoppingRules rules_;
};

/// What a solver asks of a data fidelity.
template <typename F>
concept FidelityLike = requires(const F& fidelity, const Tensor& x, double step) {
  { fidelity.value(x) } -> std::convertible_to<double>;
  { fidelity.gradient(x) } -> std::convertible_to<Tensor>;
  { fidelity.prox(x, step) } -> std::convertible_to<Tensor>;
  { fidelity.communicator() } -> std::convertible_to<Communicator&>;
};

/// What a solver asks of a prior.
template <typename P>
concept PriorLike = requires(const P& prior, const Tensor& x, double step) {
  { prior.prox(x, step) } -> std::convertible_to<Tensor>;
  { prior.communicator() } -> std::convertible_to<Communicator&>;
};

/// What gradient descent asks of a prior.
template <typename P>
concept GradientPriorLike = requires(const P& prior, const Tensor& x) {
  { prior.gradient(x) } -> std::convertible_to<Tensor>;
  { prior.communicator() } -> std::convertible_to<Communicator&>;
};

/// Prior::follows_step(), where the prior has it; other priors are taken to follow it.
template <PriorLike P>
bool follows_step(const P& prior) {
  if constexpr (requires { prior.follows_step(); }) {
    return prior.follows_step();
  } else {
    return true;
  }
}

/// The ranks that must decide together when to stop: of those that share the operators and those
/// that share the prior's work, the group that holds the other. Throws error::InvalidArgument if
/// neither does. Collective over both.
template <typename Part, typename Other>
Communicator& ranks_of(const Part& part, const Other& other) {
  return larger_group(part.communicator(), other.communicator(), "Solver.solve");
}

/// space() of a fidelity, a prior, ...; that of whole images where it has none.
template <typename Part>
const ImageSpace& space_of(const Part& part) {
  if constexpr (requires { part.space(); }) {
    return part.space();
  } else {
    return ImageSpace::whole();
  }
}

/// Where the images live that both work on. Throws error::InvalidArgument if they name two spaces.
template <typename Fidelity, typename P>
const ImageSpace& space_of(const Fidelity& fidelity, const P& prior) {
  const ImageSpace& space = space_of(fidelity);
  if (&space != &space_of(prior)) {
    throw error::InvalidArgument(
        "Solver: the fidelity and the prior keep images in two spaces, expected one ImageSpace for "
        "both");
  }
  return space;
}

}  // namespace tessera

#include "tessera/solver/detail/solver.hpp"
