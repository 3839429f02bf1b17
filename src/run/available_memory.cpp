// SPDX-License-Identifier: BSD-3-Clause
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include "tessera/run/memory.hpp"

namespace tessera {

namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();

/// The number that follows a word at the beginning of a line; `otherwise` if there is none.
double number_after(const std::string& path, const std::string& word, double otherwise) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(word)) continue;
    try {
      return std::stod(line.substr(word.size()));
    } catch (const std::exception&) {
      return otherwise;  // "max"
    }
  }
  return otherwise;
}

/// What the limit of one control group leaves; pages of files that it can drop count as free.
double left_by(const std::string& group, const char* limit, const char* usage, const char* cached) {
  const double most = number_after(group + limit, "", unlimited);
  const double used = number_after(group + usage, "", 0);
  const double pages = number_after(group + "/memory.stat", cached, 0);
  return std::max(0.0, most - std::max(0.0, used - pages));
}

/// Over the process's group and those that it lies in.
double left_by_groups() {
  double least = unlimited;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t colon = line.rfind(':');
    const bool is_second = line.starts_with("0::");
    if (colon == std::string::npos || (!is_second && line.find(":memory:") == std::string::npos)) {
      continue;
    }
    std::filesystem::path group = line.substr(colon + 1);
    while (true) {
      const std::string below = group == "/" ? "" : group.string();
      least = std::min(
          least, is_second ? left_by("/sys/fs/cgroup" + below, "/memory.max", "/memory.current",
                                     "inactive_file ")
                           : left_by("/sys/fs/cgroup/memory" + below, "/memory.limit_in_bytes",
                                     "/memory.usage_in_bytes", "total_inactive_file "));
      if (!group.has_parent_path() || group.parent_path() == group) break;
      group = group.parent_path();
    }
  }
  return least;
}

double left_by_limit(decltype(RLIMIT_AS) resource, const std::string& used) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return unlimited;
  const double kilobytes = number_after("/proc/self/status", used, 0);
  return std::max(0.0, static_cast<double>(limit.rlim_cur) - 1024 * kilobytes);
}

}  // namespace

double memory_available_to_host() {
  const double kilobytes = number_after("/proc/meminfo", "MemAvailable:", unlimited);
  return std::min(1024 * kilobytes, left_by_groups());
}

double memory_available_to_process() {
  return std::min(left_by_limit(RLIMIT_AS, "VmSize:"), left_by_limit(RLIMIT_DATA, "VmData:"));
}

}  // namespace tessera
