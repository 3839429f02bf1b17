// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>

#include "tessera/run/recorder.hpp"

namespace tessera {

/// Shows how far a solver is: a bar that redraws itself on a terminal, elsewhere a line now and
/// then. Give it to one rank only; the others need none.
class Progress : public Observer {
 public:
  /// Shows `total` iterations on `stream`; the PSNR beside them if a recorder, called before, knows
  /// it.
  explicit Progress(std::int64_t total, const Recorder* recorder = nullptr,
                    std::FILE* stream = stderr);

  Verdict on_iteration(const Iteration& iteration) override;

 private:
  std::int64_t total_;
  const Recorder* recorder_;
  std::FILE* stream_;
  bool is_terminal_;
  std::chrono::steady_clock::time_point last_line_;
};

}  // namespace tessera
