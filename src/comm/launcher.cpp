#include "launcher.hpp"

#include <fmt/format.h>

#include <cstdlib>

namespace tessera {
namespace {

/// Tasks that an environment variable speaks of; nothing if it is not set or not a number.
std::optional<long> tasks(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (end == text || *end != '\0') return std::nullopt;
  return value;
}

std::string sentence(const char* variable, long count) {
  return fmt::format(
      "the launcher started {} tasks ({}={}), but MPI sees a single rank: this program is linked "
      "against "
      "another MPI than its launcher, or was started without one. Start it with the mpiexec or "
      "srun of the MPI "
      "that it was built with",
      count, variable, count);
}

}  // namespace

std::optional<std::string> launcher_contradiction(int mpi_size) {
  if (mpi_size != 1) return std::nullopt;
  bool launched = false;
  for (const char* variable : {"PMI_SIZE", "OMPI_COMM_WORLD_SIZE"}) {
    const std::optional<long> count = tasks(variable);
    if (count && *count > 1) return sentence(variable, *count);
    launched = launched || count.has_value();
  }
  if (launched) return std::nullopt;
  const std::optional<long> count = tasks("SLURM_NTASKS");
  if (count && *count > 1) return sentence("SLURM_NTASKS", *count);
  return std::nullopt;
}

}  // namespace tessera
