// SPDX-License-Identifier: BSD-3-Clause
#include "machine.hpp"

#include <ATen/Parallel.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "tessera/comm/host.hpp"

namespace tessera::detail {

namespace {

template <std::size_t size>
void copy(const std::string& text, std::array<char, size>& target) {
  std::copy_n(text.begin(), std::min(text.size(), size - 1), target.begin());
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos) {
      return line.substr(line.find(": ") + 2);
    }
  }
  return "unknown";
}

}  // namespace

Machine this_machine(Communicator& ranks) {
  Machine machine;
  copy(host_name(), machine.host);
  copy(processor(), machine.processor);
  machine.cores = cores_of_host(ranks);
  machine.threads = at::get_num_threads();
  machine.memory_mb = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                      static_cast<double>(sysconf(_SC_PAGE_SIZE)) / (1024.0 * 1024.0);
  return machine;
}

}  // namespace tessera::detail
