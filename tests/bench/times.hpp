// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace bench {

template <typename Work>
double seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Smallest and middle of several times.
struct Times {
  std::vector<double> all;

  void add(double time) { all.insert(std::upper_bound(all.begin(), all.end(), time), time); }
  double median() const { return all[all.size() / 2]; }
  /// `share`: of a measured time, what the operations took.
  std::string json(double flop, double share = 1) const {
    const double least = share * all.front();
    return fmt::format("{{\"min_s\": {:.4f}, \"median_s\": {:.4f}, \"gflops_of_min\": {:.1f}}}",
                       least, share * median(), flop / least * 1e-9);
  }
};

}  // namespace bench
