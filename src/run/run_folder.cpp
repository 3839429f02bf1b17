// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/run/run_folder.hpp"

#include <fmt/format.h>
#include <torch/version.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "machine.hpp"
#include "statistics.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/version.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/io/atomic_file.hpp"
#include "tessera/io/image.hpp"

namespace tessera {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

/// One rank as the others see it.
struct RankRecord {
  detail::Machine machine;
  std::vector<MetricsRow> rows;
};

/// Collective. `item` of every rank, in rank order; the sizes are `counts` in bytes.
void gather_bytes(Communicator& ranks, const void* mine, void* all,
                  const std::vector<std::int64_t>& counts) {
  ranks.control().all_gather(mine, all, counts, DataType::u8);
}

/// Collective. The same on every rank.
std::vector<RankRecord> gather(Communicator& ranks, const Recorder& recorder) {
  const auto count = static_cast<std::size_t>(ranks.size());
  struct Header {
    detail::Machine machine;
    std::int64_t rows = 0;
  };
  const Header mine{detail::this_machine(ranks), static_cast<std::int64_t>(recorder.rows().size())};
  std::vector<Header> headers(count);
  gather_bytes(ranks, &mine, headers.data(), std::vector<std::int64_t>(count, sizeof(Header)));

  std::vector<std::int64_t> bytes;
  std::int64_t total = 0;
  for (const Header& header : headers) {
    bytes.push_back(header.rows * static_cast<std::int64_t>(sizeof(MetricsRow)));
    total += header.rows;
  }
  std::vector<MetricsRow> rows(static_cast<std::size_t>(total));
  gather_bytes(ranks, recorder.rows().data(), rows.data(), bytes);

  std::vector<RankRecord> records;
  auto next = rows.begin();
  for (const Header& header : headers) {
    records.push_back({header.machine, {next, next + header.rows}});
    next += header.rows;
  }
  return records;
}

void write_text(const fs::path& path, const std::string& text) {
  AtomicFile file(path.string());
  file.write(text);
  file.commit();
}

std::string to_text(const ordered_json& json, int indent = -1) {
  return json.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

ordered_json to_json(const Settings& settings) {
  ordered_json json = ordered_json::object();
  for (const auto& [name, setting] : settings) {
    std::visit([&json, &key = name](const auto& value) { json[key] = value; }, setting);
  }
  return json;
}

/// A tile a line.
std::string to_text(const TilePlan& plan, int ranks) {
  std::string tiles;
  const Partition owners = plan.assign(ranks);
  for (std::size_t i = 0; i < plan.tiles().size(); ++i) {
    ordered_json core, window, support, before, after;
    for (const TileAxis& axis : plan.tiles()[i].axes) {
      core.push_back({axis.core.begin, axis.core.end});
      window.push_back({axis.window.begin, axis.window.end});
      support.push_back({axis.support().begin, axis.support().end});
      before.push_back(axis.blend_before);
      after.push_back(axis.blend_after);
    }
    const ordered_json tile = {{"owner", owners.owner(static_cast<std::int64_t>(i))},
                               {"core", core},
                               {"window", window},
                               {"support", support},
                               {"blend_before", before},
                               {"blend_after", after}};
    tiles += fmt::format("{}\n    {}", i == 0 ? "" : ",", to_text(tile));
  }
  return fmt::format(
      "{{\n  \"shape\": {},\n  \"border\": \"{}\",\n  \"ranks\": {},\n  \"tiles\": [{}\n  ]\n}}\n",
      to_text(ordered_json(plan.shape())), plan.border() == Border::clamp ? "clamp" : "reflect",
      ranks, tiles);
}

/// The boxes of an image that ranks share out, a box a line, as tiles of themselves.
std::string to_text(const BoxSpace& space) {
  std::string tiles;
  const Extents none(space.extents().size(), 0);
  for (std::size_t rank = 0; rank < space.boxes().size(); ++rank) {
    ordered_json box = ordered_json::array();
    for (const Interval along : space.boxes()[rank].axes) box.push_back({along.begin, along.end});
    const ordered_json tile = {{"owner", rank},  {"core", box},          {"window", box},
                               {"support", box}, {"blend_before", none}, {"blend_after", none}};
    tiles += fmt::format("{}\n    {}", rank == 0 ? "" : ",", to_text(tile));
  }
  return fmt::format(
      "{{\n  \"shape\": {},\n  \"border\": \"clamp\",\n  \"ranks\": {},\n  \"tiles\": [{}\n  "
      "]\n}}\n",
      to_text(ordered_json(space.extents())), space.boxes().size(), tiles);
}

ordered_json to_json(const detail::Spread& spread) {
  return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
}

ordered_json totals(const Recorder& recorder, const RunDescription& description) {
  const SolveResult& result = *recorder.result();
  ordered_json json = {{"iterations", result.iterations}, {"time_sec", result.elapsed_s}};
  const std::vector<MetricsRow>& rows = recorder.rows();
  if (rows.empty()) return json;
  for (const MetricsColumn& quantity : detail::quantities()) {
    const std::string name = quantity.name;
    if (name == "iteration_time_sec" || name.ends_with("_mb")) continue;
    double sum = 0;
    for (const MetricsRow& row : rows) {
      if (row.repetition == rows.back().repetition) sum += quantity.value(row);
    }
    json[name] = sum;
  }
  json["recording_time_sec"] = recorder.recording_time_s();
  json["psnr"] = rows.back().psnr;
  json["ssim"] = rows.back().ssim;
  json["mse"] = rows.back().mse;
  json["objective"] = rows.back().objective;
  json["relative_change"] = rows.back().relative_change;
  json.update(to_json(description.totals));
  return json;
}

ordered_json statistics(const Recorder& recorder, const std::vector<RankRecord>& records) {
  ordered_json all = ordered_json::object();
  ordered_json ranks = ordered_json::array();
  for (std::size_t rank = 0; rank < records.size(); ++rank) {
    const detail::Machine& machine = records[rank].machine;
    ranks.push_back({{"rank", rank}, {"host", machine.host.data()}, {"threads", machine.threads}});
  }
  for (const MetricsColumn& quantity : detail::quantities()) {
    std::vector<double> of_all;
    for (std::size_t rank = 0; rank < records.size(); ++rank) {
      const std::vector<double> mine = detail::measured(records[rank].rows, quantity);
      of_all.insert(of_all.end(), mine.begin(), mine.end());
      ranks[rank][quantity.name] = to_json(detail::spread(mine));
    }
    all[quantity.name] = to_json(detail::spread(std::move(of_all)));
  }
  const std::vector<MetricsRow>& rows = recorder.rows();
  return {{"warmup_iterations", recorder.options().warmup},
          {"repetitions", rows.empty() ? 0 : rows.back().repetition + 1},
          {"of", "iterations after the warm-up, of all repetitions and ranks"},
          {"all", all},
          {"per_rank", ranks}};
}

std::string file_name(const std::string& label) {
  std::string name = label;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name + ".png";
}

/// Writes the pictures; returns their labels and files.
ordered_json write_pictures(const fs::path& folder, const Recorder& recorder,
                            const RunDescription& description) {
  std::vector<Panel> panels = description.shown;
  if (panels.empty()) {
    panels.push_back({"reconstruction", recorder.result()->x});
    if (recorder.options().truth.defined()) panels.push_back({"truth", recorder.options().truth});
  }
  panels.insert(panels.end(), description.pictures.begin(), description.pictures.end());
  ordered_json list = ordered_json::array();
  for (Panel& panel : panels) {
    if (panel.image.dim() == 5) panel.image = panel.image.select(2, panel.image.size(2) / 2);
    const bool is_picture = panel.image.dim() == 4 && panel.image.size(0) == 1 &&
                            (panel.image.size(1) == 1 || panel.image.size(1) == 3);
    if (!is_picture) continue;  // a batch: nothing to look at
    write_image((folder / file_name(panel.label)).string(), panel.image,
                {.samples = description.samples});
    list.push_back({{"label", panel.label}, {"file", file_name(panel.label)}});
  }
  return list;
}

ordered_json machine_of(const detail::Machine& machine) {
  return {{"processor", machine.processor.data()},
          {"cores", machine.cores},
          {"threads_per_rank", machine.threads},
          {"memory_mb", machine.memory_mb}};
}

/// Files of an earlier run on more ranks, or of one with tiles.
void remove_stale(const fs::path& folder, int ranks, bool has_plan) {
  std::error_code ignored;
  for (int rank = ranks; fs::remove(folder / fmt::format("rank_{}.csv", rank), ignored); ++rank) {
  }
  if (!has_plan) fs::remove(folder / "plan.json", ignored);
}

/// The description, with the tiles of the recorder's denoiser where it says nothing of them.
RunDescription with_tiles(const RunDescription& given, const Recorder& recorder) {
  RunDescription description = given;
  const Tensor& x = recorder.result()->x;
  const auto* tiled = dynamic_cast<const TiledDenoiser*>(recorder.options().denoiser.get());
  if (tiled == nullptr) return description;
  if (!description.plan) description.plan = tiled->plan(x.sizes(), x.element_size());
  if (description.tiling.empty()) {
    description.tiling = tiled->summary(x.sizes(), x.element_size());
  }
  return description;
}

void write_files(const fs::path& folder, const Recorder& recorder,
                 const RunDescription& description, const std::vector<RankRecord>& records) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) {
    throw error::Io(fmt::format("{}: cannot be created: {}", folder.string(), failure.message()));
  }
  const auto ranks = static_cast<int>(records.size());
  const ordered_json pictures = write_pictures(folder, recorder, description);
  write_metrics_csv((folder / "metrics.csv").string(), recorder.rows());
  for (int rank = 0; rank < ranks; ++rank) {
    write_rank_csv((folder / fmt::format("rank_{}.csv", rank)).string(),
                   records[static_cast<std::size_t>(rank)].rows);
  }
  const BoxSpacePtr& space = recorder.options().space;
  if (description.plan) {
    write_text(folder / "plan.json", to_text(*description.plan, ranks));
  } else if (space) {
    write_text(folder / "plan.json", to_text(*space));
  }
  remove_stale(folder, ranks, description.plan || space);

