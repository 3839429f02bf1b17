#pragma once

#include <chrono>

#include "tessera/core/tensor.hpp"

namespace tessera {

/// Runs `work`, waits until the device it ran on is done, and adds the seconds to `total_s`.
template <typename Work>
Tensor timed(double& total_s, Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  Tensor result = work();
  synchronize(result);
  total_s += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace tessera
