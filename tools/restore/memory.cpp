// SPDX-License-Identifier: BSD-3-Clause
#include "restore/memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <variant>
#include <vector>

#include "restoration/memory_need.hpp"
#include "restore/pictures.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/sharded_denoiser.hpp"
#include "tessera/prior/ridge_denoiser.hpp"
#include "tessera/run/memory.hpp"

namespace restore {

using namespace tessera;
using restoration::PriorKind;
using restoration::SolverKind;

namespace {

/// What a rank holds, in images, measured as peaks of the resident set. The allocator returns large
/// tensors to the system at once, and keeps holes where small ones were.
struct Images {
  double large = 0;
  double small = 0;
};

/// Tensors from here on are large: the most that malloc's threshold for mmap grows to.
constexpr double bytes_of_large = 32.0 * 1024 * 1024;

/// Of the first measurement and all that is there once.
Images images_of(const Plan& plan) {
  const bool is_volume = plan.image.size() == 5;
  const bool is_variation = plan.prior == PriorName::tv;
  switch (plan.method.solver) {
    case SolverKind::primal_dual:
      return is_volume ? Images{30, 62} : Images{23.5, 43};
    case SolverKind::proximal_gradient:
      return is_variation ? Images{22, 35} : Images{22, 27};
    case SolverKind::admm:
      return is_variation ? Images{21, 30} : Images{18, 25};
    case SolverKind::dpir:
      return is_volume ? Images{20, 30} : Images{13.5, 20};
    case SolverKind::pnp:
      return is_volume ? Images{16, 27} : Images{12, 21};
    case SolverKind::mlem:
      break;
  }
  return is_volume ? Images{16, 25} : Images{14, 19};
}

/// Of each further one: itself, its operator and what is made of both.
constexpr Images images_of_measurement = {6, 9};

/// Of conjugate gradients, where dpir and admm have no closed form.
constexpr Images images_of_inner_solves = {6, 11};

/// Of each alias and channel, of which a circulant operator behind a down-sampling has factor^2.
constexpr double images_of_alias = 3.6;

/// Of each value of a sparse matrix: its triplet as read, as sorted, and in both orders of storage.
constexpr double bytes_of_entry = 80;

/// Of each filter of the prior ridge, whose responses are images, together one tensor.
constexpr Images images_of_filter = {11.5, 21};

/// LibTorch's parts that are only touched at work.
constexpr double bytes_at_work = 15e6;

/// Of each sample of a file that is decoded whole, by every rank for itself: as float32, as it is
/// stored, and the file.
constexpr double bytes_of_decoded = 7;

/// Where the resident set is not known.
constexpr double bytes_of_process = 150e6;

/// So many images of `image` bytes each, of which the largest tensors hold `together`.
double in_bytes(double image, double together, const Images& images) {
  return image * (together * image < bytes_of_large ? images.small : images.large);
}
double in_bytes(const Inputs& inputs, const Images& images) {
  // The duals of total variation are one tensor, an image for each axis.
  const std::int64_t together = inputs.plan.prior == PriorName::tv ? inputs.image.dim() - 2 : 1;
  return in_bytes(static_cast<double>(inputs.image.nbytes()), static_cast<double>(together),
                  images);
}

double bytes_of_denoiser(const Inputs& inputs) {
  if (!inputs.denoiser) return 0;
  if (const auto* ridge = dynamic_cast<const RidgeDenoiser*>(inputs.denoiser.get())) {
    const auto filters = static_cast<double>(ridge->prior().filter_count());
    return in_bytes(filters * static_cast<double>(inputs.image.nbytes()), 1, images_of_filter);
  }
  const bool is_network = inputs.plan.prior != PriorName::tv;  // of float32
  if (!is_network) return 0;
  double elements = inputs.denoiser->memory_estimate(inputs.plan.image).value_or(0);
  if (const auto* sharded = dynamic_cast<const ShardedDenoiser*>(inputs.denoiser.get())) {
    const TiledDenoiser& tiled = sharded->tiled();
    Extents tile = {1, inputs.plan.image[1]};
    const Extents window = tiled.plan(inputs.plan.image).costs({.ranks = 1}).largest_window;
    tile.insert(tile.end(), window.begin(), window.end());
    elements = tiled.denoiser().memory_estimate(tile).value_or(0);
  }
  return 4 * elements + restoration::bytes_of_weights(inputs.config.prior.weights);
}

/// The factor of the down-sampling, or 1, of steps that a Fourier transform makes a closed form of;
/// 0 of others.
std::int64_t circulant_factor(const std::vector<Step>& steps) {
  std::int64_t factor = 1;
  for (const Step& step : steps) {
    const auto* blur = std::get_if<BlurStep>(&step);
    const auto* sampling = std::get_if<DownSamplingStep>(&step);
    if (factor > 1 || (sampling == nullptr && blur == nullptr)) return 0;
    if (blur != nullptr && blur->border != Padding::circular) return 0;
    if (sampling != nullptr) factor = sampling->factor;
  }
  return factor;
}

/// Of this rank's operators beside what any has.
double bytes_of_operators(const Inputs& inputs) {
  const auto channels = static_cast<double>(inputs.plan.image[1]);
  double aliases = 0;
  double entries = 0;
  for (const auto& [index, loaded] : inputs.held) {
    const auto& steps = inputs.config.measurements[static_cast<std::size_t>(index)].steps;
    const auto factor = static_cast<double>(circulant_factor(steps));
    if (factor > 1) aliases += factor * factor / channels;
    for (const Tensor& part : loaded.parts) {
      if (part.defined() && part.is_sparse()) entries += static_cast<double>(part._nnz());
    }
  }
  const double images = images_of_alias * aliases;
  return in_bytes(inputs, {images, images}) + bytes_of_entry * entries;
}

/// Of the largest file that ranks decode whole to take their box of it.
double bytes_of_decoding(const Inputs& inputs) {
  double samples = 0;
  for (const auto& [index, loaded] : inputs.held) {
    const Measurement& measurement = inputs.config.measurements[static_cast<std::size_t>(index)];
    if (!loaded.boxes || !is_decoded_whole(measurement.file)) continue;
    const auto pixels = static_cast<double>(c10::multiply_integers(loaded.boxes->extents()));
    samples = std::max(samples, static_cast<double>(inputs.plan.image[1]) * pixels);
  }
  return bytes_of_decoded * samples;
}

bool solves_inside(const Inputs& inputs) {
  const SolverKind solver = inputs.plan.method.solver;
  if (solver != SolverKind::dpir && solver != SolverKind::admm) return false;
  const std::vector<Measurement>& all = inputs.config.measurements;
  return std::any_of(all.begin(), all.end(),
                     [](const Measurement& each) { return circulant_factor(each.steps) == 0; });
}

restoration::MemoryNeed need_of(const Inputs& inputs, double resident_mb) {
  Images images = images_of(inputs.plan);
  const auto add = [&](const Images& more, double times) {
    images.large += times * more.large;
    images.small += times * more.small;
  };
  add(images_of_measurement, static_cast<double>(inputs.held.size()) - 1);
  if (solves_inside(inputs)) add(images_of_inner_solves, 1);
  restoration::MemoryNeed need;
  need.bytes_of_denoiser = bytes_of_denoiser(inputs);
  const double before =
      std::isnan(resident_mb) ? bytes_of_process : resident_mb * 1024 * 1024 + bytes_at_work;
  // What is decoded is gone before the solver begins.
  need.bytes_per_rank = before + std::max(bytes_of_decoding(inputs),
                                          in_bytes(inputs, images) + bytes_of_operators(inputs) +
                                              need.bytes_of_denoiser);
  return need;
}

}  // namespace

void tell_memory(Inputs& inputs, const RunOrders& orders, double resident_mb, Communicator& world) {
  const restoration::MemoryNeed need = need_of(inputs, resident_mb);
  const int ranks_here = ranks_of_host(world);
  inputs.plan.rows.push_back({"memory",
                              fmt::format("{:.2f} GB of a rank", need.bytes_per_rank * 1e-9),
                              "estimated, with what the program takes"});
  if (orders.dry_run) return;
  guarded(world, program, [&] {
    restoration::check_memory(
        need, ranks_here,
        fmt::format("for an image of {} and {} measurements",
                    size_words(at::IntArrayRef(inputs.plan.image).slice(2)),
                    inputs.config.measurements.size()),
        "Give solver: {precision: single}, --distribute-image, or more hosts");
  });
}

}  // namespace restore
