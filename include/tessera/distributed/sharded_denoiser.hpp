// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tessera/comm/box_exchange.hpp"
#include "tessera/core/image_spec.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"

namespace tessera {

/// Any denoiser on images that ranks share out, tile by tile: TiledDenoiser without a whole image
/// anywhere. A rank fetches the windows of its tiles from those who hold their pixels, and sends
/// weighted tiles back to them: two exchanges.
///
/// The same plan gives the result of TiledDenoiser, to the bit: contributions to a pixel are added
/// in the plan's order. deepinv's layout, which reflects at borders, is refused.
class ShardedDenoiser : public Denoiser {
 public:
  /// Plans as TiledDenoiser does, for the extents of the space.
  ShardedDenoiser(DenoiserPtr denoiser, BoxSpacePtr space, TilingOptions options = {});

  /// "sharded(drunet)"
  std::string name() const override { return formatted("sharded({})", tiled_.denoiser().name()); }
  bool follows_level() const override { return tiled_.follows_level(); }
  Communicator& communicator() const override { return space_->communicator(); }
  const ImageSpace& space() const override { return *space_; }
  const TiledDenoiser& tiled() const { return tiled_; }

 private:
  /// The tiles of this rank, made ready for images of one kind.
  struct Layout;

  /// Collective.
  inline Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const override;
  const Layout& layout(const Tensor& x) const;
  Tensor denoise_tile(const Layout& layout, std::size_t tile, const Tensor& window,
                      const NoiseLevel& sigma) const;

  BoxSpacePtr space_;
  TiledDenoiser tiled_;
  mutable std::unordered_map<ImageSpec, std::shared_ptr<const Layout>> layouts_;
};

struct ShardedDenoiser::Layout {
  std::vector<TiledDenoiser::Window> windows;  ///< of this rank's tiles
  std::vector<Box> inside;                     ///< the part of each inside the image
  std::vector<Box> kept;                       ///< where each contributes
  std::vector<Tensor> weights;                 ///< of that; undefined: all ones
  BoxExchange fetch, give_back;
};

inline ShardedDenoiser::ShardedDenoiser(DenoiserPtr denoiser, BoxSpacePtr space,
                                        TilingOptions options)
    : space_(std::move(space)), tiled_(std::move(denoiser), space_->ranks(), std::move(options)) {
  if (tiled_.options().tiling == Tiling::deepinv) {
    throw error::InvalidArgument(
        formatted("{}: deepinv's tiling is for images that are whole on every rank; give even, "
                  "exact or fixed",
                  name()));
  }
}

inline const ShardedDenoiser::Layout& ShardedDenoiser::layout(const Tensor& x) const {
  std::shared_ptr<const Layout>& entry = layouts_[ImageSpec::of(x)];
  if (entry) return *entry;
  Extents shape = {x.size(0), x.size(1)};
  for (const std::int64_t extent : space_->extents()) shape.push_back(extent);
  const TilePlan plan = tiled_.plan(shape, x.element_size());
  const Communicator& ranks = space_->communicator();
  const Partition partition = plan.assign(ranks.size());
  const Box nothing{std::vector<Interval>(space_->extents().size())};
  const Box image = whole_box(space_->extents());
  std::vector<TiledDenoiser::Window> windows;
  std::vector<Tensor> weights;
  BoxesOfRanks owned, fetched, kept;
  std::vector<Extents> order;
  for (int rank = 0; rank < ranks.size(); ++rank) {
    owned.push_back({space_->boxes()[static_cast<std::size_t>(rank)]});
    fetched.emplace_back();
    kept.emplace_back();
    order.push_back(partition.of(rank));
    for (const std::int64_t index : partition.of(rank)) {
      const Tile& tile = plan.tiles()[static_cast<std::size_t>(index)];
      const TiledDenoiser::Window window = tiled_.window_of(plan, tile);
      fetched.back().push_back(intersection(window.box, image));
      kept.back().push_back(detail::contribution(tile, tiled_.options().window));
      if (rank != ranks.rank()) continue;
      windows.push_back(window);
      weights.push_back(detail::weights_of(tile, tiled_.options().window, x));
    }
    if (fetched.back().empty()) {  // more ranks than tiles
      fetched.back().push_back(nothing);
      kept.back().push_back(nothing);
      order.back().push_back(0);
    }
  }
  const auto mine = static_cast<std::size_t>(ranks.rank());
  BoxExchange give_back(space_->ranks(), owned, kept);
  give_back.set_order(std::move(order));
  entry = std::make_shared<Layout>(
      Layout{std::move(windows), fetched[mine], kept[mine], std::move(weights),
             BoxExchange(space_->ranks(), owned, fetched), std::move(give_back)});
  return *entry;
}

inline Tensor ShardedDenoiser::denoise_tile(const Layout& layout, std::size_t tile,
                                            const Tensor& window, const NoiseLevel& sigma) const {
  const Box& box = layout.windows[tile].box;
  Box from_inside;
  for (std::size_t d = 0; d < box.axes.size(); ++d) {
    const std::int64_t origin = layout.inside[tile].axes[d].begin;
    from_inside.axes.push_back({box.axes[d].begin - origin, box.axes[d].end - origin});
  }
  const Tensor extended = detail::pixels_of(window, from_inside, Border::clamp).contiguous();
  const Denoiser& denoiser = tiled_.denoiser();
  const Tensor denoised = layout.windows[tile].is_extended
                              ? denoiser.denoise_window(extended, sigma)
                              : denoiser.denoise(extended, sigma);
  const Tensor part = part_of(denoised, box, layout.kept[tile]);
  return layout.weights[tile].defined() ? part * layout.weights[tile] : part;
}

inline Tensor ShardedDenoiser::do_denoise(const Tensor& x, const NoiseLevel& sigma) const {
  const std::string who = formatted("{}.denoise", name());
  const Layout* made = nullptr;
  fail_together(*space_->ranks(), who, [&] {
    if (sigma.is_map()) {
      throw error::InvalidArgument(formatted(
          "{}: a map of noise levels is not offered for images that ranks share out", who));
    }
    made = &layout(x);
  });
  const TensorList windows = made->fetch.forward({x});
  const TensorList tiles = fail_together(*space_->ranks(), who, [&] {
    TensorList weighted;
    for (std::size_t i = 0; i < made->windows.size(); ++i) {
      weighted.push_back(denoise_tile(*made, i, windows[i], sigma));
    }
    if (weighted.empty()) weighted.push_back(windows.front());
    return weighted;
  });
  return made->give_back.adjoint(tiles).front();
}

}  // namespace tessera
