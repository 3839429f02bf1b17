// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/Parallel.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/comm/detail/cores.hpp"
#include "tessera/comm/detail/gather.hpp"
#include "tessera/comm/detail/launcher.hpp"

/// What ranks that run on one host share: its cores and its GPUs. The one place that reads
/// affinity, control groups and the variables of launchers.
namespace tessera {

/// Local. The name of this host.
std::string host_name();

/// Local. Cores that this process may use: those of its affinity mask, bounded by the CPU quota of
/// its control group; at least one.
int usable_cores();

/// Collective. Cores of this rank's host that its ranks may use together, bounded likewise.
int cores_of_host(Communicator& world);

/// Collective. How many of the ranks run on this rank's host, this one included.
int ranks_of_host(Communicator& world);

/// Local. Threads per rank that the environment asks for: OMP_NUM_THREADS, else
/// SLURM_CPUS_PER_TASK, the latter bounded by usable_cores().
std::optional<int> threads_asked_for();

/// Collective. Threads for this rank: `wanted` if that is positive, else threads_asked_for(), else
/// its share of usable cores. A core that several ranks of a host may use is shared by them; ranks
/// bound to cores of their own have them for themselves. At least one.
int threads_for_this_rank(Communicator& world, int wanted = 0);

/// Collective. Sets LibTorch's number of threads to threads_for_this_rank(world, wanted) and
/// returns it. LibTorch's default is all cores for every rank, with which several ranks of a host
/// slow each other down by orders of magnitude. An MpiSession that starts MPI has done this
/// already.
int share_cores(Communicator& world, int wanted = 0);

/// A CUDA device for a rank.
struct GpuChoice {
  int device = -1;  ///< index among those that the process sees; -1: it sees none
  int sharers = 0;  ///< ranks that have it, this one included
};

/// Collective. The CUDA device for this rank. Ranks of a host that see the same devices take
/// different ones, as far as there are enough; a rank that sees a single one takes it.
GpuChoice gpu_of_this_rank(Communicator& world);

/// Local. Whether a launcher of MPI (mpiexec, or srun with several tasks) started this process.
bool launched_by_mpi();

/// Local. Whether it is the launcher's first process, or without a launcher.
bool first_of_launcher();

namespace detail {

/// Numbers of the cores in the affinity mask of this thread; none where that is not known.
inline std::vector<int> affinity() {
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

inline std::string memberships() {
  std::ifstream file("/proc/self/cgroup");
  return {std::istreambuf_iterator<char>(file), {}};
}

inline RankCores this_process() {
  RankCores process{host_name(), memberships(), affinity(), std::nullopt};
  process.quota = cpu_quota(process.group, "/sys/fs/cgroup");
  if (process.cores.empty()) {
    process.cores.resize(std::max(1U, std::thread::hardware_concurrency()));
    std::iota(process.cores.begin(), process.cores.end(), 0);
  }
  return process;
}

/// Collective. Where every rank may run.
inline std::vector<RankCores> all_processes(Communicator& world, const RankCores& mine) {
  std::ostringstream line;  // host, group, quota, then cores; no name holds a zero byte
  line << mine.host << '\0' << mine.group << '\0' << mine.quota.value_or(0);
  for (const int core : mine.cores) line << ' ' << core;
  std::vector<RankCores> ranks;
  for (const std::string& text : gather_texts(world, line.str())) {
    RankCores rank;
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

}  // namespace detail

inline std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

inline int usable_cores() {
  return detail::share_of_cores({detail::this_process()}, 0);
}

inline int cores_of_host(Communicator& world) {
  return detail::cores_of_host(detail::all_processes(world, detail::this_process()), world.rank());
}

inline int ranks_of_host(Communicator& world) {
  const std::string mine = host_name();
  const std::vector<std::string> hosts = detail::gather_texts(world, mine);
  return static_cast<int>(std::count(hosts.begin(), hosts.end(), mine));
}

inline std::optional<int> threads_asked_for() {
  return detail::threads_asked_for(detail::process_environment(), usable_cores());
}

inline int threads_for_this_rank(Communicator& world, int wanted) {
  // All ranks gather: they need not have been told the same.
  const std::vector<detail::RankCores> ranks = detail::all_processes(world, detail::this_process());
  if (wanted > 0) return wanted;
  return threads_asked_for().value_or(detail::share_of_cores(ranks, world.rank()));
}

inline int share_cores(Communicator& world, int wanted) {
  const int threads = threads_for_this_rank(world, wanted);
  at::set_num_threads(threads);
  return threads;
}

inline bool launched_by_mpi() {
  return detail::launched_by_mpi(detail::process_environment());
}

inline bool first_of_launcher() {
  return detail::first_of_launcher(detail::process_environment());
}

}  // namespace tessera

#include "tessera/comm/detail/gpu.hpp"
