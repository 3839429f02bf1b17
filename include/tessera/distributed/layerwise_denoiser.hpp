// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/grad_mode.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tessera/comm/box_pyramid.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/denoiser/layerwise_network.hpp"
#include "tessera/distributed/box_space.hpp"

namespace tessera {

/// A network on images that ranks share out, layer by layer: DRUNet and DnCNN without tiles. Every
/// rank computes the features of its own box. Before a convolution, or before the two of a residual
/// block, ranks exchange the pixels around their boxes that it sees: one pixel, or two. Steps
/// between scales need none.
///
/// The result is that of the network on the whole image, to rounding, on any number of ranks: the
/// image is extended as the network extends it, by the ranks at its far ends. Where a tile has its
/// whole context computed again, here that is a pixel or two around a box. It pays with latency:
/// one exchange per block or single convolution, 30 for the usual DRUNet and 20 for the usual
/// DnCNN, each after an agreement of the ranks. For float32 on processors the networks' engine
/// computes boxes too: it takes the inner convolutions of DnCNN in pairs, and the images of a batch
/// in turn, with exchanges for each.
///
/// For images that every rank has whole: GatheredDenoiser around it.
///
/// denoise is collective. Not differentiable. One call at a time.
class LayerwiseDenoiser : public Denoiser {
 public:
  /// Throws error::InvalidArgument unless the ends of all boxes of `space` are multiples of the
  /// network's alignment(), or ends of the image: BoxSpaceOptions::alignment sees to that.
  LayerwiseDenoiser(LayerwiseNetworkPtr network, BoxSpacePtr space);

  /// "layerwise(drunet)"
  std::string name() const override { return formatted("layerwise({})", network_->name()); }
  std::optional<std::int64_t> reach() const override { return network_->reach(); }
  bool follows_level() const override { return network_->follows_level(); }
  Communicator& communicator() const override { return space_->communicator(); }
  const ImageSpace& space() const override { return *space_; }
  const LayerwiseNetwork& network() const { return *network_; }

  /// Those of this rank's box, as far as the network extends the image beyond it.
  std::vector<std::int64_t> extended_extents(at::IntArrayRef /*spatial*/) const override {
    return boxes_.local().extents();
  }
  std::optional<double> memory_estimate(at::IntArrayRef shape) const override {
    Extents extended = {shape[0], shape[1]};
    for (const std::int64_t extent : extended_extents(shape.slice(2))) extended.push_back(extent);
    return network_->memory_estimate(extended);
  }

 private:
  static BoxPyramid boxes_for(const LayerwiseNetworkPtr& network, const BoxSpacePtr& space);
  static void check_extents(const Tensor& x, const Box& box, const std::string& who);
  void do_check(const Tensor& x, const std::string& who) const override {
    check_extents(x, space_->local(), who);
  }
  inline Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const override;

  LayerwiseNetworkPtr network_;
  BoxSpacePtr space_;
  BoxPyramid boxes_;  ///< of the extended image
};

inline LayerwiseDenoiser::LayerwiseDenoiser(LayerwiseNetworkPtr network, BoxSpacePtr space)
    : network_(std::move(network)), space_(std::move(space)), boxes_(boxes_for(network_, space_)) {}

inline BoxPyramid LayerwiseDenoiser::boxes_for(const LayerwiseNetworkPtr& network,
                                               const BoxSpacePtr& space) {
  if (!network || !space) {
    throw error::InvalidArgument("LayerwiseDenoiser: the network or the space is null");
  }
  const std::int64_t alignment = network->alignment();
  const Extents& extents = space->extents();
  const std::vector<std::int64_t> extended = network->extended_extents(extents);
  std::vector<Box> boxes = space->boxes();
  for (std::size_t rank = 0; rank < boxes.size(); ++rank) {
    for (std::size_t d = 0; d < extents.size(); ++d) {
      Interval& along = boxes[rank].axes[d];
      if (along.end == extents[d]) along.end = extended[d];
      if (along.begin % alignment == 0 && along.end % alignment == 0) continue;
      throw error::InvalidArgument(formatted(
          "layerwise({}): the box of rank {} is {}, expected cuts at multiples of {}, the "
          "network's alignment; make the space with BoxSpaceOptions{{.alignment = {}}}",
          network->name(), rank, to_string(space->boxes()[rank]), alignment, alignment));
    }
  }
  return {space->ranks(), std::move(boxes)};
}

inline void LayerwiseDenoiser::check_extents(const Tensor& x, const Box& box,
                                             const std::string& who) {
  const Extents extents = box.extents();
  if (x.sizes().slice(2) == at::IntArrayRef(extents)) return;
  throw error::ShapeMismatch(formatted("{}: x is {}, expected extents {}, those of the box {}", who,
                                       describe(x), to_string(extents), to_string(box)));
}

inline Tensor LayerwiseDenoiser::do_denoise(const Tensor& x, const NoiseLevel& sigma) const {
  const at::NoGradGuard no_graph;
  const std::string who = formatted("{}.denoise", name());
  // A rank that fails between two exchanges meets the others at their next agreement, or at this.
  return guarded(communicator(), who, [&] {
    check_extents(x, boxes_.local(), who);
    return network_->denoise_box(x, sigma, boxes_);
  });
}

}  // namespace tessera
