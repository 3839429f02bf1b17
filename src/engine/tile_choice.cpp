// SPDX-License-Identifier: BSD-3-Clause
#include "tile_choice.hpp"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace tessera::engine {

namespace {

/// Smooth structure and noise, the same on every machine: values in 0 .. 1. The last of several
/// channels, a noise level map where there is one, is constant. For the network whose first kernel
/// is `first`; volumes are few planes, enough to see a kernel's three.
Tensor test_image(const Tensor& first, std::int64_t grid) {
  const std::int64_t channels = first.size(1);
  const std::int64_t extent = round_up(64, grid);
  std::vector<std::int64_t> shape{1, channels, extent, extent};
  std::int64_t depth = 1;
  if (first.dim() == 5) {
    depth = round_up(4, grid);
    shape.insert(shape.begin() + 2, depth);
  }
  Tensor image = at::empty(shape, at::kFloat);
  float* value = image.mutable_data_ptr<float>();
  std::uint32_t state = 1;
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t y = 0; y < depth * extent; ++y) {
      for (std::int64_t x = 0; x < extent; ++x) {
        state = state * 1664525U + 1013904223U;
        const float noise = static_cast<float>(state >> 8) / static_cast<float>(1 << 24);
        const float wave = (y / 9 + x / 13 + c) % 2 == 0 ? 0.2F : 0.6F;
        *value++ = channels > 1 && c == channels - 1 ? 0.1F : wave + 0.2F * noise;
      }
    }
  }
  return image;
}

/// ||a - b|| / ||b||; not a number counts as different.
double relative_difference(const Tensor& a, const Tensor& b) {
  const float* left = a.const_data_ptr<float>();
  const float* right = b.const_data_ptr<float>();
  double difference = 0;
  double norm = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    const double d = static_cast<double>(left[i]) - static_cast<double>(right[i]);
    difference += d * d;
    norm += static_cast<double>(right[i]) * static_cast<double>(right[i]);
  }
  const double relative = norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
  return std::isfinite(relative) ? relative : std::numeric_limits<double>::infinity();
}

}  // namespace

std::unique_ptr<Network> choose_tiles(const std::vector<Tensor>& weights, const Build& build,
                                      std::int64_t grid, const CompileOptions& options) {
  WinogradCache cache;
  const bool meta = std::any_of(weights.begin(), weights.end(),
                                [](const Tensor& weight) { return weight.is_meta(); });
  std::unique_ptr<CompiledNetwork> coarse;
  if (options.tile_tolerance > 0) {
    coarse = build(WeightReader(weights, TileSize::six, cache));
    const bool any = std::any_of(cache.begin(), cache.end(), [](const auto& entry) {
      return entry.first.second == TileSize::six;
    });
    if (!any) coarse.reset();
    // Which tiles a network without values would have is not known: the larger working memory.
    if (meta && any) return coarse;
  }
  std::unique_ptr<CompiledNetwork> fine = build(WeightReader(weights, TileSize::four, cache));
  if (coarse == nullptr) {
    fine->describe(std::string(instruction_set()) + ", tiles of 4");
    return fine;
  }
  const Tensor image = test_image(weights.front(), grid);
  const double difference = relative_difference(coarse->run(image), fine->run(image));
  const bool accepted = difference <= options.tile_tolerance;
  CompiledNetwork& chosen = accepted ? *coarse : *fine;
  chosen.forget_buffers();
  chosen.describe(fmt::format("{}, tiles of {} (those of 6 differ by {:.1e}, tolerance {:.1e})",
                              instruction_set(), accepted ? "6 and 4" : "4", difference,
                              options.tile_tolerance));
  return accepted ? std::move(coarse) : std::move(fine);
}

}  // namespace tessera::engine
