// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/run_settings.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

namespace restoration {

using namespace tessera;

TilingOptions tiling_options(const RunSettings& settings) {
  TilingOptions tiling;
  tiling.tiling = settings.tiling;
  tiling.context = settings.overlap;
  tiling.patch = settings.patch_size;
  tiling.overlap = settings.overlap;
  tiling.max_batch_size = settings.max_batch_size;
  if (settings.max_batch_size == 0 && settings.device == at::kCPU) tiling.max_batch_size = 1;
  // Fixed tiles blend in their overlap.
  const std::int64_t most = tiling.blend.values().front();
  Extents blend;
  for (const std::int64_t overlap : settings.overlap.values()) {
    blend.push_back(std::min(most, 2 * overlap));
  }
  tiling.blend = PerAxis(std::move(blend));
  return tiling;
}

RunOptions run_options(const RunSettings& settings, const std::string& program,
                       std::int64_t iterations) {
  return {.program = program,
          .folder = settings.out,
          .device = settings.device,
          .backend = settings.backend,
          .threads = settings.threads,
          .iterations = iterations,
          .repetitions = settings.repetitions,
          .warmup = settings.warmup,
          .checkpoint_every = settings.checkpoint_every,
          .resume = settings.resume,
          .quiet = settings.quiet,
          .shares_work = *settings.distribute_physics || *settings.distribute_denoiser,
          .with_other_ranks = settings.tiling == Tiling::even
                                  ? "tiles are cut anew (--tiling auto), and the result depends a "
                                    "little on the cuts"
                                  : "equal to rounding where the tiles are the same"};
}

void check_together(const RunSettings& settings) {
  if (settings.repetitions > 1 && (settings.checkpoint_every > 0 || settings.resume)) {
    throw CLI::ValidationError("--repetitions",
                               "is for times, --checkpoint-every and --resume for one long run: "
                               "give one of them");
  }
}

}  // namespace restoration
