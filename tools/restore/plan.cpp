// SPDX-License-Identifier: BSD-3-Clause
#include "restore/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>
#include <utility>

#include "tessera/core/error.hpp"

namespace restore {

using restoration::FidelityKind;
using restoration::PriorKind;
using restoration::SolverKind;
using settings::name_of;

namespace {

constexpr const char* from_file = "given";
constexpr const char* by_default = "default";

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  throw tessera::error::InvalidArgument(where + what);
}

std::int64_t default_iterations(SolverKind solver) {
  switch (solver) {
    case SolverKind::dpir:
      return 8;
    case SolverKind::primal_dual:
      return 300;
    case SolverKind::pnp:
    case SolverKind::mlem:
      return 30;
    default:
      return 50;
  }
}

std::string words_of(WeightRule rule) {
  switch (rule) {
    case WeightRule::whiteness:
      return "auto: residuals as white as noise";
    case WeightRule::discrepancy:
      return "discrepancy: residuals as large as the noise";
    case WeightRule::risk:
      break;
  }
  return "risk: predicts the measurements best";
}

/// The work on one plan.
class Planner {
 public:
  Planner(const Config& config, const std::vector<Facts>& facts) : config_(config), facts_(facts) {}

  Plan plan() {
    settle_image();
    settle_white();
    settle_method();
    settle_noise();
    settle_weight();
    settle_clamp();
    add_row("output", config_.output,
            fmt::format("{} samples, as measured", name_of(plan_.samples)));
    return std::move(plan_);
  }

 private:
  void add_row(std::string what, std::string value, std::string reason) {
    plan_.rows.push_back({std::move(what), std::move(value), std::move(reason)});
  }

  std::string name_of_file(std::size_t i) const {
    return std::filesystem::path(config_.measurements[i].file).filename().string();
  }

