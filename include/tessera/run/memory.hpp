// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <limits>

#include "tessera/core/tensor.hpp"

namespace tessera {

/// Memory of one device as this rank sees it, in MB of 2^20 bytes; NaN where it is not known.
struct MemoryUse {
  static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  double allocated_mb = unknown;  ///< GPU: held by tensors; CPU: resident set of this process
  double reserved_mb = unknown;   ///< GPU: held by LibTorch's allocator; not known on the CPU
  /// GPU: the most that tensors held since reset_memory_peak(); CPU: the largest resident set of
  /// this process so far.
  double peak_mb = unknown;
  double available_mb = unknown;  ///< GPU: free on the device; CPU: available on the host
};

/// Reads the counters of LibTorch's caching allocator, or of /proc for the CPU.
MemoryUse memory_use(at::Device device);

/// Begins a new peak on a GPU; nothing on the CPU, where the peak belongs to the whole process.
void reset_memory_peak(at::Device device);

/// Memory that all processes of this host that share this process's control group can still get, in
/// bytes: what the kernel calls available, or what the group's limit leaves, whichever is less;
/// infinity where nothing limits it.
double memory_available_to_host();

/// Memory that this process alone can still get, in bytes: what its own limits (RLIMIT_AS,
/// RLIMIT_DATA) leave; infinity where nothing limits it.
double memory_available_to_process();

}  // namespace tessera
