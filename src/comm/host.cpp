#include "tessera/comm/host.hpp"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <numeric>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "cores.hpp"
#include "gather.hpp"
#include "launcher.hpp"

namespace tessera {
namespace {

/// Numbers of the cores in the affinity mask of this thread; none where that is not known.
std::vector<int> affinity() {
  std::vector<int> cores;
#ifdef __linux__
  constexpr std::size_t bits = 8 * sizeof(cpu_set_t);
  for (std::size_t sets = 1; sets <= 64; sets *= 2) {  // the mask may be longer than one cpu_set_t
    std::vector<cpu_set_t> mask(sets);
    const std::size_t bytes = sets * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, bytes, mask.data()) == 0) {
      for (std::size_t core = 0; core < sets * bits; ++core) {
        if (CPU_ISSET_S(core, bytes, mask.data())) cores.push_back(static_cast<int>(core));
      }
      break;
    }
    if (errno != EINVAL) break;
  }
#endif
  return cores;
}

std::string memberships() {
  std::ifstream file("/proc/self/cgroup");
  return {std::istreambuf_iterator<char>(file), {}};
}

detail::RankCores this_process() {
  detail::RankCores process{host_name(), memberships(), affinity(), std::nullopt};
  process.quota = detail::cpu_quota(process.group, "/sys/fs/cgroup");
  if (process.cores.empty()) {
    process.cores.resize(std::max(1U, std::thread::hardware_concurrency()));
    std::iota(process.cores.begin(), process.cores.end(), 0);
  }
  return process;
}

/// Collective. Where every rank may run.
std::vector<detail::RankCores> all_processes(Communicator& world, const detail::RankCores& mine) {
  std::ostringstream line;  // host, group, quota, then cores; no name holds a zero byte
  line << mine.host << '\0' << mine.group << '\0' << mine.quota.value_or(0);
  for (const int core : mine.cores) line << ' ' << core;
  std::vector<detail::RankCores> ranks;
  for (const std::string& text : detail::gather_texts(world, line.str())) {
    detail::RankCores rank;
    std::istringstream fields(text);
    std::getline(fields, rank.host, '\0');
    std::getline(fields, rank.group, '\0');
    double quota = 0;
    fields >> quota;
    if (quota > 0) rank.quota = quota;
    for (int core = 0; fields >> core;) rank.cores.push_back(core);
    ranks.push_back(std::move(rank));
  }
  return ranks;
}

}  // namespace

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

int usable_cores() {
  return detail::share_of_cores({this_process()}, 0);
}

int cores_of_host(Communicator& world) {
  return detail::cores_of_host(all_processes(world, this_process()), world.rank());
}

int ranks_of_host(Communicator& world) {
  const std::string mine = host_name();
  const std::vector<std::string> hosts = detail::gather_texts(world, mine);
  return static_cast<int>(std::count(hosts.begin(), hosts.end(), mine));
}

std::optional<int> threads_asked_for() {
  return detail::threads_asked_for(detail::process_environment(), usable_cores());
}

int threads_for_this_rank(Communicator& world, int wanted) {
  // All ranks gather, whatever each was told: they need not have been told the same.
  const std::vector<detail::RankCores> ranks = all_processes(world, this_process());
  if (wanted > 0) return wanted;
  return threads_asked_for().value_or(detail::share_of_cores(ranks, world.rank()));
}

int share_cores(Communicator& world, int wanted) {
  const int threads = threads_for_this_rank(world, wanted);
  at::set_num_threads(threads);
  return threads;
}

bool launched_by_mpi() {
  return detail::launched_by_mpi(detail::process_environment());
}

bool first_of_launcher() {
  return detail::first_of_launcher(detail::process_environment());
}

}  // namespace tessera