  /// All measurements see one image.
  void settle_image() {
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
      plan_.samples = std::max(plan_.samples, each.samples);
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

  bool is_volume() const { return plan_.image.size() == 5; }

  double largest_value() const {
    double largest = -std::numeric_limits<double>::infinity();
    for (const Facts& each : facts_) largest = std::max(largest, each.largest);
    return largest;
  }

  double smallest_value() const {
    double smallest = std::numeric_limits<double>::infinity();
    for (const Facts& each : facts_) smallest = std::min(smallest, each.smallest);
    return smallest;
  }

  bool is_counted() const { return config_.measurements.front().noise.kind == NoiseKind::poisson; }

  /// Of integer samples, if all have the same; nothing if their type does not say.
  std::optional<double> white_of_type() const {
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

  /// What was measured says nothing of white where the operator changes the unit.
  void check_units() const {
    if (config_.image.white) return;
    for (const Measurement& each : config_.measurements) {
      if (!has_own_unit(each.steps)) continue;
      refuse(config_.image.where,
             fmt::format("white: {} is measured in a unit of its own: give image: {{white: ...}}, "
                         "the largest value that the image should have",
                         each.file));
    }
  }

  void settle_white() {
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

  void settle_method() {
    restoration::Method& method = plan_.method;
    const PriorSettings& prior = config_.prior;
    const SolverSettings& solver = config_.solver;
    const bool is_likelihood = solver.name == SolverKind::mlem;
    plan_.prior = prior.name.value_or(is_likelihood                 ? PriorName::none
                                      : is_counted() || is_volume() ? PriorName::tv
                                                                    : PriorName::drunet);
    method.solver = solver.name.value_or(solver_of_prior());
    const bool denoises = method.solver == SolverKind::dpir || method.solver == SolverKind::pnp;
    method.prior = plan_.prior == PriorName::wavelet           ? PriorKind::wavelet
                   : plan_.prior == PriorName::ridge           ? PriorKind::ridge
                   : plan_.prior == PriorName::tv && !denoises ? PriorKind::tv
                                                               : PriorKind::pnp;
    check_parts();
    const bool has_likelihood =
        is_counted() && restoration::fit_together(method.solver, FidelityKind::poisson);
    method.fidelity = has_likelihood ? FidelityKind::poisson : FidelityKind::l2;
    method.iterations = solver.iterations.value_or(default_iterations(method.solver));
    // The next level corrects what the inner solutions leave.
    method.inner_solves = {
        .tolerance = 1e-4, .max_iterations = 50, .unconverged = tessera::Unconverged::accept};
    if (method.solver == SolverKind::pnp && plan_.prior != PriorName::dncnn) {
      method.denoiser_sigma_start = 0.1;
    }
    add_row("prior",
            fmt::format("{}{}", name_of(plan_.prior),
                        plan_.prior == PriorName::drunet
                            ? is_volume() && prior.weights.empty() ? " of pictures, inflated" : ""
                        : plan_.prior != PriorName::ridge ? ""
                        : !prior.weights.empty()          ? " of own weights"
                        : is_volume()                     ? " of volumes"
                                                          : " of grey images"),
            prior.name ? from_file : by_default);
    plan_.type = solver.precision == Precision::f64 ? at::kDouble : at::kFloat;
    add_row("solver",
            fmt::format("{}, {} iterations in {} precision", name_of(method.solver),
                        method.iterations, name_of(solver.precision)),
            solver.name ? from_file : by_default);
    add_row("likelihood",
            has_likelihood ? "of counts"
            : is_counted() ? "of counts, as Gaussian noise"
                           : "Gaussian",
            "noise and solver");
  }

  SolverKind solver_of_prior() const {
    switch (plan_.prior) {
      case PriorName::drunet:
        return SolverKind::dpir;
      case PriorName::dncnn:
        return SolverKind::pnp;
      case PriorName::tv:
        return SolverKind::primal_dual;
      case PriorName::ridge:
      case PriorName::wavelet:
        return SolverKind::proximal_gradient;
      case PriorName::none:
        break;
    }
    return SolverKind::mlem;
  }

  void check_parts() const {
    const SolverKind solver = plan_.method.solver;
    const std::string name(name_of(solver));
    const std::string& where = config_.solver.where;
    if (solver == SolverKind::mlem && plan_.prior != PriorName::none) {
      refuse(where, fmt::format("mlem takes no prior, and prior is {}: leave one of them out",
                                name_of(plan_.prior)));
    }
    if (solver == SolverKind::mlem && !is_counted()) {
      refuse(where,
             "mlem is for counts: give noise: {model: poisson, gain: ...}, or another solver");
    }
    if (plan_.prior == PriorName::none && solver != SolverKind::mlem) {
      refuse(config_.prior.where,
             fmt::format("none is for the solver mlem, and solver is {}", name));
    }
    const bool is_network = plan_.prior == PriorName::drunet || plan_.prior == PriorName::dncnn;
    if (plan_.prior == PriorName::wavelet) check_sides_are_even();
    if (plan_.prior == PriorName::dncnn && solver == SolverKind::dpir) {
      refuse(where, "dpir needs a denoiser of any level, and dncnn knows one: give the solver pnp");
    }
    if (plan_.prior == PriorName::dncnn && config_.prior.weights.empty()) {
      refuse(config_.prior.where, "no weights of dncnn are installed: give weights, a file");
    }
    if (!config_.prior.weights.empty() && !is_network && plan_.prior != PriorName::ridge) {
      refuse(config_.prior.where,
             fmt::format("weights are for drunet, dncnn and ridge, and the prior is {}",
                         name_of(plan_.prior)));
    }
    if (solver != SolverKind::mlem && !restoration::fit_together(solver, plan_.method.prior)) {
      refuse(where, fmt::format("{} does not take the prior {}", name, name_of(plan_.prior)));
    }
  }

  void check_sides_are_even() const {
    const at::IntArrayRef spatial = at::IntArrayRef(plan_.image).slice(2);
    const bool is_even = std::all_of(spatial.begin(), spatial.end(),
                                     [](std::int64_t side) { return side % 2 == 0; });
    if (is_even) return;
    refuse(config_.prior.where,
           fmt::format("wavelet halves the sides of the image, which is {}: give tv, or cut the "
                       "measurements to even sides",
                       size_words(spatial)));
  }

  /// One kind for all; each measurement is scaled so that all have one level, or one gain.
  void settle_noise() {
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

  /// Measurements that do not say what a count is share one estimate, the mean of theirs.
  void settle_counts() {
    const auto shared = [&](const char* key, const auto& is_given, const auto& estimate) {
      double sum = 0;
      double number = 0;
      for (std::size_t i = 0; i < facts_.size(); ++i) {
        const Measurement& each = config_.measurements[i];
        if (is_given(each.noise)) continue;
        if (!(facts_[i].per_count > 0)) {
          refuse(each.where,
                 fmt::format(
                     "{}: the {} of what a mask hides, of one row or column, of a "
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

  /// Who says what a count of a measurement is.
  std::string reason_of_counts(std::size_t i) const {
    const NoiseModel& noise = config_.measurements[i].noise;
    if (noise.gain && noise.background) return from_file;
    return noise.gain         ? "background estimated"
           : noise.background ? "gain estimated"
                              : "gain and background estimated";
  }

  void add_measurement(std::size_t i, const std::string& noise, const std::string& reason) {
    const Measurement& measurement = config_.measurements[i];
    const Facts& facts = facts_[i];
    std::string value = fmt::format("{}, {} {}, {}; {}", name_of_file(i), size_words(facts.extents),
                                    name_of(facts.samples), words_of(measurement.steps), noise);
    if (measurement.weight != 1) value += fmt::format(", weight {}", measurement.weight);
    add_row(fmt::format("measurement {}", i + 1), value, reason);
    plan_.values += measurement.weight * facts.values;
  }

  /// y w = gain Poisson((w u + w b) / gain), w the weight times the first gain over this one; that
  /// of the first is divided by the norm of its operator, if it has a unit of its own.
  void scale_counts() {
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

  /// Weights are 1 / variance: whitening. The common level is that of an operator of norm 1.
  void scale_levels() {
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

  std::pair<double, std::string> level_of(std::size_t i) const {
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
    if (facts.white > 0) {
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

  void settle_weight() {
    const PriorSettings& prior = config_.prior;
    if (!plan_.has_weight()) {
      if (prior.weight || prior.rule) {
        refuse(prior.where,
               fmt::format("weight: the solver {} has none", name_of(plan_.method.solver)));
      }
      return;
    }
    // Duals are residuals over the variance of the noise: about 1 / level. The image is about a
    // tenth of white away from where it starts.
    constexpr double distance = 0.1;
    plan_.method.step_ratio = std::pow(1 / (level_in_intensities() * distance), 2);
    const bool is_variation = plan_.method.prior != PriorKind::pnp;
    plan_.rule = prior.rule;
    check_rule();
    if (is_variation && !prior.weight && !prior.rule) plan_.rule = WeightRule::risk;
    // Of dpir the published one, and what does better where measurements are many; of total
    // variation where a search begins: denoising asks for about one over the noise level.
    // Of ridge, that of denoising at the level of the noise.
    plan_.method.denoiser_sigma = level_in_intensities();
    plan_.weight() = prior.weight.value_or(plan_.prior == PriorName::ridge ? 1.0
                                           : is_variation      ? 0.8 / level_in_intensities()
                                           : facts_.size() > 1 ? 0.1
                                                               : 0.23);
    add_row("prior weight",
            plan_.rule ? words_of(*plan_.rule) : fmt::format("{:.4g}", plan_.weight()),
            prior.weight || prior.rule ? from_file : by_default);
  }

  void check_rule() const {
    if (config_.prior.rule != WeightRule::whiteness) return;
    for (const Measurement& each : config_.measurements) {
      if (!is_no_picture(each.steps)) continue;
      refuse(config_.prior.where,
             fmt::format("weight: auto looks at what pictures and volumes leave, and {} is a list "
                         "of values or Fourier coefficients: give risk or discrepancy",
                         each.file));
    }
  }

  /// Of counts that at their mean.
  double level_in_intensities() const {
    if (plan_.method.fidelity != FidelityKind::poisson) return plan_.method.noise_level;
    return plan_.method.noise_level *
           std::sqrt(std::max(plan_.scales.front() * facts_.front().mean / plan_.white, 1e-6));
  }

  void settle_clamp() {
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
    }
    if (clamp.is_open) {
      plan_.method.range.reset();
    } else {
      plan_.method.range = {clamp.low / plan_.white, clamp.high / plan_.white};
    }
    add_row("clamp",
            clamp.is_open ? "none" : fmt::format("{:.6g} to {:.6g}", clamp.low, clamp.high),
            reason);
  }

  const Config& config_;
  const std::vector<Facts>& facts_;
  Plan plan_;
};

}  // namespace

double& Plan::weight() {
  switch (method.prior) {
    case PriorKind::tv:
      return method.tv_weight;
    case PriorKind::ridge:
    case PriorKind::wavelet:
      return method.prior_weight;
    default:
      return method.dpir_weight;
  }
}

bool Plan::has_weight() const {
  return method.solver == SolverKind::dpir || method.prior != PriorKind::pnp;
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
