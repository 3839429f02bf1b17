// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>

#include "tessera/comm/detail/cores.hpp"
#include "tessera/core/text.hpp"

/// What the variables of launchers say.
namespace tessera::detail {

/// See tessera::launched_by_mpi() and tessera::first_of_launcher().
bool launched_by_mpi(const Environment& environment);
bool first_of_launcher(const Environment& environment);

/// What is wrong if the launcher's environment says that several tasks were started while MPI sees
/// `mpi_size` ranks; nothing if the two agree. PMI_SIZE and OMPI_COMM_WORLD_SIZE, which a launcher
/// sets per job, come before SLURM_NTASKS, which describes the allocation when no srun is involved.
std::optional<std::string> launcher_contradiction(const Environment& environment, int mpi_size);

inline std::optional<int> number(const Environment& environment, const char* variable) {
  const std::optional<std::string> text = environment(variable);
  return text ? whole_number(*text) : std::nullopt;
}

inline std::string another_mpi(const char* variable, int count) {
  return formatted(
      "the launcher started {} tasks ({}={}), but MPI sees a single rank: this program is linked "
      "against another MPI than its launcher. Start it with the mpiexec or srun of the MPI that it "
      "was built with",
      count, variable, count);
}

inline std::string no_launcher(int count) {
  return formatted(
      "this is an allocation of {} tasks (SLURM_NTASKS={}), but MPI sees a single rank: the "
      "program was started without a launcher, or by that of another MPI. For one rank start it "
      "with mpiexec -n 1, for more with the mpiexec or srun of the MPI that it was built with",
      count, count);
}

inline bool launched_by_mpi(const Environment& environment) {
  for (const char* variable :
       {"PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK"}) {
    if (environment(variable)) return true;
  }
  return number(environment, "SLURM_STEP_NUM_TASKS").value_or(0) > 1;  // set by srun only
}

inline bool first_of_launcher(const Environment& environment) {
  for (const char* variable :
       {"PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK", "SLURM_PROCID"}) {
    if (environment(variable)) return number(environment, variable) == 0;
  }
  return true;
}

inline std::optional<std::string> launcher_contradiction(const Environment& environment,
                                                         int mpi_size) {
  if (mpi_size != 1) return std::nullopt;
  bool launched = false;
  for (const char* variable : {"PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE"}) {
    const std::optional<int> count = number(environment, variable);
    if (count && *count > 1) return another_mpi(variable, *count);
    launched = launched || count.has_value();
  }
  if (launched) return std::nullopt;
  const std::optional<int> count = number(environment, "SLURM_NTASKS");
  if (count && *count > 1) return no_launcher(*count);
  return std::nullopt;
}

}  // namespace tessera::detail
