// SPDX-License-Identifier: BSD-3-Clause
#include "restore/report.hpp"

#include <ATen/ops/abs.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/imag.h>
#include <ATen/ops/real.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base64.hpp"
#include "page.hpp"
#include "restore/report_template.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/version.hpp"
#include "tessera/io/atomic_file.hpp"
#include "tessera/metric/whiteness.hpp"

namespace restore {

using nlohmann::ordered_json;
using tessera::Tensor;

namespace {

constexpr const char* reporter = "tessera_restore";

/// Samples of a page, two bytes each: of the restored image, and of all measurements together.
constexpr double most_samples = 2e6;

/// Residuals are drawn between these, in standard deviations of the noise, and counted a little
/// further.
constexpr double drawn_residual = 4;
constexpr double counted_residual = 5;
constexpr std::size_t bins = 40;

/// A picture for the page: its rows and columns averaged over squares of `shrunk` pixels until it
/// has at most so many samples; a code of 16 bits each, from `low` to `high`. `keeps_noise`: of
/// residuals, whose averages are multiplied by `shrunk`, so that white noise stays as large.
ordered_json encoded(const Tensor& values, double samples, bool keeps_noise = false) {
  const auto count = static_cast<double>(values.numel());
  const auto least = static_cast<std::int64_t>(std::ceil(std::sqrt(count / samples)));
  const std::int64_t rows = values.size(-2);
  const std::int64_t columns = values.size(-1);
  const std::int64_t shrunk = std::clamp<std::int64_t>(least, 1, std::min(rows, columns));
  Tensor kept = values.to(at::kDouble).reshape({1, -1, rows, columns});
  if (shrunk > 1) {
    kept = at::avg_pool2d(kept, {shrunk, shrunk}, {shrunk, shrunk}, {0, 0}, /*ceil_mode=*/false);
    if (keeps_noise) kept = kept * static_cast<double>(shrunk);
  }
  if (keeps_noise) kept = kept.clamp(-drawn_residual, drawn_residual);
  const double low = kept.min().item<double>();
  const double high = kept.max().item<double>();
  constexpr double largest_code = 65535;
  const Tensor codes =
      ((kept - low) * (high > low ? largest_code / (high - low) : 0.0)).round().contiguous();
  std::string bytes;  // the lower one first
  bytes.reserve(2 * static_cast<std::size_t>(codes.numel()));
  const double* const data = codes.const_data_ptr<double>();
  for (std::int64_t i = 0; i < codes.numel(); ++i) {
    const auto code = static_cast<unsigned>(data[i]);
    bytes += static_cast<char>(code & 255U);
    bytes += static_cast<char>(code >> 8U);
  }
  return {{"channels", values.size(1)},
          {"slices", values.dim() == 5 ? values.size(2) : 1},
          {"rows", kept.size(2)},
          {"columns", kept.size(3)},
          {"shrunk", shrunk},
          {"low", low},
          {"high", high},
          {"codes", tessera::detail::base64(bytes)}};
}

/// Adds what shows an image: the picture or the slices, and of a volume its maximum along them.
void add_image(ordered_json& to, const std::string& name, const Tensor& values, double samples) {
  to[name] = encoded(values, samples);
  if (values.dim() == 5) to[name + "_maximum"] = encoded(values.amax(2), samples);
}

/// Residuals as an image: a list (B, N) as one row; of complex values two channels, the real and
/// the imaginary parts.
Tensor as_image(const Tensor& values) {
  if (values.dim() == 2) return values.view({values.size(0), 1, 1, values.size(1)});
  return values.is_complex() ? at::cat({at::real(values), at::imag(values)}, 1) : values;
}

/// A measurement as a picture for the window of the restored image: in its unit, or with its
/// largest value as white if it has a unit of its own. Of complex values their absolute ones.
Tensor shown(const Measurement& measurement, const Tensor& values, double white) {
  if (!has_own_unit(measurement.steps)) return values;
  const Tensor sizes = at::abs(values);
  const double largest = sizes.max().item<double>();
  return (values.is_complex() ? sizes : values) * (largest > 0 ? white / largest : 0.0);
}

/// Those that no last mask hides.
Tensor visible(const Measurement& measurement, const LoadedMeasurement& loaded,
               const Tensor& residual) {
  const Tensor mask = last_mask(measurement, loaded);
  if (!mask.defined()) return residual.flatten();
  return residual.masked_select(mask.ne(0).expand_as(residual));
}

/// How often values fall into each bin of -counted_residual to counted_residual, per unit and
/// value; those beyond fall into the outermost.
std::vector<double> histogram(const Tensor& values) {
  std::vector<double> shares(bins, 0.0);
  constexpr double width = 2 * counted_residual / static_cast<double>(bins);
  const Tensor flat = values.to(at::kDouble).contiguous();
  const auto count = static_cast<std::size_t>(flat.numel());
  for (std::size_t i = 0; i < count; ++i) {
    const double at = (flat.const_data_ptr<double>()[i] + counted_residual) / width;
    const double last = static_cast<double>(bins - 1);
    shares[static_cast<std::size_t>(std::clamp(std::floor(at), 0.0, last))] +=
        1 / (width * static_cast<double>(count));
  }
  return shares;
}

/// All about one measurement. `residual` as in Remains.
ordered_json section_of(const Config& config, const Plan& plan, std::int64_t index,
                        const LoadedMeasurement& loaded, const Tensor& residual) {
  const auto i = static_cast<std::size_t>(index);
  const Measurement& measurement = config.measurements[i];
  const double samples = most_samples / (2.0 * static_cast<double>(config.measurements.size()));
  const bool is_counted = measurement.noise.kind == NoiseKind::poisson;
  const double background = is_counted ? plan.counts[i].background : 0;
  const Tensor scaled = as_image(residual) / std::sqrt(measurement.weight);
  const Tensor seen = visible(measurement, loaded, scaled);
  const Tensor mask = last_mask(measurement, loaded);
  const Tensor energy = mask.defined() ? tessera::autocorrelation_energy(scaled, mask)
                                       : tessera::autocorrelation_energy(scaled);
  ordered_json section = {
      {"file", std::filesystem::path(measurement.file).filename().string()},
      {"background", background},
      {"residual", encoded(scaled, samples, true)},
      {"histogram", histogram(seen)},
      {"share_of_noise", std::sqrt(seen.to(at::kDouble).square().mean().item<double>())},
      {"whiteness", energy.item<double>() * static_cast<double>(scaled.size(1))}};
  if (plan.method.fidelity != restoration::FidelityKind::poisson) {
    section["level"] =
        plan.method.noise_level * plan.white / plan.scales[i] * std::sqrt(measurement.weight);
  }
  add_image(section, "measured", shown(measurement, loaded.picture.values - background, plan.white),
            samples);
  return section;
}

/// Collective. The texts of all ranks, one after another, on every rank.
std::string text_of_all(const std::string& mine, tessera::Communicator& world) {
  if (world.size() == 1) return mine;
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(world.size()), 0);
  sizes[static_cast<std::size_t>(world.rank())] = static_cast<std::int64_t>(mine.size());
  std::string all;
  tessera::committed(world, reporter, [&] {
    world.control().all_reduce(sizes.data(), world.size(), tessera::DataType::i64,
                               tessera::Reduction::sum);
    all.resize(std::accumulate(
        sizes.begin(), sizes.end(), std::size_t{0},
        [](std::size_t sum, std::int64_t size) { return sum + static_cast<std::size_t>(size); }));
    world.control().all_gather(mine.data(), all.data(), sizes, tessera::DataType::u8);
  });
  return all;
}

ordered_json rows_of(const Plan& plan) {
  ordered_json rows = ordered_json::array();
  for (const PlanRow& row : plan.rows) rows.push_back({row.what, row.value, row.reason});
  return rows;
}

}  // namespace

