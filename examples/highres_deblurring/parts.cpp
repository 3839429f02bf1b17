// SPDX-License-Identifier: BSD-3-Clause
#include "parts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "boxes.hpp"
#include "problem.hpp"
#include "tessera/distributed/box_space.hpp"

using namespace tessera;

DenoiserPtr make_network(Options& options) {
  return restoration::make_denoiser(options.denoiser, options.weights, device(options));
}

restoration::MemoryNeed plan_of_rank(const Options& options, at::IntArrayRef image,
                                     const DenoiserPtr& denoiser, int ranks) {
  // In images of the size of x, measured as peaks of the resident set, 256 to 2048 pixels, 8 and 24
  // operators, allocator included: what the solver and the gradient hold; for each operator, its
  // measurement, its spectrum, and what making them leaves. The likelihood of clipped measurements
  // and mlem also hold what each would be, primal-dual the dual variables and what they are made
  // of. Exchanges of boxes hold as much as some images more.
  const bool has_duals = options.solver == SolverKind::primal_dual;
  const bool has_predictions =
      options.fidelity == FidelityKind::clipped || options.solver == SolverKind::mlem;
  const double of_exchanges = options.distribute_image && ranks > 1 ? 3 : 0;
  const double at_work = (has_duals ? 20 : 8) + of_exchanges;
  const double per_operator = has_duals ? 5.4 : has_predictions ? 3.2 : 2.3;
  const bool shares = !options.distribute_image && options.distribute_physics.value_or(ranks > 1);
  const std::int64_t share =
      shares ? (options.num_operators + ranks - 1) / ranks : options.num_operators;
  restoration::MemoryQuestion question{
      .image = image.vec(),
      .bytes_per_element = static_cast<std::int64_t>(c10::elementSize(options.dtype)),
      .ranks = ranks,
      .denoiser = denoiser,
      .weights = options.weights,
      .tiling = {},
      .denoised = {},
      .images = per_operator * static_cast<double>(share) + at_work};
  const bool is_by_layers = by_layers(options, *denoiser, ranks);
  const bool is_shared = options.distribute_image ? denoises(options)
                                                  : options.distribute_denoiser.value_or(ranks > 1);
  if (is_shared && !is_by_layers) {
    question.tiling = tiling_options(options);
    restoration::check_tiles_fit(*question.tiling, image);
  }
  if (!options.distribute_image && !is_by_layers) return restoration::memory_need(question);
  const std::vector<Box> boxes =
      planned_boxes(image.slice(2).vec(), ranks, box_options(options, image, *denoiser, ranks));
  if (options.distribute_image) return restoration::memory_need_of_boxes(question, boxes);
  question.denoised = boxes;
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
