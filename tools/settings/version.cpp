// SPDX-License-Identifier: BSD-3-Clause
#include "settings/version.hpp"

#include <ATen/Context.h>
#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <fmt/format.h>
#include <torch/version.h>

#include "tessera/core/version.hpp"
#ifdef TESSERA_SETTINGS_MPI
#include "tessera/comm/mpi.hpp"
#endif

namespace settings {

namespace {

std::string mpi_text() {
#ifdef TESSERA_SETTINGS_MPI
  return tessera::mpi_library();
#else
  return "none";
#endif
}

std::string cuda_text() {
  if (!at::globalContext().hasCUDA()) return "none";
  const at::CUDAHooksInterface& cuda = at::detail::getCUDAHooks();
  return fmt::format("runtime {}, {} GPUs", cuda.versionCUDART(),
                     static_cast<int>(cuda.getNumGPUs()));
}

}  // namespace

std::string version_text(const std::string& program) {
  return fmt::format(
      "{} (tessera {})\ncompiler: {}\ncomponents: {}\nLibTorch: {}\nMPI: {}\nCUDA: {}\n"
      "processor: {}",
      program, TESSERA_VERSION, TESSERA_SETTINGS_COMPILER, TESSERA_SETTINGS_COMPONENTS,
      TORCH_VERSION, mpi_text(), cuda_text(), at::get_cpu_capability());
}

}  // namespace settings
