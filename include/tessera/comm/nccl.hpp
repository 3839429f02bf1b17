// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>

#include "tessera/comm/communicator.hpp"

namespace tessera {

struct NcclOptions {
  /// The CUDA device of this rank, among those that it sees. By default the one that
  /// gpu_of_this_rank() (comm/host.hpp) finds: one for each rank of a host.
  std::optional<int> device;
};

/// Collective over `control`. The ranks of `control` as NCCL ranks, one CUDA device each: buffers
/// lie in device memory and operations are queued on torch's current stream of that device, so they
/// return before they are done and are in order with torch's own work. `control` stays the control
/// communicator, in host memory: it carries the id that NCCL starts from, flags, shapes, and
/// barriers.
///
/// Buffers must lie on the rank's device. Errors that NCCL notices later, such as a lost peer, are
/// thrown as error::Communication by the next operation. barrier() also waits for the work queued
/// by this rank. Throws error::RankFailure on all ranks (on a single one error::InvalidArgument) if
/// a rank has no such device, or ranks would share one, and error::Communication if NCCL does not
/// start.
///
/// The destructor waits for queued operations and then frees without communication; after an error,
/// or while an exception is under way, it does not wait.
CommunicatorPtr nccl_communicator(CommunicatorPtr control, const NcclOptions& options = {});

}  // namespace tessera
