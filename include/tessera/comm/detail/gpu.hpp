// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/detail/CUDAHooksInterface.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "tessera/comm/detail/gather.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/core/text.hpp"

namespace tessera::detail {

/// What a rank sees.
struct VisibleGpus {
  std::string host;
  std::vector<std::string> devices;  ///< a name of each that is the same for all ranks of the host
};

/// The device of every rank: the one with the fewest ranks so far, the first among equals. Ranks
/// that see fewer choose before those that see more, so that these leave them theirs.
std::vector<GpuChoice> choose_gpus(const std::vector<VisibleGpus>& ranks);

/// A function of the CUDA runtime that LibTorch or NCCL brought along; null without one.
template <typename Function>
Function* runtime(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_DEFAULT, name));
}

inline int visible_count() {
  int count = 0;
  if (auto* ask = runtime<int(int*)>("cudaGetDeviceCount")) return ask(&count) == 0 ? count : 0;
  return std::max(0, static_cast<int>(at::detail::getCUDAHooks().getNumGPUs()));
}

/// Names of the devices that this process sees, one a line: their places on the bus, which all
/// processes of the host call the same, or their indices where those cannot be had.
inline std::string visible_devices() {
  auto* place = runtime<int(char*, int, int)>("cudaDeviceGetPCIBusId");
  std::string names;
  for (int device = 0; device < visible_count(); ++device) {
    std::array<char, 64> name{};
    const bool known = place != nullptr && place(name.data(), name.size(), device) == 0;
    names += known ? formatted("{}\n", name.data()) : formatted("{}\n", device);
  }
  return names;
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

inline std::vector<GpuChoice> choose_gpus(const std::vector<VisibleGpus>& ranks) {
  std::vector<std::size_t> order(ranks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return ranks[a].devices.size() < ranks[b].devices.size();
  });
  std::map<std::pair<std::string, std::string>, int> users;  // of (host, device)
  const auto users_of = [&](std::size_t rank, std::size_t device) -> int& {
    return users[{ranks[rank].host, ranks[rank].devices[device]}];
  };
  std::vector<GpuChoice> choices(ranks.size());
  for (const std::size_t rank : order) {
    if (ranks[rank].devices.empty()) continue;
    std::size_t best = 0;
    for (std::size_t device = 1; device < ranks[rank].devices.size(); ++device) {
      if (users_of(rank, device) < users_of(rank, best)) best = device;
    }
    ++users_of(rank, best);
    choices[rank].device = static_cast<int>(best);
  }
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    GpuChoice& choice = choices[rank];
    if (choice.device >= 0)
      choice.sharers = users_of(rank, static_cast<std::size_t>(choice.device));
  }
  return choices;
}

}  // namespace tessera::detail

namespace tessera {

inline GpuChoice gpu_of_this_rank(Communicator& world) {
  const std::vector<std::string> hosts = detail::gather_texts(world, host_name());
  const std::vector<std::string> devices = detail::gather_texts(world, detail::visible_devices());
  std::vector<detail::VisibleGpus> ranks;
  for (std::size_t rank = 0; rank < hosts.size(); ++rank)
    ranks.push_back({hosts[rank], detail::lines_of(devices[rank])});
  return detail::choose_gpus(ranks)[static_cast<std::size_t>(world.rank())];
}

}  // namespace tessera
