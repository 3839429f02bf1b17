// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/memory_need.hpp"

#include <c10/util/Exception.h>
#include <c10/util/accumulate.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <new>
#include <utility>

#include "restoration/sharing.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/run/memory.hpp"

namespace restoration {

using namespace tessera;

namespace {

/// The program with its libraries, measured as a peak of the resident set.
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

std::string gigabytes(double bytes) {
  return fmt::format("{:.1f} GB", bytes * 1e-9);
}

}  // namespace

double bytes_of_weights(const std::string& path) {
  return weight_copies * size_of_file(path);
}

MemoryNeed memory_need(const MemoryQuestion& question) {
  const at::IntArrayRef image = question.image;
  const std::int64_t element = question.bytes_per_element;
  const auto pixels = static_cast<double>(c10::multiply_integers(image.slice(2)));
  const double image_bytes = static_cast<double>(element * image[1]) * pixels;
  const double working = question.denoiser->memory_estimate(image).value_or(0);
  MemoryNeed need;
  if (question.tiling) {
    TilingOptions tiling = *question.tiling;
    tiling.ranks = question.ranks;
    const TiledDenoiser tiled(question.denoiser, self_communicator(), tiling);
    const TileCostOptions costs = {.ranks = question.ranks,
                                   .batch = image[0],
                                   .channels = image[1],
                                   .bytes_per_element = element,
                                   .working_elements_per_pixel = working / pixels};
    const TilePlan tiles = tiled.plan(image, element);
    need.tiles = tiles.summary(costs);
    while (need.tiles.ends_with('\n')) need.tiles.pop_back();
    need.bytes_of_denoiser = tiles.costs(costs).peak_bytes;
  } else if (!question.denoised.empty()) {
    const Extents largest = largest_of(question.denoised);
    Extents box = image.slice(0, 2).vec();
    box.insert(box.end(), largest.begin(), largest.end());
    need.tiles = fmt::format("boxes of at most {} pixels, layer by layer", fmt::join(largest, "x"));
    need.bytes_of_denoiser =
        question.denoiser->memory_estimate(box).value_or(0) * static_cast<double>(element);
  } else {
    need.tiles = fmt::format("the whole image, {}, on every rank", fmt::join(image.slice(2), "x"));
    need.bytes_of_denoiser = working * static_cast<double>(element);
  }
  need.bytes_per_rank = bytes_of_program + need.bytes_of_denoiser + question.images * image_bytes +
                        bytes_of_weights(question.weights);
  return need;
}

MemoryNeed memory_need_of_boxes(MemoryQuestion question, const std::vector<Box>& boxes) {
  const Extents largest = largest_of(boxes);
  Extents window = largest;
  std::string tiles;
  if (question.tiling) {
    TilingOptions tiling = *std::exchange(question.tiling, std::nullopt);
    tiling.ranks = question.ranks;
    const TiledDenoiser tiled(question.denoiser, self_communicator(), tiling);
    const TilePlan plan = tiled.plan(question.image, question.bytes_per_element);
    window = plan.costs({.ranks = question.ranks}).largest_window;
    tiles =
        fmt::format("; {} tiles of at most {} pixels", plan.tiles().size(), fmt::join(window, "x"));
  }
  const auto pixels = [](const Extents& box) {
    return static_cast<double>(c10::multiply_integers(box));
  };
  question.ranks = 1;
  question.images *= pixels(largest) / pixels(window);
  question.image.resize(2);
  question.image.insert(question.image.end(), window.begin(), window.end());
  MemoryNeed need = memory_need(question);
  need.tiles = fmt::format("boxes of at most {} pixels{}", fmt::join(largest, "x"), tiles);
  return need;
}

void check_memory(const MemoryNeed& need, int ranks_on_host, const std::string& what,
                  const std::string& advice) {
  const double host = memory_available_to_host() / ranks_on_host;
  const double process = memory_available_to_process();
  const double available = std::min(host, process);
  if (need.bytes_per_rank <= available) return;
  throw error::InvalidArgument(fmt::format(
      "not enough memory: a rank needs about {} {}, the denoiser {} of it; {} are available to "
      "it{}. {}",
      gigabytes(need.bytes_per_rank), what, gigabytes(need.bytes_of_denoiser), gigabytes(available),
      host <= process && ranks_on_host > 1 ? fmt::format(", one of {} on this host", ranks_on_host)
                                           : "",
      advice));
}

void rethrow_with_advice(const std::string& advice) {
  constexpr auto explained = [](std::string message) {
    message.resize(std::min(message.find('\n'), message.size()));
    return "out of memory: " + message + ". ";
  };
  try {
    throw;
  } catch (const error::RankFailure& failure) {
    if (!speaks_of_memory(failure.what())) throw;
    throw error::RankFailure(failure.rank(), failure.size(), explained(failure.what()) + advice);
  } catch (const std::bad_alloc&) {
    throw error::Io(explained("an allocation of the restoration failed") + advice);
  } catch (const c10::Error& failure) {
    if (!speaks_of_memory(failure.what_without_backtrace())) throw;
    throw error::Io(explained(failure.what_without_backtrace()) + advice);
  }
}

}  // namespace restoration
