// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tessera/core/state_dict.hpp"

/// The tensors of a network as parts of one vector, so that an optimiser works on that alone.
class Parameters {
 public:
  struct Part {
    std::string name;
    std::vector<std::int64_t> shape;
    std::int64_t offset;
    std::int64_t size;
  };

  explicit Parameters(const tessera::StateDict& weights);

  const std::vector<Part>& parts() const { return parts_; }
  std::int64_t size() const { return size_; }

  /// All weights, one after the other, float32.
  tessera::Tensor flatten(const tessera::StateDict& weights) const;
  /// Views of such a vector.
  tessera::StateDict views(const tessera::Tensor& flat) const;

 private:
  std::vector<Part> parts_;
  std::int64_t size_ = 0;
};

/// The weights of a DRUNet for colour images as one for grey images: it does to g what the other
/// does to (g, g, g), and gives the mean of the three channels. One for grey images stays as it is.
tessera::StateDict folded_to_grey(tessera::StateDict colour);

/// Random weights of a DRUNet for images of this many channels. Branches of residual blocks start
/// small, so that the network starts near a linear one.
tessera::StateDict random_drunet(std::int64_t channels, const std::vector<std::int64_t>& widths,
                                 std::int64_t blocks, std::int64_t seed);
