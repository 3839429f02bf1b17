#pragma once

#include <optional>
#include <string>

#include "cores.hpp"

/// What the variables of launchers say.
namespace tessera::detail {

/// See tessera::launched_by_mpi() and tessera::first_of_launcher().
bool launched_by_mpi(const Environment& environment);
bool first_of_launcher(const Environment& environment);

/// What is wrong if the launcher's environment says that several tasks were started while MPI sees
/// `mpi_size` ranks; nothing if the two agree. PMI_SIZE and OMPI_COMM_WORLD_SIZE, which a launcher
/// sets per job, come before SLURM_NTASKS, which describes the allocation when no srun is involved.
std::optional<std::string> launcher_contradiction(const Environment& environment, int mpi_size);

}  // namespace tessera::detail
