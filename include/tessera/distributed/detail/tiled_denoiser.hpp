// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <limits>
#include <map>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/detail/fnv_hash.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/comm/tensor_view.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/image_spec.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/detail/tile_geometry.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"

namespace tessera {

/// A plan made ready for images of one shape, dtype and device.
struct TiledDenoiser::Layout {
  TilePlan plan;
  std::vector<std::int64_t> own;     // tiles of this rank
  std::vector<Window> windows;       // of this rank's tiles
  std::vector<Tensor> weights;       // of this rank's tiles; undefined: all ones
  std::vector<Box> kept;             // per tile, the pixels it contributes to
  std::vector<std::int64_t> offset;  // per tile, where its elements begin in the gathered buffer
  std::vector<std::int64_t> size;    // per tile, its elements
  std::vector<std::int64_t> counts;  // per rank, its tiles' elements
  std::int64_t own_begin = 0;        // offset of this rank's first element
  std::int64_t signature = 0;        // the same on ranks that have the same plan
  bool overlapping = false;          // some pixel has several contributions
};

namespace detail {

/// Pixels `interval` of `axis`; outside of the image, reflected ones or the border's.
inline Tensor pixels_along(const Tensor& x, std::int64_t axis, const Interval& interval,
                           Border border) {
  const std::int64_t extent = x.size(axis);
  if (interval.begin >= 0 && interval.end <= extent)
    return x.narrow(axis, interval.begin, interval.length());
  Extents source;
  for (std::int64_t i = interval.begin; i < interval.end; ++i) {
    const std::int64_t inside = i < 0 ? -i : i;
    const std::int64_t beyond = border == Border::clamp ? extent - 1 : 2 * (extent - 1) - inside;
    source.push_back(inside < extent ? inside : beyond);
  }
  return x.index_select(axis,
                        at::tensor(source, at::TensorOptions().dtype(at::kLong)).to(x.device()));
}

inline Tensor pixels_of(const Tensor& x, const Box& box, Border border) {
  Tensor part = x;
  for (std::size_t axis = 0; axis < box.axes.size(); ++axis) {
    part = pixels_along(part, static_cast<std::int64_t>(axis) + 2, box.axes[axis], border);
  }
  return part;
}

/// Windows of one shape, of all images of the batch: stacked window by window.
inline Tensor windows_of(const Tensor& x, const std::vector<const Box*>& boxes, Border border) {
  if (boxes.size() == 1) return pixels_of(x, *boxes.front(), border).contiguous();
  TensorList parts;
  for (const Box* box : boxes) parts.push_back(pixels_of(x, *box, border));
  return at::cat(parts, 0);
}

inline NoiseLevel level_of(const NoiseLevel& sigma, const Tensor& x,
                           const std::vector<const Box*>& boxes, Border border) {
  if (sigma.is_number()) return sigma;
  if (sigma.is_map()) return NoiseLevel(windows_of(sigma.as_map(x), boxes, border));
  return NoiseLevel(
      sigma.broadcastable(x).reshape(-1).repeat({static_cast<std::int64_t>(boxes.size())}));
}

/// The pixels that a tile contributes to.
inline Box contribution(const Tile& tile, BlendWindow window) {
  Box box;
  for (const TileAxis& axis : tile.axes) box.axes.push_back(weighted_interval(axis, window));
  return box;
}

/// Weights of a tile, broadcastable against (B, C, spatial...); undefined if they are all 1.
inline Tensor weights_of(const Tile& tile, BlendWindow window, const Tensor& like) {
  Tensor product = at::ones({1}, at::TensorOptions().dtype(at::kDouble));
  bool all_ones = true;
  for (const TileAxis& axis : tile.axes) {
    const std::vector<double> line = axis_weights(axis, window);
    all_ones = all_ones && std::all_of(line.begin(), line.end(), [](double w) { return w == 1.0; });
    product = product.unsqueeze(-1) * at::tensor(line, at::TensorOptions().dtype(at::kDouble));
  }
  return all_ones ? Tensor() : product.unsqueeze(0).to(like.options().requires_grad(false));
}

inline std::int64_t fingerprint(const TilePlan& plan, const Partition& partition,
                                BlendWindow window) {
  FnvHash hash;
  const auto mix = [&](std::int64_t value) { hash.add(static_cast<std::uint64_t>(value)); };
  mix(static_cast<std::int64_t>(window));
  for (std::size_t i = 0; i < plan.tiles().size(); ++i) {
    mix(partition.owner(static_cast<std::int64_t>(i)));
    for (const TileAxis& axis : plan.tiles()[i].axes) {
      for (const std::int64_t value : {axis.core.begin, axis.core.end, axis.window.begin,
                                       axis.window.end, axis.blend_before, axis.blend_after}) {
        mix(value);
      }
    }
  }
  return hash.value();
}

/// Without the number of the device: each rank may have its own.
inline ImageSpec common_spec(const Tensor& x) {
  ImageSpec spec = ImageSpec::of(x);
  spec.device = at::Device(spec.device.type());
  return spec;
}

inline void check_tiling(const Denoiser& denoiser, const TilingOptions& options,
                         bool plans_itself) {
  const std::string who = "TiledDenoiser(" + denoiser.name() + ")";
  check_at_least(options.max_batch_size, 0, "max_batch_size", who);
  check_at_least(options.ranks, 0, "ranks", who);
  check_not_negative(options.memory_limit_bytes, who, "memory_limit_bytes");
  if (plans_itself && options.tiling == Tiling::exact && !denoiser.reach()) {
    throw error::InvalidArgument(
        formatted("{}: an exact tiling needs a denoiser with a reach; a pixel of {} may depend "
                  "on the whole image. Use an even "
                  "tiling, which is approximate near the cuts",
                  who, denoiser.name()));
  }
}

}  // namespace detail

inline TiledDenoiser::TiledDenoiser(DenoiserPtr denoiser, CommunicatorPtr communicator,
                                    TilingOptions options)
    : TiledDenoiser(std::move(denoiser), std::move(communicator), Rule(), std::move(options)) {}

inline TiledDenoiser::TiledDenoiser(DenoiserPtr denoiser, CommunicatorPtr communicator,
                                    TilePlan plan, TilingOptions options)
    : TiledDenoiser(
          std::move(denoiser), std::move(communicator),
          [plan = std::move(plan)](const Extents& shape) {
            if (shape != plan.shape()) {
              throw error::ShapeMismatch(
                  formatted("TiledDenoiser: the plan is for images of {}, got {}",
                            detail::by(plan.shape()), detail::by(shape)));
            }
            return plan;
          },
          std::move(options)) {}

inline TiledDenoiser::TiledDenoiser(DenoiserPtr denoiser, CommunicatorPtr communicator, Rule rule,
                                    TilingOptions options)
    : denoiser_(std::move(denoiser)),
      communicator_(std::move(communicator)),
      options_(std::move(options)),
      rule_(std::move(rule)) {
  if (!denoiser_ || !communicator_) {
    throw error::InvalidArgument("TiledDenoiser: the denoiser or the communicator is null");
  }
  detail::check_tiling(*denoiser_, options_, !rule_);
}

inline std::string TiledDenoiser::name() const {
  return "tiled(" + denoiser_->name() + ")";
}

inline std::optional<std::int64_t> TiledDenoiser::reach() const {
  if (rule_ || options_.tiling != Tiling::exact) return std::nullopt;
  return denoiser_->reach();
}

inline std::int64_t TiledDenoiser::alignment() const {
  return denoiser_->alignment();
}

inline std::int64_t TiledDenoiser::minimum_extent() const {
  return denoiser_->minimum_extent();
}

inline const TiledDenoiser::Layout& TiledDenoiser::layout(const Tensor& x) const {
  std::shared_ptr<const Layout>& entry = layouts_[ImageSpec::of(x)];
  if (entry) return *entry;
  auto made = std::make_shared<Layout>(
      Layout{plan(x.sizes(), x.element_size()), {}, {}, {}, {}, {}, {}, {}, 0, 0, false});
  const int ranks = communicator_->size();
  const Partition partition = made->plan.assign(ranks);
  const std::vector<Tile>& tiles = made->plan.tiles();
  for (const Tile& tile : tiles) {
    made->kept.push_back(detail::contribution(tile, options_.window));
    made->size.push_back(x.size(0) * x.size(1) *
                         c10::multiply_integers(made->kept.back().extents()));
  }
  made->offset.resize(tiles.size());
  made->counts.resize(static_cast<std::size_t>(ranks));
  std::int64_t next = 0;
  for (int rank = 0; rank < ranks; ++rank) {
    if (rank == communicator_->rank()) made->own_begin = next;
    const std::int64_t begin = next;
    for (const std::int64_t tile : partition.of(rank)) {
      made->offset[static_cast<std::size_t>(tile)] = next;
      next += made->size[static_cast<std::size_t>(tile)];
    }
    made->counts[static_cast<std::size_t>(rank)] = next - begin;
  }
  made->own = partition.of(communicator_->rank());
  for (const std::int64_t tile : made->own) {
    made->windows.push_back(window_of(made->plan, tiles[static_cast<std::size_t>(tile)]));
    made->weights.push_back(
        detail::weights_of(tiles[static_cast<std::size_t>(tile)], options_.window, x));
  }
  made->signature = detail::fingerprint(made->plan, partition, options_.window);
  made->overlapping = options_.window != BlendWindow::constant && made->plan.is_blended();
  entry = std::move(made);
  return *entry;
}

inline std::int64_t TiledDenoiser::batch_size(const Tensor& x, const Tile& tile) const {
  std::int64_t most = options_.max_batch_size;
  if (most == 0) most = std::numeric_limits<std::int64_t>::max();
  if (options_.memory_limit_bytes > 0) {
    Extents shape = tile.window_shape();
    shape.insert(shape.begin(), {x.size(0), x.size(1)});
    if (const std::optional<double> elements = denoiser_->memory_estimate(shape)) {
      const double bytes = *elements * static_cast<double>(x.element_size());
      most = std::min(
          most, static_cast<std::int64_t>(std::max(1.0, options_.memory_limit_bytes / bytes)));
    }
  }
  return most;
}

inline Tensor TiledDenoiser::denoise_own_tiles(const Tensor& x, const NoiseLevel& sigma,
                                               const Layout& layout) const {
  const std::int64_t elements = layout.counts[static_cast<std::size_t>(communicator_->rank())];
  Tensor mine = at::empty({elements}, x.options().requires_grad(false));

  // Tiles of equal windows together, each group in the plan's order.
  std::map<std::pair<Extents, bool>, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < layout.own.size(); ++i) {
    groups[{layout.windows[i].box.extents(), layout.windows[i].is_extended}].push_back(i);
  }
  const Border border = layout.plan.border();
  for (const auto& [kind, members] : groups) {
    const Tile& first = layout.plan.tiles()[static_cast<std::size_t>(layout.own[members.front()])];
    const auto most = static_cast<std::size_t>(
        std::min(batch_size(x, first), static_cast<std::int64_t>(members.size())));
    for (std::size_t begin = 0; begin < members.size(); begin += most) {
      const std::size_t end = std::min(members.size(), begin + most);
      std::vector<const Box*> batch;
      for (std::size_t i = begin; i < end; ++i) batch.push_back(&layout.windows[members[i]].box);
      const Tensor windows = detail::windows_of(x, batch, border);
      const NoiseLevel level = detail::level_of(sigma, x, batch, border);
      const Tensor denoised = kind.second ? denoiser_->denoise_window(windows, level)
                                          : denoiser_->denoise(windows, level);
      for (std::size_t i = begin; i < end; ++i) {
        const auto tile = static_cast<std::size_t>(layout.own[members[i]]);
        const auto place = static_cast<std::int64_t>(i - begin);
        Tensor part = part_of(denoised.narrow(0, place * x.size(0), x.size(0)),
                              layout.windows[members[i]].box, layout.kept[tile]);
        if (layout.weights[members[i]].defined()) part = part * layout.weights[members[i]];
        mine.narrow(0, layout.offset[tile] - layout.own_begin, layout.size[tile])
            .view(part.sizes())
            .copy_(part);
      }
    }
  }
  return mine;
}

