// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "restore/plan.hpp"

namespace restore {

/// Reasons of rows.
constexpr const char* from_file = "given";
constexpr const char* by_default = "default";

[[noreturn]] void refuse(const std::string& where, const std::string& what);

/// The work on one plan: make_plan().
class Planner {
 public:
  Planner(const Config& config, const std::vector<Facts>& facts) : config_(config), facts_(facts) {}

  Plan plan();

 private:
  void add_row(std::string what, std::string value, std::string reason);
  std::string name_of_file(std::size_t i) const;
  bool is_volume() const { return plan_.image.size() == 5; }
  bool is_counted() const { return config_.measurements.front().noise.kind == NoiseKind::poisson; }

  /// All measurements see one image.
  void settle_image();

  // plan_range.cpp
  void settle_white();
  void settle_clamp();
  double largest_value() const;
  double smallest_value() const;
  /// Of integer samples, if all have the same; nothing if their type does not say.
  std::optional<double> white_of_type() const;
  /// What was measured says nothing of white where the operator changes the unit.
  void check_units() const;

  // plan_method.cpp
  void settle_method();
  restoration::SolverKind solver_of_prior() const;
  void check_parts() const;
  void check_sides_are_even() const;

  // plan_noise.cpp
  /// One kind for all; each measurement is scaled so that all have one level, or one gain.
  void settle_noise();
  /// Measurements that do not say what a count is share one estimate, the mean of theirs.
  void settle_counts();
  /// Who says what a count of a measurement is.
  std::string reason_of_counts(std::size_t i) const;
  void add_measurement(std::size_t i, const std::string& noise, const std::string& reason);
  /// y w = gain Poisson((w u + w b) / gain), w the weight times the first gain over this one; that
  /// of the first is divided by the norm of its operator, if it has a unit of its own.
  void scale_counts();
  /// Weights are 1 / variance: whitening. The common level is that of an operator of norm 1.
  void scale_levels();
  std::pair<double, std::string> level_of(std::size_t i) const;

  // plan_weight.cpp
  void settle_weight();
  void check_rule() const;
  /// Of counts that at their mean.
  double level_in_intensities() const;

  const Config& config_;
  const std::vector<Facts>& facts_;
  Plan plan_;
};

}  // namespace restore
