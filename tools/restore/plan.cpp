// SPDX-License-Identifier: BSD-3-Clause
#include "restore/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "restore/planner.hpp"
#include "tessera/core/error.hpp"

namespace restore {

using settings::name_of;

void refuse(const std::string& where, const std::string& what) {
  throw tessera::error::InvalidArgument(where + what);
}

Plan Planner::plan() {
  settle_image();
  settle_white();
  settle_method();
  settle_noise();
  settle_weight();
  settle_clamp();
  const Samples measured = std::exchange(plan_.samples, samples_in(config_.output, plan_.samples));
  const bool is_measured = plan_.samples == measured;
  add_row("output", config_.output,
          fmt::format("{} samples{}", name_of(plan_.samples), is_measured ? ", as measured" : ""));
  return std::move(plan_);
}

void Planner::add_row(std::string what, std::string value, std::string reason) {
  plan_.rows.push_back({std::move(what), std::move(value), std::move(reason)});
}

std::string Planner::name_of_file(std::size_t i) const {
  return std::filesystem::path(config_.measurements[i].file).filename().string();
}

void Planner::settle_image() {
  const Facts& first = facts_.front();
  for (std::size_t i = 0; i < facts_.size(); ++i) {
    const Facts& each = facts_[i];
    const std::string& where = config_.measurements[i].where;
    if (each.image != first.image) {
      refuse(where, fmt::format("{} has {} pixels and its operator sees an image of {}, but "
                                "measurement 1 one of {}",
                                config_.measurements[i].file, size_words(each.extents),
                                size_words(each.image), size_words(first.image)));
    }
    if (each.channels != first.channels) {
      refuse(where, fmt::format("{} has {} channels, but measurement 1 has {}",
                                config_.measurements[i].file, each.channels, first.channels));
    }
    plan_.samples = samples_for(plan_.samples, each.samples);
  }
  plan_.image = {1, first.channels};
  plan_.image.insert(plan_.image.end(), first.image.begin(), first.image.end());
  plan_.first = first.first;
  plan_.frame = first.frame;
  add_row("image",
          fmt::format("{}, {} channel{}{}", size_words(first.frame), first.channels,
                      first.channels == 1 ? "" : "s",
                      is_volume() ? fmt::format(", {} slices", first.frame.front()) : ""),
          first.frame != first.image
              ? fmt::format("cut from the {} that blurs see", size_words(first.image))
              : "from the measurements");
}

Plan make_plan(const Config& config, const std::vector<Facts>& facts) {
  return Planner(config, facts).plan();
}

std::string table_of(const Plan& plan) {
  std::size_t first = 0;
  std::size_t second = 0;
  for (const PlanRow& row : plan.rows) {
    first = std::max(first, row.what.size());
    second = std::max(second, row.value.size());
  }
  std::string text;
  for (const PlanRow& row : plan.rows) {
    text += fmt::format("{:<{}}  {:<{}}  {}\n", row.what, first, row.value, second, row.reason);
  }
  return text;
}

}  // namespace restore
