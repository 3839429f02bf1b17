#pragma once

#include <optional>
#include <string>

namespace tessera {

/// Local. What is wrong if the launcher's environment says that several tasks were started while
/// MPI sees `mpi_size` ranks; nothing if the two agree. PMI_SIZE and OMPI_COMM_WORLD_SIZE, which a
/// launcher sets per job, come before SLURM_NTASKS, which describes the allocation when no srun is
/// involved.
std::optional<std::string> launcher_contradiction(int mpi_size);

}  // namespace tessera
