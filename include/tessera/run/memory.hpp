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

}  // namespace tessera
