// SPDX-License-Identifier: BSD-3-Clause
#include "grid/inputs.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tessera/core/error.hpp"
#include "tessera/io/digest.hpp"

namespace grid {

namespace fs = std::filesystem;

namespace {

/// Why a file cannot be read; empty: it can.
std::string obstacle_to_reading(const std::string& path) {
  std::error_code failure;
  const fs::file_status status = fs::status(path, failure);
  if (!fs::exists(status)) return failure.message();
  if (fs::is_directory(status)) return "is a folder";
  if (!fs::is_regular_file(status)) return "is not a regular file";
  return access(path.c_str(), R_OK) == 0 ? "" : std::strerror(errno);
}

/// Who named the file of an option: a place in the grid's file, or the command line.
std::string origin(const std::string& config, const GridRow& row, const std::string& option,
                   const std::string& path) {
  const Setting* setting = find(row.settings, option);
  if (setting == nullptr || setting->value != path) return "--" + option;
  return at_place(config, setting->place) + option;
}

}  // namespace

std::map<std::string, std::string> InputDigests::of(const GridRow& row) {
  std::map<std::string, std::string> digests;
  for (const auto& [option, path] : program_.files_read(row.run)) digests[option] = of_file(path);
  return digests;
}

const std::string& InputDigests::of_file(const std::string& path) {
  std::error_code failure;
  const std::uintmax_t size = fs::file_size(path, failure);
  const fs::file_time_type changed =
      failure ? fs::file_time_type() : fs::last_write_time(path, failure);
  if (failure) throw tessera::error::Io(fmt::format("{}: {}", path, failure.message()));
  Known& known = known_[path];
  if (known.digest.empty() || known.size != size || known.changed != changed) {
    known = {size, changed, tessera::digest_of_file(path)};
  }
  return known.digest;
}

void check_inputs(const std::string& config, const GridRow& row) {
  for (const auto& [option, path] : row.run.files) {
    const std::string obstacle = obstacle_to_reading(path);
    if (obstacle.empty()) continue;
    throw tessera::error::Io(fmt::format("{}: {}: cannot be read: {}",
                                         origin(config, row, option, path), path, obstacle));
  }
}

}  // namespace grid
