#pragma once

#include <functional>
#include <optional>
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

}  // namespace tessera::detail
