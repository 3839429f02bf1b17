#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

struct SolveResult;  // solver.hpp

/// What a solver tells about one finished iteration.
struct Iteration {
  std::int64_t index = 0;      ///< 0 for the first
  Tensor x;                    ///< the iterate after it; shared, do not change it
  double gradient_time_s = 0;  ///< data step: gradient or proximal operator of the fidelity
  double prior_time_s = 0;     ///< prior step: the denoiser
  double elapsed_s = 0;        ///< since the run began, observers excluded
  double relative_change = 0;  ///< ||x_new - x_old|| / ||x_new||, the largest over the batch
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

inline constexpr std::size_t length_bytes = sizeof(std::uint64_t);

}  // namespace detail

// The number of observers, then the size and the bytes of each.
inline std::string ObserverList::save() const {
  std::string all;
  const auto add_number = [&all](std::uint64_t number) {
    all.append(reinterpret_cast<const char*>(&number), detail::length_bytes);
  };
  add_number(observers_.size());
  for (const Observer& observer : observers_) {
    const std::string saved = observer.save();
    add_number(saved.size());
    all.append(saved);
  }
  return all;
}

inline void ObserverList::restore(std::string_view saved) {
  const auto take = [&saved](std::uint64_t size) {
    if (size > saved.size()) {
      throw error::InvalidArgument("ObserverList.restore: what was saved is too short");
    }
    const std::string_view bytes = saved.substr(0, size);
    saved.remove_prefix(size);
    return bytes;
  };
  const auto take_number = [&take] {
    std::uint64_t number = 0;
    std::memcpy(&number, take(detail::length_bytes).data(), detail::length_bytes);
    return number;
  };
  const std::uint64_t count = take_number();
  if (count != observers_.size()) {
    throw error::InvalidArgument(
        formatted("ObserverList.restore: saved by {} observers, expected as many as there are "
                  "now: {}",
                  count, observers_.size()));
  }
  for (Observer& observer : observers_) observer.restore(take(take_number()));
}

}  // namespace tessera
