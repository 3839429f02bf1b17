#include "launcher.hpp"

#include <fmt/format.h>

namespace tessera::detail {
namespace {

std::optional<int> number(const Environment& environment, const char* variable) {
  const std::optional<std::string> text = environment(variable);
  return text ? whole_number(*text) : std::nullopt;
}

std::string another_mpi(const char* variable, int count) {
  return fmt::format(
      "the launcher started {} tasks ({}={}), but MPI sees a single rank: this program is linked "
      "against another MPI than its launcher. Start it with the mpiexec or srun of the MPI that it "
      "was built with",
      count, variable, count);
}

std::string no_launcher(int count) {
  return fmt::format(
      "this is an allocation of {} tasks (SLURM_NTASKS={}), but MPI sees a single rank: the "
      "program was started without a launcher, or by that of another MPI. For one rank start it "
      "with mpiexec -n 1, for more with the mpiexec or srun of the MPI that it was built with",
      count, count);
}

}  // namespace

bool launched_by_mpi(const Environment& environment) {
  for (const char* variable :
       {"PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK"}) {
    if (environment(variable)) return true;
  }
  return number(environment, "SLURM_STEP_NUM_TASKS").value_or(0) > 1;  // set by srun only
}

bool first_of_launcher(const Environment& environment) {
  for (const char* variable :
       {"PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK", "SLURM_PROCID"}) {
    if (environment(variable)) return number(environment, variable) == 0;
  }
  return true;
}

std::optional<std::string> launcher_contradiction(const Environment& environment, int mpi_size) {
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
