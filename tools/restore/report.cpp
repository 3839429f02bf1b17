// SPDX-License-Identifier: BSD-3-Clause
#include "restore/report.hpp"

#include <ATen/ops/abs.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/imag.h>
#include <ATen/ops/real.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <span>
#include <utility>

#include "base64.hpp"
#include "page.hpp"
#include "restore/add_up.hpp"
#include "restore/report_template.hpp"
#include "restore/whiteness.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/box_exchange.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/version.hpp"
#include "tessera/distributed/slab_fourier.hpp"
#include "tessera/io/atomic_file.hpp"

namespace restore {

using nlohmann::ordered_json;
using tessera::Box;
using tessera::BoxesOfRanks;
using tessera::BoxExchange;
using tessera::BoxSpace;
using tessera::Extents;
using tessera::Interval;
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

Extents extents_of(const ImagePart& image) {
  return image.boxes ? image.boxes->extents() : image.values.sizes().slice(2).vec();
}

/// Collective where ranks share out the image. What all parts have together.
void add_up_parts(const ImagePart& image, std::span<double> numbers) {
  if (!image.boxes) return;
  tessera::agree(image.boxes->communicator(), reporter, nullptr);
  add_up(image.boxes->communicator(), numbers);
}

/// The means of rows and columns over squares of `shrunk` pixels, those that the border cuts off
/// left out: (C, slices, rows, columns), float64. Collective where ranks share out the image.
Tensor averaged(const ImagePart& image, std::int64_t shrunk) {
  const Extents extents = extents_of(image);
  const Box box = image.boxes ? image.boxes->local() : tessera::whole_box(extents);
  const std::size_t axes = extents.size();
  const bool is_volume = axes == 3;
  Tensor all = at::zeros({image.values.size(1), is_volume ? extents[0] : 1,
                          extents[axes - 2] / shrunk, extents[axes - 1] / shrunk},
                         at::kDouble);
  if (image.values.numel() > 0) {
    const Interval rows = box.axes[axes - 2];
    const Interval columns = box.axes[axes - 1];
    // Squares of which a part is here are those of zeros elsewhere.
    const auto after = [&](const Interval& along) {
      return (shrunk - along.end % shrunk) % shrunk;
    };
    Tensor mine = at::avg_pool2d(
        at::constant_pad_nd(
            image.values.to(at::kDouble)
                .reshape({all.size(0), -1, rows.length(), columns.length()}),
            {columns.begin % shrunk, after(columns), rows.begin % shrunk, after(rows)}),
        {shrunk, shrunk});
    Tensor place = all;
    if (is_volume) place = place.narrow(1, box.axes[0].begin, box.axes[0].length());
    for (const auto& [axis, along] : {std::pair(2, rows), std::pair(3, columns)}) {
      const std::int64_t first = along.begin / shrunk;
      const std::int64_t count = std::min(mine.size(axis), all.size(axis) - first);
      mine = mine.narrow(axis, 0, count);
      place = place.narrow(axis, first, count);
    }
    place.add_(mine);
  }
  add_up_parts(image, {all.data_ptr<double>(), static_cast<std::size_t>(all.numel())});
  return all;
}

/// A picture for the page: its rows and columns averaged over squares of `shrunk` pixels until it
/// has at most so many samples; a code of 16 bits each, from `low` to `high`. `keeps_noise`: of
/// residuals, whose averages are multiplied by `shrunk`, so that white noise stays as large.
/// Collective where ranks share out the image.
ordered_json encoded(const ImagePart& image, double samples, bool keeps_noise = false) {
  const Extents extents = extents_of(image);
  const std::int64_t channels = image.values.size(1);
  const auto count = static_cast<double>(channels * c10::multiply_integers(extents));
  const auto least = static_cast<std::int64_t>(std::ceil(std::sqrt(count / samples)));
  const std::int64_t shorter = std::min(extents.back(), extents[extents.size() - 2]);
  const std::int64_t shrunk = std::clamp<std::int64_t>(least, 1, shorter);
  Tensor kept = averaged(image, shrunk);
  if (keeps_noise && shrunk > 1) kept = kept * static_cast<double>(shrunk);
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
  return {{"channels", channels}, {"slices", kept.size(1)},
          {"rows", kept.size(2)}, {"columns", kept.size(3)},
          {"shrunk", shrunk},     {"low", low},
          {"high", high},         {"codes", tessera::detail::base64(bytes)}};
}

/// The maximum along the slices of a volume. Collective where ranks share it out: each then has all
/// slices of some rows.
ImagePart maximum_of(const ImagePart& volume) {
  if (!volume.boxes) return {volume.values.amax(2)};
  const BoxSpace& space = *volume.boxes;
  const Extents& extents = space.extents();
  const BoxesOfRanks rows =
      tessera::detail::slabs_of(tessera::whole_box(extents), 1, space.communicator().size());
  std::vector<Box> pictures;
  for (const std::vector<Box>& each : rows) {
    pictures.push_back({{each.front().axes[1], each.front().axes[2]}});
  }
  const BoxExchange to_rows(space.ranks(), tessera::one_each(space.boxes()), rows);
  return {to_rows.forward({volume.values}).front().amax(2),
          std::make_shared<BoxSpace>(space, Extents{extents[1], extents[2]}, std::move(pictures))};
}

/// Adds what shows an image: the picture or the slices, and of a volume its maximum along them.
void add_image(ordered_json& to, const std::string& name, const ImagePart& image, double samples) {
  to[name] = encoded(image, samples);
  if (image.values.dim() == 5) to[name + "_maximum"] = encoded(maximum_of(image), samples);
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

/// How many values fall into each bin of -counted_residual to counted_residual; those beyond fall
/// into the outermost.
std::vector<double> counted(const Tensor& values) {
  std::vector<double> counts(bins, 0.0);
  constexpr double width = 2 * counted_residual / static_cast<double>(bins);
  const Tensor flat = values.to(at::kDouble).contiguous();
  const auto count = static_cast<std::size_t>(flat.numel());
  for (std::size_t i = 0; i < count; ++i) {
    const double at = (flat.const_data_ptr<double>()[i] + counted_residual) / width;
    const double last = static_cast<double>(bins - 1);
    ++counts[static_cast<std::size_t>(std::clamp(std::floor(at), 0.0, last))];
  }
  return counts;
}

/// Adds the size and the histogram, per unit and value, of residuals that can be seen. Collective
/// where ranks share them out.
void add_sizes(ordered_json& to, const ImagePart& seen) {
  constexpr double width = 2 * counted_residual / static_cast<double>(bins);
  std::vector<double> numbers = counted(seen.values);
  numbers.push_back(static_cast<double>(seen.values.numel()));
  numbers.push_back(seen.values.to(at::kDouble).square().sum().item<double>());
  add_up_parts(seen, numbers);
  const double count = numbers[bins];
  to["share_of_noise"] = std::sqrt(numbers[bins + 1] / count);
  numbers.resize(bins);
  for (double& each : numbers) each /= width * count;
  to["histogram"] = numbers;
}

/// All about one measurement. `residual` as in Remains. Collective where ranks share it out.
ordered_json section_of(const Config& config, const Plan& plan, std::int64_t index,
                        const LoadedMeasurement& loaded, const Tensor& residual) {
  const auto i = static_cast<std::size_t>(index);
  const Measurement& measurement = config.measurements[i];
  const double samples = most_samples / (2.0 * static_cast<double>(config.measurements.size()));
  const bool is_counted = measurement.noise.kind == NoiseKind::poisson;
  const double background = is_counted ? plan.counts[i].background : 0;
  const Tensor scaled = as_image(residual) / std::sqrt(measurement.weight);
  ordered_json section = {{"file", std::filesystem::path(measurement.file).filename().string()},
                          {"background", background},
                          {"residual", encoded({scaled, loaded.boxes}, samples, true)},
                          {"whiteness", whiteness_of(measurement, loaded, scaled) *
                                            static_cast<double>(scaled.size(1))}};
  add_sizes(section, {visible(measurement, loaded, scaled), loaded.boxes});
  if (plan.method.fidelity != restoration::FidelityKind::poisson) {
    section["level"] =
        plan.method.noise_level * plan.white / plan.scales[i] * std::sqrt(measurement.weight);
  }
  const Tensor measured = shown(measurement, loaded.picture.values - background, plan.white);
  add_image(section, "measured", {measured, loaded.boxes}, samples);
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
  const bool is_shared = outcome.restored.boxes != nullptr;
  // Each rank's sections, with a comma behind each; of shared-out images all are on all ranks.
  const std::string mine = tessera::guarded(world, reporter, [&] {
    std::string text;
    for (const auto& [index, residual] : remains.residuals) {
      text += section_of(config, plan, index, remains.held.at(index), residual)
                  .dump(-1, ' ', false, ordered_json::error_handler_t::replace) +
              ",";
    }
    return is_shared && !world.is_root() ? std::string() : text;
  });
  std::string sections = text_of_all(mine, world);
  const ordered_json restored = tessera::guarded(world, reporter, [&] {
    ordered_json images;
    if (is_shared || world.is_root()) {
      add_image(images, "restored", outcome.restored, most_samples);
    }
    return images;
  });
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
    data.update(restored);
    file.write(tessera::detail::text_of(
        {.title = "tessera: restored image", .body = report_html, .script = report_js}, data));
    file.commit();
  });
}

}  // namespace restore
