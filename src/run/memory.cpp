// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/run/memory.hpp"

#include <c10/core/CachingDeviceAllocator.h>

#include <fstream>
#include <string>

namespace tessera {

namespace {

constexpr double bytes_per_mb = 1024.0 * 1024.0;
constexpr double kb_per_mb = 1024.0;

/// The number after `key:` in a file of lines such as "VmRSS:    1234 kB", in MB.
double value_in_mb(const char* path, const std::string& key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (line.compare(0, key.size(), key) == 0 && line.size() > key.size() &&
        line[key.size()] == ':') {
      return std::strtod(line.c_str() + key.size() + 1, nullptr) / kb_per_mb;
    }
  }
  return MemoryUse::unknown;
}

MemoryUse host_memory() {
  MemoryUse use;
  use.allocated_mb = value_in_mb("/proc/self/status", "VmRSS");
  use.peak_mb = value_in_mb("/proc/self/status", "VmHWM");
  use.available_mb = value_in_mb("/proc/meminfo", "MemAvailable");
  return use;
}

}  // namespace

MemoryUse memory_use(at::Device device) {
  if (device.is_cpu()) return host_memory();
  c10::DeviceAllocator* allocator = c10::getDeviceAllocator(device.type());
  constexpr std::size_t all_pools = 0;
  const auto stats = allocator->getDeviceStats(device.index());
  MemoryUse use;
  use.allocated_mb = static_cast<double>(stats.allocated_bytes[all_pools].current) / bytes_per_mb;
  use.reserved_mb = static_cast<double>(stats.reserved_bytes[all_pools].current) / bytes_per_mb;
  use.peak_mb = static_cast<double>(stats.allocated_bytes[all_pools].peak) / bytes_per_mb;
  use.available_mb =
      static_cast<double>(allocator->getMemoryInfo(device.index()).first) / bytes_per_mb;
  return use;
}

void reset_memory_peak(at::Device device) {
  if (!device.is_cpu()) {
    c10::getDeviceAllocator(device.type())->resetPeakStats(device.index());
  }
}

}  // namespace tessera
