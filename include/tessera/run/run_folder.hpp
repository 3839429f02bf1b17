// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/comm/partition.hpp"
#include "tessera/distributed/tile_plan.hpp"
#include "tessera/io/image.hpp"
#include "tessera/run/preview.hpp"
#include "tessera/run/recorder.hpp"

namespace tessera {

/// A value of a configuration or of a total; a map is written as an object.
using SettingValue =
    std::variant<bool, std::int64_t, std::uint64_t, double, std::string, std::vector<std::int64_t>,
                 std::vector<std::string>, std::map<std::string, std::string>>;
using Settings = std::vector<std::pair<std::string, SettingValue>>;

/// What is told about a run beside its measurements. All of it may be left out.
struct RunDescription {
  Settings configuration = {};  ///< "configuration" of summary.json, flat
  Settings totals = {};         ///< added to "totals", e.g. setup_time_sec
  Settings more = {};           ///< added to summary.json itself
  /// How the denoiser cuts the image; empty: as RecorderOptions::denoiser does.
  std::optional<TilePlan> plan = {};
  std::string tiling = {};              ///< "tile_plan": the plan's costs in words; empty: likewise
  std::vector<Panel> pictures = {};     ///< beside the truth and the restoration, e.g. measurements
  SampleType samples = SampleType::u8;  ///< of the .png files: u8 or u16
  /// On the first rank: the restoration and the truth as pictures, where ranks share out the image
  /// (picture_at_root); empty: the recorder's.
  std::vector<Panel> shown = {};
  /// Number of operators that each rank holds.
  std::vector<std::int64_t> operators_per_rank = {};
};

/// Collective. Writes what a run leaves behind into `folder`, which the first rank, the only one
/// that writes, creates if need be:
///
///   metrics.csv       a row per iteration: quality, and the costs of the first rank
///   rank_<r>.csv      a row per iteration: the costs of rank r
///   plan.json         the tiles in pixels of the image: owner, core, window, support, blend; of
///                     an image that ranks share out without tiles, the boxes
///   truth.png, reconstruction.png and the other pictures, of volumes the middle slices
///   summary.json      last, so that the folder is complete if it is there: configuration, ranks,
///                     hosts, device, machine, versions, totals of the last repetition on the first
///                     rank, statistics over iterations, repetitions and ranks, stopped, pictures,
///                     and "completed": true
///
/// Times of warm-up iterations count for totals but not for statistics. Throws error::RankFailure
/// on every rank if the files cannot be written, or if no run has ended.
void write_run(const std::string& folder, Communicator& ranks, const Recorder& recorder,
               const RunDescription& description = {});

}  // namespace tessera
