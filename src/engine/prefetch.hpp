// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstdint>

namespace tessera::engine {

/// Runs of memory that will soon be wanted, handed out in chunks of cache lines at an even pace
/// while products, which leave the memory idle, are computed.
class PrefetchList {
 public:
  static constexpr std::int64_t line_bytes = 64;

  void add(const void* begin, std::int64_t bytes) {
    if (count_ == run_count || bytes <= 0) return;
    runs_[count_++] = {static_cast<const char*>(begin), (bytes + line_bytes - 1) / line_bytes};
    total_ += runs_[count_ - 1].lines;
  }

  /// `turns` calls of next(), each good for `chunk` lines, are to come.
  void pace(std::int64_t turns, std::int64_t chunk) {
    chunk_ = std::max<std::int64_t>(chunk, 1);
    const std::int64_t wanted = total_ / chunk_ + count_;
    every_ = wanted > 0 ? std::max<std::int64_t>(1, turns * 7 / (8 * wanted)) : 0;
    wait_ = every_;
  }

  /// The next chunk's first line, or null if nothing is due.
  const char* next() {
    if (current_ == count_ || --wait_ > 0) return nullptr;
    wait_ = every_;
    Run& run = runs_[current_];
    const char* line = run.begin;
    run.begin += chunk_ * line_bytes;
    run.lines -= chunk_;
    if (run.lines <= 0) ++current_;
    return line;
  }

 private:
  struct Run {
    const char* begin;
    std::int64_t lines;
  };
  static constexpr int run_count = 64;
  Run runs_[run_count];
  int count_ = 0;
  int current_ = 0;
  std::int64_t total_ = 0;
  std::int64_t chunk_ = 1;
  std::int64_t every_ = 0;
  std::int64_t wait_ = 0;
};

}  // namespace tessera::engine
