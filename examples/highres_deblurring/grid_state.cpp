#include "grid_state.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "output.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/atomic_file.hpp"

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
    return result;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

std::optional<RowResult> finished(const GridRow& row) {
  std::optional<RowResult> result = read_result(row.options.out);
  if (!result || result->arguments != row.options.arguments || result->ranks != row.ranks()) {
    return std::nullopt;
  }
  return result;
}

void prepare_row(const GridRow& row, const std::string& command) {
  const std::string& folder = row.options.out;
  prepare_folder(folder);
  if (read_result(folder) && !finished(row)) {
    std::error_code failure;
    fs::rename(folder + "/summary.json", folder + "/summary.previous.json", failure);
    if (failure) {
      throw tessera::error::Io(
          fmt::format("{}/summary.json: cannot be renamed: {}", folder, failure.message()));
    }
  }
  write_text(folder + "/command.txt", command + "\n");
  write_text(folder + "/configuration.yml", to_yaml(resolved(row)));
}

std::string submitted_job(const GridRow& row) {
  std::string job = read_text(row.options.out + "/job.txt");
  job.erase(std::min(job.find('\n'), job.size()));
  return job;
}

void remember_job(const GridRow& row, const std::string& job) {
  write_text(row.options.out + "/job.txt", job + "\n");
}
