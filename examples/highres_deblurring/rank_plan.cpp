// SPDX-License-Identifier: BSD-3-Clause
#include "rank_plan.hpp"

#include <fmt/format.h>

#include "parts.hpp"

using namespace tessera;

namespace {

// Measured as peaks of the resident set, 256 to 2048 pixels, 8 and 24 operators, allocator
// included.
/// Images of the size of x that the solver and the gradient hold.
constexpr double images_at_work = 8;
/// For each operator: its measurement, its spectrum, and what making them leaves; the likelihood of
/// clipped measurements also holds what each would be.
constexpr double images_per_operator = 2.3;
constexpr double images_per_clipped_operator = 3.2;

}  // namespace

restoration::MemoryNeed plan_of_rank(const Options& options, at::IntArrayRef image,
                                     const DenoiserPtr& denoiser, int ranks) {
  const bool shares = options.distribute_physics.value_or(ranks > 1);
  const std::int64_t share =
      shares ? (options.num_operators + ranks - 1) / ranks : options.num_operators;
  const bool is_clipped = options.fidelity == FidelityKind::clipped;
  const double per_operator = is_clipped ? images_per_clipped_operator : images_per_operator;
  restoration::MemoryQuestion question{
      .image = image.vec(),
      .bytes_per_element = static_cast<std::int64_t>(c10::elementSize(options.dtype)),
      .ranks = ranks,
      .denoiser = denoiser,
      .weights = options.weights,
      .tiling = {},
      .images = per_operator * static_cast<double>(share) + images_at_work};
  if (options.distribute_denoiser.value_or(ranks > 1)) {
    check_tiles_fit(options, image);
    question.tiling = tiling_options(options);
  }
  return restoration::memory_need(question);
}

std::string advice_on_memory(const Options& options) {
  const bool is_cut = options.distribute_denoiser.value_or(false) &&
                      options.tiling == Tiling::fixed && options.max_batch_size == 1;
  return fmt::format(
      "Give a smaller --image-size{}, fewer --num-operators{}",
      is_cut ? " or --patch-size"
             : ", --distribute-denoiser --tiling fixed --patch-size 256 "
               "--max-batch-size 1 to denoise in small pieces",
      options.dtype == at::kDouble ? ", --dtype float32, or more hosts" : ", or more hosts");
}
