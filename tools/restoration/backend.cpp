// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/backend.hpp"

#include <ATen/Context.h>

#include <algorithm>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/core/error.hpp"
#ifdef TESSERA_RESTORATION_NCCL
#include "tessera/comm/nccl.hpp"
#endif

namespace restoration {

using tessera::error::InvalidArgument;

namespace {

#ifdef TESSERA_RESTORATION_NCCL
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

void check(at::DeviceType device, Backend backend, const tessera::GpuChoice& gpu) {
  if (backend == Backend::nccl && device == at::kCPU) {
    throw InvalidArgument("--backend nccl: works between GPUs, give --device cuda with it");
  }
  if (backend == Backend::nccl && !has_nccl) {
    throw InvalidArgument(
        "--backend nccl: this program was built without NCCL; give --backend mpi, or build it with "
        "-DTESSERA_NCCL=ON");
  }
  device_of(device, 0);
  if (backend == Backend::nccl && gpu.sharers > 1) {
    throw InvalidArgument(
        "--backend nccl: there are more ranks than GPUs on this host; start one rank for each GPU, "
        "or give --backend mpi");
  }
}

}  // namespace

at::Device device_of(at::DeviceType type, int gpu) {
  if (type == at::kCPU) return at::kCPU;
  if (!at::globalContext().hasCUDA()) {
    throw InvalidArgument(
        "--device cuda: no CUDA device is usable here. Either there is none, or this program was "
        "built without "
        "-DTESSERA_CUDA=ON, or CUDA's libraries are not installed beside LibTorch");
  }
  return {at::kCUDA, static_cast<c10::DeviceIndex>(gpu)};
}

Place choose_place(const tessera::CommunicatorPtr& world, const std::string& program,
                   at::DeviceType device, Backend backend) {
  const tessera::GpuChoice gpu = tessera::gpu_of_this_rank(*world);
  Place place{.ranks = world, .gpu = std::max(0, gpu.device)};
  tessera::guarded(*world, program, [&] { check(device, backend, gpu); });
  const bool is_shared = tessera::any_rank(*world, program + ": GPUs", gpu.sharers > 1);
  const bool wants_nccl = backend == Backend::nccl || (backend == Backend::automatic && !is_shared);
  if (device != at::kCPU && has_nccl && wants_nccl) place.ranks = over_nccl(world, place.gpu);
  return place;
}

}  // namespace restoration