  ordered_json hosts = ordered_json::array();
  for (const RankRecord& record : records) hosts.push_back(record.machine.host.data());
  const Tensor& x = recorder.result()->x;
  Extents shape = x.sizes().vec();
  if (space) std::copy(space->extents().begin(), space->extents().end(), shape.begin() + 2);
  ordered_json summary = {
      {"completed", true},
      {"configuration", to_json(description.configuration)},
      {"versions", {{"tessera", TESSERA_VERSION}, {"libtorch", TORCH_VERSION}}},
      {"ranks", ranks},
      {"hosts", hosts},
      {"device", x.device().is_cpu() ? "cpu" : c10::DeviceTypeName(x.device().type(), true)},
      {"machine", machine_of(records.front().machine)},
      {"shape", shape},
      {"tile_plan", description.tiling},
      {"operators_per_rank", description.operators_per_rank},
      {"totals", totals(recorder, description)},
      {"statistics", statistics(recorder, records)},
      {"stopped", to_string(recorder.result()->reason)},
      {"pictures", pictures}};
  if (const DenoiserPtr& denoiser = recorder.options().denoiser) {
    summary["denoiser"] = denoiser->name();
  }
  summary.update(to_json(description.more));
  write_text(folder / "summary.json", to_text(summary, 2) + "\n");
}

}  // namespace

void write_run(const std::string& folder, Communicator& ranks, const Recorder& recorder,
               const RunDescription& description) {
  constexpr const char* who = "write_run";
  guarded(ranks, who, [&] {
    if (!recorder.result()) {
      throw error::InvalidArgument("write_run: the recorder has seen no run end");
    }
  });
  const std::vector<RankRecord> records = gather(ranks, recorder);
  guarded(ranks, who, [&] {
    if (ranks.is_root()) {
      write_files(folder, recorder, with_tiles(description, recorder), records);
    }
  });
}

}  // namespace tessera
