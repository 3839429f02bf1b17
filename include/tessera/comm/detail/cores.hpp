// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

/// Rules about cores, apart from the machine that they are applied to.
namespace tessera::detail {

/// Of a variable's name; nothing where it is not set.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

/// The variables of this process.
Environment process_environment();

/// A whole number from 0 to 2^31 - 1 in decimal digits, with blanks around it; nothing for any
/// other text.
std::optional<int> whole_number(std::string_view text);

/// See tessera::threads_asked_for(). OMP_NUM_THREADS may be a list; its first number counts.
/// Numbers that no machine has, and texts that are no numbers, are as if not set.
std::optional<int> threads_asked_for(const Environment& environment, int usable_cores);

/// Cores' worth of time that control groups allow. `memberships` is the text of
/// /proc/self/cgroup, `mount` where control groups are mounted (/sys/fs/cgroup); versions 1 and 2.
/// The strictest of a group and those above it counts; nothing where none has a bound.
std::optional<double> cpu_quota(std::string_view memberships, const std::string& mount);

/// Where a rank may run.
struct RankCores {
  std::string host;
  std::string group;            ///< ranks of a host in one control group share its quota
  std::vector<int> cores;       ///< numbers of the host's cores that it may use
  std::optional<double> quota;  ///< cores' worth of time, for all of its group
};

/// The share of `rank`: every core is divided by the ranks that may use it, a quota by the ranks of
/// its group. At least one.
int share_of_cores(const std::vector<RankCores>& ranks, int rank);

/// What the ranks on the host of `rank` may use together. At least one.
int cores_of_host(const std::vector<RankCores>& ranks, int rank);

inline constexpr int most_threads = 4096;

inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\n\r";
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

inline std::optional<int> threads_in(const Environment& environment, const char* variable) {
  const std::optional<std::string> text = environment(variable);
  if (!text) return std::nullopt;
  const std::optional<int> value = whole_number(std::string_view(*text).substr(0, text->find(',')));
  return value && *value >= 1 && *value <= most_threads ? value : std::nullopt;
}

inline std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// quota / period; nothing for "max", for -1 and for what is no number.
inline std::optional<double> ratio(std::string_view quota, std::string_view period) {
  const std::optional<int> above = whole_number(quota);
  const std::optional<int> below = whole_number(period);
  if (!above || !below || *above == 0 || *below == 0) return std::nullopt;
  return static_cast<double>(*above) / *below;
}

/// Of one group: a folder with cpu.max (version 2) or cpu.cfs_quota_us (version 1).
inline std::optional<double> quota_in(const std::string& folder) {
  const std::string line = first_line(folder + "/cpu.max");
  if (const std::size_t blank = line.find(' '); blank != std::string::npos)
    return ratio(line.substr(0, blank), line.substr(blank));
  return ratio(first_line(folder + "/cpu.cfs_quota_us"), first_line(folder + "/cpu.cfs_period_us"));
}

inline std::optional<double> stricter(std::optional<double> a, std::optional<double> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

inline bool has_word(std::string_view list, std::string_view word) {
  std::istringstream words{std::string(list)};
  for (std::string each; std::getline(words, each, ',');) {
    if (each == word) return true;
  }
  return false;
}

inline int whole_cores(double cores) {
  // A sum such as 3 x 1/3 must not lose a core to rounding.
  return std::max(1, static_cast<int>(std::min(std::floor(cores + 1e-6), double{most_threads})));
}

inline Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

inline std::optional<int> whole_number(std::string_view text) {
  const std::string_view digits = trimmed(text);
  int value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, code] = std::from_chars(digits.data(), end, value);
  if (code != std::errc() || stop != end || value < 0) return std::nullopt;
  return value;
}

inline std::optional<int> threads_asked_for(const Environment& environment, int usable_cores) {
  if (const auto threads = threads_in(environment, "OMP_NUM_THREADS")) return threads;
  if (const auto threads = threads_in(environment, "SLURM_CPUS_PER_TASK"))
    return std::min(*threads, usable_cores);
  return std::nullopt;
}

inline std::optional<double> cpu_quota(std::string_view memberships, const std::string& mount) {
  std::optional<double> strictest;
  std::istringstream lines{std::string(memberships)};
  for (std::string line; std::getline(lines, line);) {  // number:controllers:/path
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string root = mount;
    if (!controllers.empty()) {
      if (!has_word(controllers, "cpu")) continue;
      root += "/cpu";
    }
    // In a container the path may be the host's, of which only the upper end exists here.
    std::string path = line.substr(second + 1);
    while (!path.empty()) {
      strictest = stricter(strictest, quota_in(root + path));
      path.resize(path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/'));
    }
    strictest = stricter(strictest, quota_in(root));
  }
  return strictest;
}

inline int share_of_cores(const std::vector<RankCores>& ranks, int rank) {
  const RankCores& mine = ranks.at(static_cast<std::size_t>(rank));
  std::map<int, int> users;  // of each core
  int group = 0;
  for (const RankCores& each : ranks) {
    if (each.host != mine.host) continue;
    for (const int core : each.cores) ++users[core];
    if (each.group == mine.group) ++group;
  }
  double share = 0;
  for (const int core : mine.cores) share += 1.0 / users[core];
  if (mine.quota) share = std::min(share, *mine.quota / group);
  return whole_cores(share);
}

inline int cores_of_host(const std::vector<RankCores>& ranks, int rank) {
  const std::string& host = ranks.at(static_cast<std::size_t>(rank)).host;
  constexpr double unbounded = std::numeric_limits<double>::infinity();
  std::set<int> cores;
  std::map<std::string, double> quotas;  // of each group
  for (const RankCores& each : ranks) {
    if (each.host != host) continue;
    cores.insert(each.cores.begin(), each.cores.end());
    quotas[each.group] = each.quota.value_or(unbounded);
  }
  double allowed = 0;
  for (const auto& [group, quota] : quotas) allowed += quota;
  return whole_cores(std::min(static_cast<double>(cores.size()), allowed));
}

}  // namespace tessera::detail
