// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "restore/planner.hpp"

namespace restore {

using settings::name_of;

double Planner::largest_value() const {
  double largest = -std::numeric_limits<double>::infinity();
  for (const Facts& each : facts_) largest = std::max(largest, each.largest);
  return largest;
}

double Planner::smallest_value() const {
  double smallest = std::numeric_limits<double>::infinity();
  for (const Facts& each : facts_) smallest = std::min(smallest, each.smallest);
  return smallest;
}

std::optional<double> Planner::white_of_type() const {
  for (std::size_t i = 1; i < facts_.size(); ++i) {
    if (facts_[i].white == facts_.front().white) continue;
    refuse(config_.measurements[i].where,
           fmt::format("{} has {} samples, but measurement 1 {}: give the value of white, "
                       "\"image: {{white: ...}}\", and operators that bring both to one scale",
                       config_.measurements[i].file, name_of(facts_[i].samples),
                       name_of(facts_.front().samples)));
  }
  if (facts_.front().white > 0) return facts_.front().white;
  return std::nullopt;
}

void Planner::check_units() const {
  if (config_.image.white) return;
  for (const Measurement& each : config_.measurements) {
    if (!has_own_unit(each.steps)) continue;
    refuse(config_.image.where,
           fmt::format("white: {} is measured in a unit of its own: give image: {{white: ...}}, "
                       "the largest value that the image should have",
                       each.file));
  }
}

void Planner::settle_white() {
  constexpr double most_of_unit_range = 1.5;
  const ImageSettings& image = config_.image;
  std::string reason = from_file;
  check_units();
  if (image.white) {
    plan_.white = *image.white;
  } else if (const double largest = largest_value(); image.white_is_largest || is_counted()) {
    if (!(largest > 0))
      refuse(image.where,
             fmt::format("white: the largest value measured is {:.6g}, expected more than zero",
                         largest));
    plan_.white = largest;
    reason = "the largest value measured";
  } else if (const auto white = white_of_type()) {
    plan_.white = *white;
    reason = fmt::format("{} samples", name_of(facts_.front().samples));
  } else {
    if (!(largest > 0 && largest <= most_of_unit_range && smallest_value() >= -1)) {
      refuse(image.where,
             fmt::format("white: the values of {} reach from {:.6g} to {:.6g}, and their type "
                         "does not say which is white; give image: {{white: 255}} or what "
                         "it is, or {{white: auto}} for the largest",
                         config_.measurements.front().file, smallest_value(), largest));
    }
    plan_.white = 1;
    reason = "values of 0 to 1";
  }
  add_row("white", fmt::format("{:.6g}", plan_.white), reason);
}

void Planner::settle_clamp() {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Clamp clamp{.is_open = true};
  std::string reason = "floating samples";
  if (config_.image.clamp) {
    clamp = *config_.image.clamp;
    reason = from_file;
  } else if (is_counted()) {
    clamp = {.low = 0, .high = infinity};
    reason = "counts";
  } else if (facts_.front().white > 0) {
    clamp = {.low = 0, .high = plan_.white};
    reason = fmt::format("{} samples", name_of(facts_.front().samples));
  } else if (facts_.front().samples == Samples::i16) {
    clamp = {.low = least_of_signed, .high = largest_of_signed};
    reason = fmt::format("{} samples", name_of(Samples::i16));
  }
  if (clamp.is_open) {
    plan_.method.range.reset();
  } else {
    plan_.method.range = {clamp.low / plan_.white, clamp.high / plan_.white};
  }
  add_row("clamp", clamp.is_open ? "none" : fmt::format("{:.6g} to {:.6g}", clamp.low, clamp.high),
          reason);
}

}  // namespace restore
