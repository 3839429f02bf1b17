// SPDX-License-Identifier: BSD-3-Clause
#include "grid/state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "grid/folder.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/atomic_file.hpp"
#include "tessera/solver/solver.hpp"

namespace grid {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_text(const std::string& path, const std::string& text) {
  tessera::AtomicFile file(path);
  file.write(text);
  file.commit();
}

/// A number in the totals; NaN if it is not there.
double total(const json& summary, const char* name) {
  const json totals = summary.value("totals", json::object());
  const auto found = totals.find(name);
  const bool is_there = found != totals.end() && found->is_number();
  return is_there ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

/// The first option whose file differs; empty: none.
std::string changed_input(const std::map<std::string, std::string>& before,
                          const std::map<std::string, std::string>& now) {
  for (const auto& [option, digest] : now) {
    const auto found = before.find(option);
    if (found == before.end() || found->second != digest) return option;
  }
  for (const auto& [option, digest] : before) {
    if (!now.contains(option)) return option;
  }
  return "";
}

}  // namespace

std::optional<RowResult> read_result(const std::string& folder) {
  const json summary = json::parse(read_text(folder + "/summary.json"), nullptr, false);
  if (!summary.is_object()) return std::nullopt;
  try {
    if (!summary.value("completed", false)) return std::nullopt;
    RowResult result;
    result.arguments = summary.at("arguments").get<std::vector<std::string>>();
    result.ranks = summary.at("ranks").get<int>();
    result.psnr = total(summary, "psnr");
    result.time_s = total(summary, "time_sec");
    result.diverged =
        summary.value("stopped", "") == tessera::to_string(tessera::StopReason::not_finite);
    if (summary.contains("inputs")) {
      result.inputs = summary.at("inputs").get<std::map<std::string, std::string>>();
    }
    return result;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

Standing standing(const GridRow& row, InputDigests& digests) {
  const std::optional<RowResult> result = read_result(row.out);
  if (!result) return {};
  if (result->arguments != row.run.arguments) return {{}, "its settings are others"};
  if (result->ranks != row.ranks()) {
    return {{}, fmt::format("it is of {} rank{}", result->ranks, result->ranks == 1 ? "" : "s")};
  }
  if (result->diverged || !std::isfinite(result->psnr)) {
    return {{}, "it diverged or has no finite PSNR"};
  }
  if (!result->inputs) return {{}, "it does not say what its files contained"};
  const std::string changed = changed_input(*result->inputs, digests.of(row));
  if (!changed.empty()) return {{}, fmt::format("the file of --{} has other contents", changed)};
  return {result, ""};
}

void prepare_row(const GridRow& row, const Vocabulary& vocabulary, const std::string& command,
                 InputDigests& digests) {
  const std::string& folder = row.out;
  prepare_folder(folder);
  if (!standing(row, digests).reason.empty()) {
    std::error_code failure;
    fs::rename(folder + "/summary.json", folder + "/summary.previous.json", failure);
    if (failure) {
      throw tessera::error::Io(
          fmt::format("{}/summary.json: cannot be renamed: {}", folder, failure.message()));
    }
  }
  write_text(folder + "/command.txt", command + "\n");
  write_text(folder + "/configuration.yml", to_yaml(resolved(row, vocabulary), vocabulary));
}

std::string submitted_job(const GridRow& row) {
  std::string job = read_text(row.out + "/job.txt");
  job.erase(std::min(job.find('\n'), job.size()));
  return job;
}

void remember_job(const GridRow& row, const std::string& job) {
  write_text(row.out + "/job.txt", job + "\n");
}

}  // namespace grid
