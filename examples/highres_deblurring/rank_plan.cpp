#include "rank_plan.hpp"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <new>

#include "parts.hpp"
#include "problem.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/run/memory.hpp"

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
/// The program with its libraries.
constexpr double bytes_of_program = 190e6;
/// The convolution engine keeps transformed copies of 3x3 weights, 36 numbers for 9.
constexpr double weight_copies = 5;

double size_of_file(const std::string& path) {
  std::error_code failure;
  const auto size = path.empty() ? 0 : std::filesystem::file_size(path, failure);
  return failure ? 0 : static_cast<double>(size);
}

bool speaks_of_memory(const std::string& message) {
  for (const char* words : {"bad_alloc", "can't allocate memory", "out of memory"}) {
    if (message.find(words) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

std::string gigabytes(double bytes) {
  return fmt::format("{:.1f} GB", bytes * 1e-9);
}

RankPlan plan_of_rank(const Options& options, at::IntArrayRef image, const DenoiserPtr& denoiser,
                      int ranks) {
  const auto element = static_cast<std::int64_t>(c10::elementSize(scalar_type(options)));
  const double pixels = static_cast<double>(image[2]) * static_cast<double>(image[3]);
  const double image_bytes = static_cast<double>(element * image[1]) * pixels;
  const double working = denoiser->memory_estimate(image).value_or(0);
  RankPlan plan;
  if (options.distribute_denoiser.value_or(ranks > 1)) {
    check_tiles_fit(options, image);
    TilingOptions tiling = tiling_options(options);
    tiling.ranks = ranks;
    const TiledDenoiser tiled(denoiser, self_communicator(), tiling);
    const TileCostOptions costs = {.ranks = ranks,
                                   .batch = image[0],
                                   .channels = image[1],
                                   .bytes_per_element = element,
                                   .working_elements_per_pixel = working / pixels};
    const TilePlan tiles = tiled.plan(image, element);
    plan.tiles = tiles.summary(costs);
    while (plan.tiles.ends_with('\n')) plan.tiles.pop_back();
    plan.bytes_of_denoiser = tiles.costs(costs).peak_bytes;
  } else {
    plan.tiles = fmt::format("the whole image, {}x{}, on every rank", image[2], image[3]);
    plan.bytes_of_denoiser = working * static_cast<double>(element);
  }
  const bool shares = options.distribute_physics.value_or(ranks > 1);
  const std::int64_t share =
      shares ? (options.num_operators + ranks - 1) / ranks : options.num_operators;
  const double per_operator =
      options.fidelity == "clipped" ? images_per_clipped_operator : images_per_operator;
  plan.bytes_per_rank = bytes_of_program + plan.bytes_of_denoiser +
                        (per_operator * static_cast<double>(share) + images_at_work) * image_bytes +
                        weight_copies * size_of_file(options.weights);
  return plan;
}

void check_memory(const Options& options, at::IntArrayRef image, const RankPlan& plan,
                  int ranks_on_host) {
  const double host = memory_available_to_host() / ranks_on_host;
  const double process = memory_available_to_process();
  const double available = std::min(host, process);
  if (plan.bytes_per_rank <= available) return;
  throw error::InvalidArgument(fmt::format(
      "not enough memory: a rank needs about {} for an image of {}x{} pixels and {} operators, the "
      "denoiser {} of it; {} are available to it{}. {}",
      gigabytes(plan.bytes_per_rank), image[3], image[2], options.num_operators,
      gigabytes(plan.bytes_of_denoiser), gigabytes(available),
      host <= process && ranks_on_host > 1 ? fmt::format(", one of {} on this host", ranks_on_host)
                                           : "",
      advice_on_memory(options)));
}

void rethrow_with_advice(const Options& options) {
  constexpr auto explained = [](std::string message) {
    message.resize(std::min(message.find('\n'), message.size()));
    return "out of memory: " + message + ". ";
  };
  try {
    throw;
  } catch (const error::RankFailure& failure) {
    if (!speaks_of_memory(failure.what())) throw;
    throw error::RankFailure(failure.rank(), failure.size(),
                             explained(failure.what()) + advice_on_memory(options));
  } catch (const std::bad_alloc&) {
    throw error::Io(explained("an allocation of the restoration failed") +
                    advice_on_memory(options));
  } catch (const c10::Error& failure) {
    if (!speaks_of_memory(failure.what_without_backtrace())) throw;
    throw error::Io(explained(failure.what_without_backtrace()) + advice_on_memory(options));
  }
}

std::string advice_on_memory(const Options& options) {
  const bool is_cut = options.distribute_denoiser.value_or(false) && options.tiling == "fixed" &&
                      options.max_batch_size == 1;
  return fmt::format(
      "Give a smaller --image-size{}, fewer --num-operators{}",
      is_cut ? " or --patch-size"
             : ", --distribute-denoiser --tiling fixed --patch-size 256 "
               "--max-batch-size 1 to denoise in small pieces",
      options.dtype == "float64" ? ", --dtype float32, or more hosts" : ", or more hosts");
}
