// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <span>

#include "restore/run.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/communicator.hpp"

namespace restore {

/// Collective. What all ranks have together, elementwise; as many numbers on every rank, which have
/// agreed before. A failure ends the job.
inline void add_up(tessera::Communicator& ranks, std::span<double> numbers,
                   tessera::Reduction reduction = tessera::Reduction::sum) {
  if (ranks.size() == 1) return;
  tessera::committed(ranks, program, [&] {
    ranks.control().all_reduce(numbers.data(), static_cast<std::int64_t>(numbers.size()),
                               tessera::DataType::f64, reduction);
  });
}

}  // namespace restore
