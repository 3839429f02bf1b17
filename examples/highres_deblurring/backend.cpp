#include "backend.hpp"

#include <algorithm>

#include "problem.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/core/error.hpp"
#ifdef TESSERA_EXAMPLE_NCCL
#include "tessera/comm/nccl.hpp"
#endif

using tessera::error::InvalidArgument;

namespace {

#ifdef TESSERA_EXAMPLE_NCCL
constexpr bool has_nccl = true;
tessera::CommunicatorPtr over_nccl(const tessera::CommunicatorPtr& world, int gpu) {
  return tessera::nccl_communicator(world, {.device = gpu});
}
#else
constexpr bool has_nccl = false;
tessera::CommunicatorPtr over_nccl(const tessera::CommunicatorPtr& world, int) {
  return world;
}
#endif

void check(const Options& options, const tessera::GpuChoice& gpu) {
  if (options.backend == "nccl" && options.device != "cuda") {
    throw InvalidArgument("--backend nccl: works between GPUs, give --device cuda with it");
  }
  if (options.backend == "nccl" && !has_nccl) {
    throw InvalidArgument(
        "--backend nccl: this program was built without NCCL; give --backend mpi, or build it with "
        "-DTESSERA_NCCL=ON");
  }
  device(options);
  if (options.backend == "nccl" && gpu.sharers > 1) {
    throw InvalidArgument(
        "--backend nccl: there are more ranks than GPUs on this host; start one rank for each GPU, "
        "or give --backend mpi");
  }
}

}  // namespace

tessera::CommunicatorPtr make_backend(Options& options, const tessera::CommunicatorPtr& world) {
  const tessera::GpuChoice gpu = tessera::gpu_of_this_rank(*world);
  options.gpu = std::max(0, gpu.device);
  tessera::guarded(*world, "highres_deblurring", [&] { check(options, gpu); });
  const bool is_shared = tessera::any_rank(*world, "highres_deblurring: GPUs", gpu.sharers > 1);
  const bool wants_nccl = options.backend == "nccl" || (options.backend == "auto" && !is_shared);
  if (options.device != "cuda" || !has_nccl || !wants_nccl) return world;
  return over_nccl(world, options.gpu);
}
