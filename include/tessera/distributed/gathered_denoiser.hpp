// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/distributed/box_space.hpp"

namespace tessera {

/// A denoiser of boxes, for images that every rank has whole: each rank denoises its box, and one
/// exchange completes the image on every rank. With LayerwiseDenoiser the ranks share out a network
/// without tiles: the result is that of the network on the whole image, to rounding, and nothing is
/// computed twice but a pixel or two around each box.
///
/// denoise is collective. Not differentiable. For images of the space's extents.
class GatheredDenoiser : public Denoiser {
 public:
  /// `of_boxes` denoises images of `space`. Throws error::InvalidArgument if one of them is null.
  GatheredDenoiser(DenoiserPtr of_boxes, BoxSpacePtr space)
      : of_boxes_(std::move(of_boxes)), space_(std::move(space)) {
    if (!of_boxes_ || !space_) {
      throw error::InvalidArgument("GatheredDenoiser: the denoiser or the space is null");
    }
  }

  /// "gathered(layerwise(drunet))"
  std::string name() const override { return formatted("gathered({})", of_boxes_->name()); }
  std::optional<std::int64_t> reach() const override { return of_boxes_->reach(); }
  bool follows_level() const override { return of_boxes_->follows_level(); }
  Communicator& communicator() const override { return space_->communicator(); }
  const Denoiser& of_boxes() const { return *of_boxes_; }

  /// That of this rank's box.
  std::optional<double> memory_estimate(at::IntArrayRef shape) const override {
    Extents own = {shape[0], shape[1]};
    for (const std::int64_t extent : space_->local().extents()) own.push_back(extent);
    return of_boxes_->memory_estimate(own);
  }

 private:
  void do_check(const Tensor& x, const std::string& who) const override {
    if (x.sizes().slice(2) == at::IntArrayRef(space_->extents())) return;
    throw error::ShapeMismatch(formatted("{}: x is {}, expected extents {}, those of the space",
                                         who, describe(x), to_string(space_->extents())));
  }
  Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const override {
    const Box& own = space_->local();
    std::vector<std::int64_t> begin;
    for (const Interval& along : own.axes) begin.push_back(along.begin);
    return space_->gather(
        of_boxes_->denoise(space_->scatter(x), sigma.window(begin, own.extents())));
  }

  DenoiserPtr of_boxes_;
  BoxSpacePtr space_;
};

}  // namespace tessera