inline void TiledDenoiser::check_gradients(const Tensor& x, const NoiseLevel& sigma,
                                           const std::string& who) const {
  if (communicator_->size() == 1 || !at::GradMode::is_enabled()) return;
  const char* differentiated = x.requires_grad()           ? "x"
                               : sigma.requires_grad()     ? "sigma"
                               : denoiser_->is_trainable() ? "a parameter of the denoiser"
                                                           : nullptr;
  if (differentiated == nullptr) return;
  throw error::InvalidArgument(
      formatted("{}: cannot be differentiated over several ranks, and {} requires gradients; "
                "detach it, disable gradients or use one rank",
                who, differentiated));
}

inline Tensor TiledDenoiser::do_denoise(const Tensor& x, const NoiseLevel& sigma) const {
  const std::string who = formatted("{}.denoise", name());
  const Layout* layout_of_x = nullptr;
  const Tensor mine = fail_together(*communicator_, who, [&] {
    check_gradients(x, sigma, who);
    layout_of_x = &layout(x);
    return denoise_own_tiles(x, sigma, *layout_of_x);
  });
  same_on_all_ranks(*communicator_, who, "x", describe(detail::common_spec(x)),
                    "the digest of the tiling", layout_of_x->signature);

  const Tensor all = committed(*communicator_, who, [&] {
    return communicator_->size() > 1 ? all_gather(*communicator_, mine, layout_of_x->counts) : mine;
  });
  Tensor result = layout_of_x->overlapping ? at::zeros_like(x, at::MemoryFormat::Contiguous)
                                           : at::empty_like(x, at::MemoryFormat::Contiguous);
  const Box image = whole_box(layout_of_x->plan.shape());
  for (std::size_t tile = 0; tile < layout_of_x->size.size(); ++tile) {
    Tensor target = part_of(result, image, layout_of_x->kept[tile]);
    const Tensor part =
        all.narrow(0, layout_of_x->offset[tile], layout_of_x->size[tile]).view(target.sizes());
    if (layout_of_x->overlapping) {
      target.add_(part);
    } else {
      target.copy_(part);
    }
  }
  return result;
}

}  // namespace tessera
