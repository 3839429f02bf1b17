// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/outcome.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "grid/folder.hpp"
#include "restoration/boxed_files.hpp"
#include "restoration/photograph.hpp"
#include "restoration/supervised_run.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/io/digest.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/report/report.hpp"
#include "tessera/run/preview.hpp"

namespace restoration {

using namespace tessera;

namespace {

RunDescription description(const Telling& telling, const Outcome& outcome) {
  RunDescription description;
  description.configuration = telling.configuration;
  description.totals = {{"setup_time_sec", outcome.setup_s}};
  description.more = {{"arguments", telling.arguments},
                      {"inputs", outcome.inputs},
                      {"warnings", outcome.warnings},
                      {"guarantee", to_string(outcome.guarantee)}};
  if (outcome.norm_squared > 0) {
    description.more.emplace_back("norm_squared", outcome.norm_squared);
  }
  if (!outcome.compared.empty()) description.more.emplace_back("compared_with", outcome.compared);
  if (outcome.result.reason == StopReason::not_finite) {
    description.more.emplace_back("completed", false);  // a grid runs such a row again
  }
  description.plan = outcome.plan;
  description.tiling = outcome.tiling;
  description.operators_per_rank = outcome.operators_per_rank;
  description.samples = outcome.samples;
  description.pictures = outcome.pictures;
  if (outcome.pictures.empty() && !outcome.measurements.empty()) {
    description.pictures.push_back({"measurement 1", outcome.measurements.front()});
  }
  if (outcome.space) {
    description.shown = {{"reconstruction", outcome.result.x}, {"truth", outcome.truth}};
  }
  return description;
}

/// Collective. The outcome as the first rank shows it: what ranks share out as pictures, of the
/// first two measurements.
Outcome shown(const Outcome& outcome) {
  Outcome pictures = outcome;
  if (!outcome.space) return pictures;
  pictures.truth = picture_at_root(*outcome.space, outcome.truth);
  pictures.result.x = picture_at_root(*outcome.space, outcome.result.x);
  pictures.measurements.resize(std::min<std::size_t>(2, outcome.measurements.size()));
  for (std::size_t i = 0; i < pictures.measurements.size(); ++i) {
    pictures.measurements[i] =
        picture_at_root(*outcome.measured_spaces[i], outcome.measurements[i]);
  }
  return pictures;
}

/// Collective. The .npy files of an image that ranks share out; `has_data`: not of x alone.
void write_boxes(const std::string& folder, const Outcome& outcome, bool has_data) {
  write_npy_of_boxes(folder + "/x.npy", *outcome.space, {outcome.result.x});
  if (!has_data) return;
  write_npy_of_boxes(folder + "/truth.npy", *outcome.space, {outcome.truth});
  const std::vector<BoxSpacePtr>& spaces = outcome.measured_spaces;
  const bool is_alike = std::all_of(spaces.begin(), spaces.end(), [&](const BoxSpacePtr& one) {
    return one->boxes() == spaces.front()->boxes();
  });
  if (is_alike) {
    return write_npy_of_boxes(folder + "/measurements.npy", *spaces.front(), outcome.measurements);
  }
  for (std::size_t i = 0; i < spaces.size(); ++i) {
    write_npy_of_boxes(fmt::format("{}/measurements_{}.npy", folder, i + 1), *spaces[i],
                       {outcome.measurements[i]});
  }
}

/// A picture, or the middle slice of a volume.
Tensor as_picture(const Tensor& image) {
  return image.dim() == 5 ? image.select(2, image.size(2) / 2) : image;
}

/// A measurement as large as the image beside it: enlarged by whole factors, the rest a grey
/// border; scaled down where it is larger.
Tensor as_large_as(const Tensor& image, const Tensor& measurement) {
  Tensor result = scaled(measurement, std::min(measurement.size(2), image.size(2)),
                         std::min(measurement.size(3), image.size(3)));
  Extents border;  // last dimension first
  for (const std::int64_t d : {3, 2}) {
    const std::int64_t factor = image.size(d) / result.size(d);
    result = result.repeat_interleave(factor, d);
    const std::int64_t missing = image.size(d) - result.size(d);
    border.insert(border.end(), {missing / 2, missing - missing / 2});
  }
  return at::constant_pad_nd(result, border, 0.5);
}

/// One file, or one for each where their shapes differ.
void write_measurements(const std::string& folder, const TensorList& measurements) {
  bool is_alike = true;
  for (const Tensor& one : measurements) {
    is_alike = is_alike && one.sizes() == measurements.front().sizes();
  }
  if (is_alike) return write_npy(folder + "/measurements.npy", at::cat(measurements));
  for (std::size_t i = 0; i < measurements.size(); ++i) {
    write_npy(fmt::format("{}/measurements_{}.npy", folder, i + 1), measurements[i]);
  }
}

void write_preview(const std::string& path, const Outcome& outcome) {
  const Tensor truth = as_picture(outcome.truth);
  std::vector<Panel> panels = {{"truth", truth}};
  for (const Panel& panel : outcome.pictures) {
    panels.push_back({panel.label, as_large_as(truth, as_picture(panel.image))});
  }
  const std::size_t shown = outcome.pictures.empty() ? 2 : 0;
  for (std::size_t i = 0; i < std::min(shown, outcome.measurements.size()); ++i) {
    panels.push_back(
        {fmt::format("measurement {}", i + 1), as_large_as(truth, outcome.measurements[i])});
  }
  const std::vector<MetricsRow>& rows = outcome.recorder->rows();
  panels.push_back({rows.empty() ? "restored" : fmt::format("restored {:.1f} dB", rows.back().psnr),
                    as_picture(outcome.result.x)});
  write_image(path, side_by_side(panels));
}

/// "PSNR 33.21 dB, SSIM 0.9041", as far as they are defined.
std::string quality(const MetricsRow& row) {
  std::string text = fmt::format("PSNR {:.2f} dB", row.psnr);
  if (std::isfinite(row.ssim)) text += fmt::format(", SSIM {:.4f}", row.ssim);
  return text;
}

void print_summary(const Telling& telling, const Outcome& outcome) {
  if (!outcome.tiling.empty() && !outcome.space) fmt::print("{}\n", outcome.tiling);
  fmt::print("{} after {} iterations, {:.1f} s (set-up {:.1f} s): {}\n", telling.method,
             outcome.result.iterations, outcome.result.elapsed_s, outcome.setup_s,
             to_string(outcome.result.reason));
  if (outcome.guarantee != Guarantee::none) {
    fmt::print("By theory {}\n", to_string(outcome.guarantee));
  }
  const std::vector<MetricsRow>& rows = outcome.recorder->rows();
  if (!outcome.compared.empty()) fmt::print("{}\n", outcome.compared);
  if (!rows.empty()) fmt::print("{}\n", quality(rows.back()));
  fmt::print(
      "Results: {0}/preview.png, {0}/reconstruction.png, {0}/metrics.csv, {0}/summary.json{1}\n",
      telling.folder, telling.has_report ? fmt::format(", {}/report.html", telling.folder) : "");
}

}  // namespace

std::map<std::string, std::string> contents_of(const Outcome& outcome) {
  std::map<std::string, std::string> contents;
  contents["image (contents)"] =
      outcome.space ? digest_of_boxes(*outcome.space, outcome.truth) : digest_of(outcome.truth);
  for (const auto& [option, digest] : outcome.inputs) {
    if (option != "image" && option != "truth") contents[option + " (contents)"] = digest;
  }
  return contents;
}

void write_outcome(const Telling& telling, const Outcome& outcome, Communicator& world) {
  const std::string& folder = telling.folder;
  const Outcome pictures = shown(outcome);
  guarded(world, telling.program, [&] {
    if (!world.is_root()) return;
    write_preview(folder + "/preview.png", pictures);
    if (!telling.save_npy || outcome.space) return;
    write_npy(folder + "/x.npy", outcome.result.x.squeeze(0));
    write_npy(folder + "/truth.npy", outcome.truth.squeeze(0));
    write_measurements(folder, outcome.measurements);
  });
  if (outcome.space) write_boxes(folder, outcome, telling.save_npy);
  write_run(folder, world, *outcome.recorder, description(telling, pictures));
  guarded(world, telling.program, [&] {
    if (world.is_root() && telling.has_report) write_report(folder + "/report.html", {folder});
  });
}

int print_outcome(const Telling& telling, const Outcome& outcome, bool is_root) {
  const bool is_finite = outcome.result.reason != StopReason::not_finite;
  const int code = outcome.interrupted ? interrupted_code : is_finite ? 0 : 1;
  if (!is_root) return code;
  if (outcome.interrupted) {
    fmt::print(stderr,
               "{}: stopped by a signal after iteration {}; the same command with --resume goes on "
               "from {}\n",
               telling.program, outcome.result.iterations, checkpoint_path(telling.folder));
    return code;
  }
  if (!telling.quiet) print_summary(telling, outcome);
  if (is_finite) return code;
  fmt::print(stderr, "{}: iteration {} was not finite; {} holds the results of the {} before it\n",
             telling.program, outcome.result.iterations + 1, telling.folder,
             outcome.result.iterations);
  return code;
}

void write_report_on(const Telling& telling, const std::vector<std::string>& folders) {
  grid::prepare_folder(telling.folder);
  const std::string path = telling.folder + "/report.html";
  for (const std::string& note : write_report(path, folders)) {
    fmt::print(stderr, "{}: {}\n", telling.program, note);
  }
  if (!telling.quiet) fmt::print("Report: {}\n", path);
}

}  // namespace restoration
