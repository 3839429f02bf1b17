// SPDX-License-Identifier: BSD-3-Clause
#include "restore/weight_search.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace restore {

namespace {

constexpr double tolerance = 0.01;
constexpr double stride = 4;
constexpr int most_strides = 6;
constexpr int most_cuts = 6;

/// A weight that was tried, and the logarithms that the search is about.
struct Trial {
  double log_weight = 0;
  double log_misfit = 0;
};

bool is_good(const Trial& trial) {
  return std::abs(std::expm1(trial.log_misfit)) <= tolerance;
}

}  // namespace

FoundWeight find_weight_of_misfit(double first, const std::function<double(double)>& misfit) {
  FoundWeight found{.weight = first};
  const auto at = [&](double log_weight) -> Trial {
    ++found.trials;
    return {log_weight, std::log(misfit(std::exp(log_weight)))};
  };
  Trial near = at(std::log(first));
  const double direction = near.log_misfit > 0 ? -1 : 1;
  Trial far = near;
  for (int i = 0; i < most_strides && !is_good(far) && far.log_misfit * direction < 0; ++i) {
    near = far;
    far = at(near.log_weight + direction * std::log(stride));
  }
  const bool is_between = far.log_misfit * direction >= 0;
  for (int i = 0; i < most_cuts && is_between && !is_good(far); ++i) {
    // Half of the interval at least once in a while: misfits are flat where the prior is weak.
    const double slope = (far.log_misfit - near.log_misfit) / (far.log_weight - near.log_weight);
    const double straight = near.log_weight - near.log_misfit / slope;
    const double middle = (near.log_weight + far.log_weight) / 2;
    const Trial cut = at(i % 2 == 0 ? straight : middle);
    if (cut.log_misfit * direction < 0 && !is_good(cut)) {
      near = cut;
    } else {
      far = cut;
    }
  }
  found.fits = is_good(far) || is_between;
  if (found.fits) found.weight = std::exp(far.log_weight);
  return found;
}

FoundWeight find_weight_of_least(double first, const std::function<double(double)>& value) {
  constexpr int most_doublings = 7;
  FoundWeight found{.weight = first};
  const auto at = [&](double log_weight) {
    ++found.trials;
    return value(std::exp(log_weight));
  };
  double step = std::log(2);
  double middle = std::log(first);
  double least = at(middle);
  double below = at(middle - step);
  double above = at(middle + step);
  for (int i = 1; i < most_doublings && std::min(below, above) < least; ++i) {
    const bool rises = above < below;
    middle += rises ? step : -step;
    (rises ? below : above) = std::exchange(least, rises ? above : below);
    (rises ? above : below) = at(rises ? middle + step : middle - step);
  }
  found.fits = std::min(below, above) >= least;
  if (!found.fits) return found;
  for (int i = 0; i < 2; ++i) {
    step /= 2;
    const double left = at(middle - step);
    const double right = at(middle + step);
    if (std::min(left, right) >= least) continue;
    middle += left < right ? -step : step;
    least = std::min(left, right);
  }
  found.weight = std::exp(middle);
  return found;
}

}  // namespace restore
