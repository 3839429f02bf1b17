// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "restore/planner.hpp"

namespace restore {

using restoration::FidelityKind;
using settings::name_of;

void Planner::settle_noise() {
  for (std::size_t i = 0; i < facts_.size(); ++i) {
    const NoiseModel& noise = config_.measurements[i].noise;
    if (noise.kind == config_.measurements.front().noise.kind) continue;
    refuse(config_.measurements[i].where,
           fmt::format("{} has {} noise, but measurement 1 {}: expected one model for all",
                       config_.measurements[i].file, name_of(noise.kind),
                       name_of(config_.measurements.front().noise.kind)));
  }
  if (is_counted()) settle_counts();
  if (plan_.method.fidelity == FidelityKind::poisson) {
    scale_counts();
  } else {
    scale_levels();
  }
}

void Planner::settle_counts() {
  const auto shared = [&](const char* key, const auto& is_given, const auto& estimate) {
    double sum = 0;
    double number = 0;
    for (std::size_t i = 0; i < facts_.size(); ++i) {
      const Measurement& each = config_.measurements[i];
      if (is_given(each.noise)) continue;
      if (!(facts_[i].per_count > 0)) {
        refuse(
            each.where,
            fmt::format("{}: the {} of what a mask hides, of one row or column, of a "
                        "shared-out image or of nothing but zeros cannot be estimated; give noise: "
                        "{{model: poisson, {}: ...}}, in units of the file",
                        each.file, key, key));
      }
      sum += estimate(facts_[i]);
      ++number;
    }
    return sum / std::max(number, 1.0);
  };
  double gain = shared(
      "gain", [](const NoiseModel& noise) { return noise.gain.has_value(); },
      [](const Facts& facts) { return facts.per_count; });
  constexpr double most_of_error = 0.1;  // of an estimate: counts themselves are the usual unit
  if (std::abs(gain - 1) < most_of_error) gain = 1;
  const double background = shared(
      "background", [](const NoiseModel& noise) { return noise.background.has_value(); },
      [](const Facts& facts) { return facts.dark; });
  for (const Measurement& each : config_.measurements) {
    plan_.counts.push_back({.gain = each.noise.gain.value_or(gain),
                            .background = each.noise.background.value_or(background)});
  }
}

std::string Planner::reason_of_counts(std::size_t i) const {
  const NoiseModel& noise = config_.measurements[i].noise;
  if (noise.gain && noise.background) return from_file;
  return noise.gain         ? "background estimated"
         : noise.background ? "gain estimated"
                            : "gain and background estimated";
}

void Planner::add_measurement(std::size_t i, const std::string& noise, const std::string& reason) {
  const Measurement& measurement = config_.measurements[i];
  const Facts& facts = facts_[i];
  std::string value = fmt::format("{}, {} {}, {}; {}", name_of_file(i), size_words(facts.extents),
                                  name_of(facts.samples), words_of(measurement.steps), noise);
  if (measurement.weight != 1) value += fmt::format(", weight {}", measurement.weight);
  add_row(fmt::format("measurement {}", i + 1), value, reason);
  plan_.values += measurement.weight * facts.values;
}

void Planner::scale_counts() {
  const double gain = plan_.counts.front().gain / facts_.front().gain;
  std::optional<double> background;
  for (std::size_t i = 0; i < facts_.size(); ++i) {
    const Measurement& each = config_.measurements[i];
    plan_.scales.push_back(each.weight * gain / plan_.counts[i].gain);
    plan_.subtracted.push_back(0);
    const double scaled = plan_.scales.back() * plan_.counts[i].background;
    if (!background) background = scaled;
    if (std::abs(scaled - *background) > 1e-6 * std::max(scaled, *background)) {
      refuse(each.where, fmt::format("{}: background x weight / gain is {:.6g}, but of "
                                     "measurement 1 {:.6g}: expected the same for all",
                                     each.file, scaled / gain, *background / gain));
    }
    add_measurement(i,
                    fmt::format("counts of {:.4g}, background {:.6g}", plan_.counts[i].gain,
                                plan_.counts[i].background),
                    reason_of_counts(i));
  }
  plan_.method.noise_level = std::sqrt(gain / plan_.white);
  plan_.method.background = *background / plan_.white;
}

void Planner::scale_levels() {
  std::vector<double> levels;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < facts_.size(); ++i) {
    const auto [level, reason] = level_of(i);
    levels.push_back(level);
    least = std::min(least, level / facts_[i].gain);
    add_measurement(i, fmt::format("noise {:.4g}", level), reason);
    plan_.subtracted.push_back(is_counted() ? plan_.counts[i].background : 0);
  }
  for (std::size_t i = 0; i < levels.size(); ++i) {
    plan_.scales.push_back(least / levels[i] * std::sqrt(config_.measurements[i].weight));
  }
  plan_.method.noise_level = least / plan_.white;
}

std::pair<double, std::string> Planner::level_of(std::size_t i) const {
  const Measurement& measurement = config_.measurements[i];
  const Facts& facts = facts_[i];
  if (is_counted()) {
    const double gain = plan_.counts[i].gain;
    return {std::sqrt(gain * std::max(facts.mean, gain)), "counts, at their mean"};
  }
  if (measurement.noise.level) {
    const double level = *measurement.noise.level;
    const double range = facts.largest - facts.smallest;
    if (!has_own_unit(measurement.steps) && range > 0 && level > range) {
      refuse(measurement.noise.where,
             fmt::format("level: is {:.6g}, more than the values of {} differ, which reach from "
                         "{:.6g} to {:.6g}: give it in units of the file",
                         level, measurement.file, facts.smallest, facts.largest));
    }
    return {level, "given"};
  }
  const std::string remedy = "; give noise: {level: ...}, in units of the file";
  if (facts.noise < 0) {
    refuse(measurement.where,
           fmt::format("{}: the noise of what a mask hides, or of one row or column, cannot be "
                       "estimated{}",
                       measurement.file, remedy));
  }
  if (!is_floating(facts.samples)) {
    const double rounding = std::sqrt(1.0 / 12);  // of a uniform error of one unit
    if (facts.noise < rounding) return {rounding, "rounding to integers"};
  }
  if (!(facts.noise > 0)) {
    refuse(measurement.where,
           fmt::format("{}: more than half of its pixels equal their neighbours, so that no "
                       "noise can be estimated{}",
                       measurement.file, remedy));
  }
  return {facts.noise, "noise estimated"};
}

}  // namespace restore
