#pragma once

#include <optional>
#include <string>

#include "tessera/comm/communicator.hpp"

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

}  // namespace tessera
