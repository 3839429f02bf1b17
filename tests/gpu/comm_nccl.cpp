// SPDX-License-Identifier: BSD-3-Clause
#include <cuda_runtime_api.h>

#include <cstdio>
#include <optional>

#include "communicator_suite.hpp"
#include "runner.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/comm/nccl.hpp"
#include "tessera/comm/self.hpp"
#if TESSERA_TEST_WITH_MPI
#include "tessera/comm/mpi.hpp"
#endif

/// The communicator tests over NCCL: on one device when started alone, on several under mpiexec, a
/// rank for each.

using namespace tessera;

namespace {

CommunicatorPtr control;
int device = 0;  // this rank's

test::Space device_space() {
  test::Space space;
  space.allocate = [](std::size_t bytes) {
    void* data = nullptr;
    REQUIRE(cudaMalloc(&data, bytes) == cudaSuccess);
    return data;
  };
  space.release = [](void* data) { cudaFree(data); };
  // On the default stream, which is torch's current one here: it waits for the queued operations.
  space.copy = [](void* to, const void* from, std::size_t bytes) {
    REQUIRE(cudaMemcpy(to, from, bytes, cudaMemcpyDefault) == cudaSuccess);
  };
  return space;
}

}  // namespace

TEST_CASE("nccl: every operation in every type") {
  const CommunicatorPtr communicator = nccl_communicator(control);
  CHECK(communicator->name() == "nccl");
  CHECK(communicator->memory() == Memory::device);
  CHECK(communicator->rank() == control->rank());
  CHECK(communicator->size() == control->size());
  CHECK(&communicator->control() == control.get());
  cudaSetDevice(device);
  test::check_communicator(*communicator, device_space());
}

TEST_CASE("nccl: a device that is not there is refused on every rank") {
  const NcclOptions beyond{.device = 1000};
  if (control->size() == 1) {
    CHECK_THROWS_WITH(nccl_communicator(control, beyond),
                      test::contains("device is 1000, expected one in [0, "));
  } else {
    CHECK_THROWS_AS(nccl_communicator(control, beyond), error::RankFailure);
  }
  CHECK_THROWS_AS(nccl_communicator(nullptr), error::InvalidArgument);
}

int main(int argc, char** argv) {
#if TESSERA_TEST_WITH_MPI
  const MpiSession mpi(argc, argv);
  control = mpi_communicator();
#else
  control = self_communicator();
#endif
  const GpuChoice gpu = gpu_of_this_rank(*control);
  device = gpu.device;
  int code = 0;
  if (any_rank(*control, "gpu_nccl", gpu.sharers != 1)) {
    if (control->is_root()) {
      int devices = 0;
      const cudaError_t error = cudaGetDeviceCount(&devices);
      std::printf("skipped: %d ranks need as many CUDA devices, found %d (%s)\n", control->size(),
                  devices, cudaGetErrorString(error));
      // What a program is told that asks for NCCL all the same.
      try {
        if (control->size() == 1) nccl_communicator(control);
      } catch (const error::InvalidArgument& refusal) {
        std::printf("%s\n", refusal.what());
      }
    }
    code = 77;
  } else {
    code = test::run(argc, argv) == 0 ? 0 : 1;
  }
  control.reset();
  return code;
}