void check_report(const std::string& path) {
  const std::filesystem::path file(path);
  if (file.extension() != ".html") {
    throw tessera::error::InvalidArgument(
        fmt::format("expected a name that ends in .html, got {}", path));
  }
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  if (!std::filesystem::is_directory(folder)) {
    throw tessera::error::InvalidArgument(fmt::format("there is no folder {}", folder.string()));
  }
}

void write_report(const Config& config, const Plan& plan, const Outcome& outcome,
                  const Remains& remains, tessera::Communicator& world) {
  // Each rank's sections, with a comma behind each.
  const std::string mine = tessera::guarded(world, reporter, [&] {
    std::string text;
    for (const auto& [index, residual] : remains.residuals) {
      text += section_of(config, plan, index, remains.held.at(index), residual)
                  .dump(-1, ' ', false, ordered_json::error_handler_t::replace) +
              ",";
    }
    return text;
  });
  std::string sections = text_of_all(mine, world);
  tessera::guarded(world, reporter, [&] {
    if (!world.is_root()) return;
    tessera::AtomicFile file(config.report);
    if (!sections.empty()) sections.pop_back();
    const auto& range = plan.method.range;
    const bool is_bounded = range && std::isfinite(range->first) && std::isfinite(range->second);
    ordered_json data = {{"version", TESSERA_VERSION},
                         {"created", tessera::detail::time_of_report()},
                         {"output", std::filesystem::path(config.output).filename().string()},
                         {"solver", settings::name_of(plan.method.solver)},
                         {"prior", settings::name_of(plan.prior)},
                         {"window", nullptr},
                         {"residuals", {{"drawn", drawn_residual}, {"counted", counted_residual}}},
                         {"misfit", outcome.misfit},
                         {"seconds", outcome.elapsed_s},
                         {"changes", outcome.changes},
                         {"trials", outcome.trials},
                         {"weight", nullptr},
                         {"plan", rows_of(plan)},
                         {"measurements", ordered_json::parse("[" + sections + "]")}};
    if (is_bounded && plan.samples == Samples::u8) {
      data["window"] = {range->first * plan.white, range->second * plan.white};
    }
    if (outcome.found) {
      data["weight"] = {{"value", outcome.found->weight},
                        {"trials", outcome.found->trials},
                        {"fits", outcome.found->fits}};
    }
    add_image(data, "restored", outcome.restored, most_samples);
    file.write(tessera::detail::text_of(
        {.title = "tessera: restored image", .body = report_html, .script = report_js}, data));
    file.commit();
  });
}

}  // namespace restore
