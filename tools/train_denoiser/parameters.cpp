// SPDX-License-Identifier: BSD-3-Clause
#include "parameters.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "tessera/core/error.hpp"

using tessera::StateDict;
using tessera::Tensor;

Parameters::Parameters(const StateDict& weights) {
  for (const auto& [name, tensor] : weights) {
    parts_.push_back({name, tensor.sizes().vec(), size_, tensor.numel()});
    size_ += tensor.numel();
  }
}

Tensor Parameters::flatten(const StateDict& weights) const {
  std::vector<Tensor> pieces;
  for (const Part& part : parts_) {
    const auto found = weights.find(part.name);
    if (found == weights.end() || found->second.sizes() != at::IntArrayRef(part.shape)) {
      throw tessera::error::ShapeMismatch(fmt::format("the weights have no {} of shape {}",
                                                      part.name, tessera::to_string(part.shape)));
    }
    pieces.push_back(found->second.to(at::kFloat).reshape({-1}));
  }
  return at::cat(pieces);
}

StateDict Parameters::views(const Tensor& flat) const {
  StateDict weights;
  for (const Part& part : parts_) {
    weights[part.name] = flat.narrow(0, part.offset, part.size).view(part.shape);
  }
  return weights;
}

StateDict folded_to_grey(StateDict colour) {
  Tensor& head = colour.at("m_head.weight");
  Tensor& tail = colour.at("m_tail.weight");
  const std::int64_t channels = tail.size(0);
  head = at::cat({head.narrow(1, 0, channels).to(at::kFloat).sum(1, /*keepdim=*/true),
                  head.narrow(1, channels, 1).to(at::kFloat)},
                 1);
  tail = tail.to(at::kFloat).mean(0, /*keepdim=*/true);
  return colour;
}

StateDict random_drunet(std::int64_t channels, const std::vector<std::int64_t>& widths,
                        std::int64_t blocks, std::int64_t seed) {
  constexpr double branch = 0.2;
  at::Generator generator = at::detail::createCPUGenerator(static_cast<std::uint64_t>(seed));
  StateDict weights;
  // `inputs`: values that one output sums up.
  const auto add = [&](const std::string& name, std::int64_t first, std::int64_t second,
                       std::int64_t extent, std::int64_t inputs, double gain) {
    weights[name + ".weight"] =
        at::randn({first, second, extent, extent}, std::optional<at::Generator>(generator),
                  at::TensorOptions().dtype(at::kFloat)) *
        (gain / std::sqrt(static_cast<double>(inputs)));
  };
  const auto add_blocks = [&](const std::string& stage, std::int64_t first, std::int64_t width) {
    for (std::int64_t block = first; block < first + blocks; ++block) {
      add(fmt::format("{}.{}.res.0", stage, block), width, width, 3, 9 * width, std::sqrt(2.0));
      add(fmt::format("{}.{}.res.2", stage, block), width, width, 3, 9 * width, branch);
    }
  };
  add("m_head", widths.front(), channels + 1, 3, 9 * (channels + 1), 1);
  for (std::size_t scale = 0; scale + 1 < widths.size(); ++scale) {
    const std::int64_t fine = widths[scale];
    const std::int64_t coarse = widths[scale + 1];
    const std::string down = fmt::format("m_down{}", scale + 1);
    add_blocks(down, 0, fine);
    add(fmt::format("{}.{}", down, blocks), coarse, fine, 2, 4 * fine, 1);
    const std::string up = fmt::format("m_up{}", scale + 1);
    add(up + ".0", coarse, fine, 2, coarse, std::sqrt(0.5));
    add_blocks(up, 1, fine);
  }
  add_blocks("m_body", 0, widths.back());
  add("m_tail", channels, widths.front(), 3, 9 * widths.front(), std::sqrt(0.5));
  return weights;
}
