// SPDX-License-Identifier: BSD-3-Clause
#include "drunet_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "key_layout.hpp"
#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

constexpr std::int64_t most_scales = 8;

/// The number with most votes, the larger one of equals; `otherwise` without votes.
std::int64_t most_frequent(const std::map<std::int64_t, int>& votes, std::int64_t otherwise) {
  std::int64_t winner = otherwise;
  int most = 0;
  for (const auto& [number, count] : votes) {
    if (count < most) continue;
    winner = number;
    most = count;
  }
  return winner;
}

/// What the keys alone tell: scales, blocks and spatial dimensions. Each stage has one vote for the
/// number of blocks, so that a stage with a missing or surplus block is the one that is blamed.
struct Counts {
  std::int64_t scales = 1;
  std::int64_t blocks = 1;
  std::int64_t dimensions = 2;
};

Counts count(const StateDict& weights) {
  std::set<std::int64_t> levels;
  std::map<std::string, std::int64_t> last_block;  // of each stage
  std::map<std::int64_t, int> dimensions;
  for (const auto& [key, tensor] : weights) {
    for (const std::string stage : {"m_down#", "m_up#", "m_body"}) {
      const auto block = match(key, stage + ".#.res.#.weight");
      const auto resampling = match(key, stage + ".#.weight");
      if (!block && !resampling) continue;
      const bool numbered = stage.back() == '#';
      const std::int64_t level = numbered ? (block ? *block : *resampling)[0] : 0;
      if (numbered) levels.insert(level);
      if (tensor.defined()) ++dimensions[tensor.dim() - 2];
      if (!block) continue;
      // The way up starts with the resampling, so its blocks count from 1.
      const std::int64_t index = (*block)[numbered ? 1 : 0] + (stage == "m_up#" ? 0 : 1);
      std::int64_t& last = last_block[fmt::format("{}{}", stage, level)];
      last = std::max(last, index);
    }
  }
  std::map<std::int64_t, int> blocks;
  for (const auto& [stage, last] : last_block) ++blocks[last];
  Counts counts;
  while (levels.count(counts.scales) != 0) ++counts.scales;
  counts.blocks = std::max<std::int64_t>(1, most_frequent(blocks, 1));
  counts.dimensions = std::clamp<std::int64_t>(most_frequent(dimensions, 2), 2, 3);
  return counts;
}

/// Unknowns: the width of each scale, then the channels of the input and of the output.
std::vector<ExpectedParameter> layout_of(const Counts& counts) {
  std::vector<ExpectedParameter> layout;
  const auto add = [&](std::string key, std::int64_t out, std::int64_t in, std::int64_t size) {
    std::vector<std::int64_t> shape{unknown(out), unknown(in)};
    shape.insert(shape.end(), static_cast<std::size_t>(counts.dimensions), size);
    layout.push_back({std::move(key), std::move(shape)});
  };
  const auto add_blocks = [&](const std::string& stage, std::int64_t first, std::int64_t level) {
    for (std::int64_t block = first; block < first + counts.blocks; ++block) {
      add(fmt::format("{}.{}.res.0.weight", stage, block), level, level, 3);
      add(fmt::format("{}.{}.res.2.weight", stage, block), level, level, 3);
    }
  };
  const std::int64_t coarsest = counts.scales - 1;
  add("m_head.weight", 0, counts.scales, 3);
  for (std::int64_t level = 0; level < coarsest; ++level) {
    const std::string stage = fmt::format("m_down{}", level + 1);
    add_blocks(stage, 0, level);
    add(fmt::format("{}.{}.weight", stage, counts.blocks), level + 1, level, 2);
  }
  add_blocks("m_body", 0, coarsest);
  for (std::int64_t level = coarsest - 1; level >= 0; --level) {
    const std::string stage = fmt::format("m_up{}", level + 1);
    add(stage + ".0.weight", level + 1, level, 2);  // transposed: input channels first
    add_blocks(stage, 1, level);
  }
  add("m_tail.weight", counts.scales + 1, 0, 3);
  return layout;
}

}  // namespace

DRUNetWeights read_drunet(const StateDict& weights) {
  const Counts counts = count(weights);
  if (counts.scales > most_scales) {
    throw error::InvalidArgument(
        fmt::format("DRUNet: the weights have {} scales, at most {} are supported", counts.scales,
                    most_scales));
  }
  const auto scales = static_cast<std::size_t>(counts.scales);
  FittedLayout fitted = fit(weights, layout_of(counts), scales + 2, "DRUNet");
  const std::int64_t in = fitted.unknowns[scales];
  const std::int64_t out = fitted.unknowns[scales + 1];
  if (in != out + 1) {
    throw error::ShapeMismatch(
        fmt::format("DRUNet: m_head.weight takes {} channels and m_tail.weight gives {}, expected "
                    "one more in than out: the "
                    "image and the map of the noise level",
                    in, out));
  }
  DRUNetArchitecture architecture{out, counts.dimensions, counts.blocks,
                                  std::move(fitted.unknowns)};
  architecture.widths.resize(scales);
  return {std::move(architecture), std::move(fitted.parameters)};
}

}  // namespace tessera::detail
