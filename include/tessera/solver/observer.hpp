// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

struct SolverState;  // solver.hpp
struct SolveResult;

/// What a solver tells about one finished iteration.
struct Iteration {
  std::int64_t index = 0;      ///< 0 for the first
  Tensor x;                    ///< the iterate after it; shared, do not change it
  double gradient_time_s = 0;  ///< data step: gradient or proximal operator of the fidelity
  double prior_time_s = 0;     ///< prior step: the denoiser
  double elapsed_s = 0;        ///< since the run began, observers excluded
  double relative_change = 0;  ///< ||x_new - x_old|| / ||x_new||, the largest over the batch
  /// All that the solver goes on from, x included; valid during the call. Null without a solver.
  const SolverState* state = nullptr;
};

/// The two halves of an iteration: the data step, and the prior step (the denoiser).
enum class Phase { gradient, prior };

/// Watches a solver. Every rank calls its own observer after each iteration; an exception in one of
/// them stops all ranks with the same error.
class Observer {
 public:
  enum class Verdict { proceed, stop };

  virtual ~Observer() = default;
  /// Before the first iteration, with the starting point.
  virtual void on_start(const Tensor& /*x0*/) {}
  /// Around each half of an iteration, for measurements; the device has finished its work. Must not
  /// communicate. What is spent here counts for no time that a solver tells.
  virtual void on_phase_begin(Phase /*phase*/) {}
  virtual void on_phase_end(Phase /*phase*/) {}
  /// After each iteration. If any rank says stop, all stop after this iteration.
  virtual Verdict on_iteration(const Iteration& iteration) = 0;
  /// After the last iteration, unless an exception ended the run.
  virtual void on_end(const SolveResult& /*result*/) {}

  /// What a checkpoint must keep of this observer on this rank, as bytes; empty: nothing.
  virtual std::string save() const { return {}; }
  /// Takes up what save() returned in the run that is continued. Called after on_start().
  virtual void restore(std::string_view /*saved*/) {}
};

/// Watches with a function.
class ObserverFunction : public Observer {
 public:
  explicit ObserverFunction(std::function<void(const Iteration&)> function)
      : function_(std::move(function)) {}
  Verdict on_iteration(const Iteration& iteration) override {
    function_(iteration);
    return Verdict::proceed;
  }

 private:
  std::function<void(const Iteration&)> function_;
};

/// Several observers as one, called in order; stops if one of them does.
/// restore() throws error::InvalidArgument unless save() came from as many observers.
class ObserverList : public Observer {
 public:
  explicit ObserverList(std::vector<std::reference_wrapper<Observer>> observers)
      : observers_(std::move(observers)) {}
  void on_start(const Tensor& x0) override {
    for (Observer& observer : observers_) observer.on_start(x0);
  }
  void on_phase_begin(Phase phase) override {
    for (Observer& observer : observers_) observer.on_phase_begin(phase);
  }
  void on_phase_end(Phase phase) override {
    for (Observer& observer : observers_) observer.on_phase_end(phase);
  }
  Verdict on_iteration(const Iteration& iteration) override {
    Verdict verdict = Verdict::proceed;
    for (Observer& observer : observers_) {
      if (observer.on_iteration(iteration) == Verdict::stop) verdict = Verdict::stop;
    }
    return verdict;
  }
  void on_end(const SolveResult& result) override {
    for (Observer& observer : observers_) observer.on_end(result);
  }
  inline std::string save() const override;
  inline void restore(std::string_view saved) override;

 private:
  std::vector<std::reference_wrapper<Observer>> observers_;
};

namespace detail {

inline constexpr std::string_view observer_list_tag = "tessera observers 1\n";

/// Takes pieces off the front of what an ObserverList saved.
class SavedObservers {
 public:
  explicit SavedObservers(std::string_view text) : rest_(text) {
    if (!text.starts_with(observer_list_tag)) {
      throw error::InvalidArgument(
          "ObserverList.restore: what was saved is not of this version's ObserverList");
    }
    rest_.remove_prefix(observer_list_tag.size());
  }
  std::string_view bytes(std::size_t size) {
    if (size > rest_.size()) too_short();
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::size_t number() {
    const std::size_t end = rest_.find('\n');
    if (end == std::string_view::npos) too_short();
    std::size_t value = 0;
    const auto [last, problem] = std::from_chars(rest_.data(), rest_.data() + end, value);
    if (problem != std::errc() || last != rest_.data() + end) {
      throw error::InvalidArgument("ObserverList.restore: what was saved has a wrong length");
    }
    rest_.remove_prefix(end + 1);
    return value;
  }

 private:
  [[noreturn]] static void too_short() {
    throw error::InvalidArgument("ObserverList.restore: what was saved is too short");
  }
  std::string_view rest_;
};

}  // namespace detail

// A tag, the number of observers, then the size and the bytes of each; numbers are decimals that
// end with a line.
inline std::string ObserverList::save() const {
  std::string all = formatted("{}{}\n", detail::observer_list_tag, observers_.size());
  for (const Observer& observer : observers_) {
    const std::string saved = observer.save();
    all += formatted("{}\n", saved.size());
    all += saved;
  }
  return all;
}

inline void ObserverList::restore(std::string_view saved) {
  detail::SavedObservers pieces(saved);
  const std::size_t count = pieces.number();
  if (count != observers_.size()) {
    throw error::InvalidArgument(
        formatted("ObserverList.restore: saved by {} observers, expected as many as there are "
                  "now: {}",
                  count, observers_.size()));
  }
  for (Observer& observer : observers_) observer.restore(pieces.bytes(pieces.number()));
}

}  // namespace tessera
