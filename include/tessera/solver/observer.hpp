#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tessera/core/tensor.hpp"

namespace tessera {

/// What a solver tells about one finished iteration.
struct Iteration {
  std::int64_t index = 0;      ///< 0 for the first
  Tensor x;                    ///< the iterate after it; shared, do not change it
  double gradient_time_s = 0;  ///< data step: gradient or proximal operator of the fidelity
  double prior_time_s = 0;     ///< prior step: the denoiser
  double elapsed_s = 0;        ///< since solve() began, observers excluded
  double relative_change = 0;  ///< ||x_new - x_old|| / ||x_new||
};

/// Watches a solver. Every rank calls its own observer after each iteration; an exception in one of
/// them stops all ranks with the same error.
class Observer {
 public:
  enum class Verdict { proceed, stop };

  virtual ~Observer() = default;
  /// Before the first iteration, with the starting point.
  virtual void on_start(const Tensor& /*x0*/) {}
  /// After each iteration. If any rank says stop, all stop after this iteration.
  virtual Verdict on_iteration(const Iteration& iteration) = 0;
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
class ObserverList : public Observer {
 public:
  explicit ObserverList(std::vector<std::reference_wrapper<Observer>> observers)
      : observers_(std::move(observers)) {}
  void on_start(const Tensor& x0) override {
    for (Observer& observer : observers_) observer.on_start(x0);
  }
  Verdict on_iteration(const Iteration& iteration) override {
    Verdict verdict = Verdict::proceed;
    for (Observer& observer : observers_) {
      if (observer.on_iteration(iteration) == Verdict::stop) verdict = Verdict::stop;
    }
    return verdict;
  }

 private:
  std::vector<std::reference_wrapper<Observer>> observers_;
};

}  // namespace tessera
