// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/box_space.hpp"
#include "tessera/distributed/tile_plan.hpp"
#include "tessera/physics/detail/extension.hpp"

namespace tessera {

namespace detail {

/// Where an axis is cut into `count` parts, at multiples of `alignment`: count + 1 places.
inline Extents cuts_of(std::int64_t extent, std::int64_t count, std::int64_t alignment) {
  const std::int64_t units = (extent + alignment - 1) / alignment;
  Extents cuts;
  for (std::int64_t i = 0; i <= count; ++i) {
    cuts.push_back(std::min(extent, units * i / count * alignment));
  }
  return cuts;
}

/// All ways to write `ranks` as a product of one number per axis: `visit` is called with each.
template <typename Visit>
void each_grid(std::int64_t ranks, std::size_t axes, Extents& grid, const Visit& visit) {
  if (grid.size() + 1 == axes) {
    grid.push_back(ranks);
    visit(grid);
    grid.pop_back();
    return;
  }
  for (std::int64_t count = 1; count <= ranks; ++count) {
    if (ranks % count != 0) continue;
    grid.push_back(count);
    each_grid(ranks / count, axes, grid, visit);
    grid.pop_back();
  }
}

/// The grid whose cuts have the least surface, no box empty; the one with fewer cuts along the last
/// axes among equals. Nothing if there is none.
inline std::optional<Extents> least_surface(const Extents& extents, std::int64_t ranks,
                                            std::int64_t alignment) {
  std::optional<Extents> best;
  double least = 0;
  Extents grid;
  each_grid(ranks, extents.size(), grid, [&](const Extents& candidate) {
    double surface = 0;
    for (std::size_t d = 0; d < extents.size(); ++d) {
      if (candidate[d] > (extents[d] + alignment - 1) / alignment) return;
      double area = static_cast<double>(candidate[d] - 1);
      for (std::size_t other = 0; other < extents.size(); ++other) {
        if (other != d) area *= static_cast<double>(extents[other]);
      }
      surface += area;
    }
    if (best && surface >= least) {
      if (surface > least || candidate.back() >= best->back()) return;
    }
    best = candidate;
    least = surface;
  });
  return best;
}

inline std::vector<Box> boxes_of(const Extents& extents, const Extents& grid,
                                 std::int64_t alignment) {
  std::vector<Box> boxes = {Box{}};
  for (std::size_t d = 0; d < extents.size(); ++d) {
    const Extents cuts = cuts_of(extents[d], grid[d], alignment);
    std::vector<Box> finer;
    for (const Box& box : boxes) {
      for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
        finer.push_back(box);
        finer.back().axes.push_back({cuts[i], cuts[i + 1]});
      }
    }
    boxes = std::move(finer);
  }
  return boxes;
}

/// The grid of so many ranks: the one that is asked for, or the best. Throws
/// error::InvalidArgument, beginning with `who`, where there is none.
inline Extents grid_of(const Extents& extents, std::int64_t count, const BoxSpaceOptions& options,
                       const std::string& who) {
  check_at_least(options.alignment, 1, "alignment", who);
  const bool is_image = !extents.empty() && extents.size() <= 3 &&
                        std::all_of(extents.begin(), extents.end(), [](auto n) { return n > 0; });
  if (!is_image) {
    throw error::InvalidArgument(formatted("{}: the extents are {}, expected 1 to 3 positive ones",
                                           who, to_string(extents)));
  }
  Extents grid = options.grid;
  if (grid.empty()) {
    grid = least_surface(extents, count, options.alignment).value_or(Extents());
  }
  std::int64_t product = grid.size() == extents.size() ? 1 : 0;
  for (std::size_t d = 0; d < grid.size() && product > 0; ++d) {
    const bool fits =
        grid[d] > 0 && grid[d] <= (extents[d] + options.alignment - 1) / options.alignment;
    product = fits ? product * grid[d] : 0;
  }
  if (product != count) {
    throw error::InvalidArgument(formatted(
        "{}: {} ranks cannot share an image of {} with cuts at multiples of {}{}: give fewer "
        "ranks, a grid whose product they are, or a smaller alignment",
        who, count, to_string(extents), options.alignment,
        options.grid.empty() ? "" : formatted(" by a grid of {}", to_string(options.grid))));
  }
  return grid;
}

}  // namespace detail

inline std::vector<Box> planned_boxes(const Extents& extents, int ranks,
                                      const BoxSpaceOptions& options) {
  return detail::boxes_of(extents, detail::grid_of(extents, ranks, options, "planned_boxes"),
                          options.alignment);
}

inline BoxSpace::BoxSpace(CommunicatorPtr ranks, Extents extents, const BoxSpaceOptions& options)
    : ImageSpace(ranks), ranks_(std::move(ranks)), extents_(std::move(extents)) {
  const std::string who = "BoxSpace";
  const auto count = static_cast<std::int64_t>(ranks_->size());
  fail_together(*ranks_, who, [&] {
    grid_ = detail::grid_of(extents_, count, options, who);
    boxes_ = detail::boxes_of(extents_, grid_, options.alignment);
  });
  same_on_all_ranks(*ranks_, who, "the extents", to_string(extents_), "the grid", to_string(grid_),
                    "the alignment", options.alignment);
}

inline void BoxSpace::check_own(const Tensor& own, const char* who) const {
  const std::size_t axes = extents_.size();
  if (own.defined() && own.dim() == static_cast<std::int64_t>(axes) + 2 &&
      own.sizes().slice(2) == at::IntArrayRef(local().extents())) {
    return;
  }
  throw error::ShapeMismatch(
      formatted("{}: the image is {}, expected (B, C, ...) of extents {}, "
                "those of this rank's box {}",
                who, describe(own), to_string(local().extents()), to_string(local())));
}

inline Tensor BoxSpace::scatter(const Tensor& whole) const {
  if (whole.dim() != static_cast<std::int64_t>(extents_.size()) + 2 ||
      whole.sizes().slice(2) != at::IntArrayRef(extents_)) {
    throw error::ShapeMismatch(formatted("BoxSpace.scatter: the image is {}, expected extents {}",
                                         describe(whole), to_string(extents_)));
  }
  return part_of(whole, whole_box(extents_), local()).contiguous();
}

inline Tensor BoxSpace::gather(const Tensor& own) const {
  fail_together(*ranks_, "BoxSpace.gather", [&] { check_own(own, "BoxSpace.gather"); });
  const BoxExchange exchange(ranks_, one_each(boxes_),
                             BoxesOfRanks(boxes_.size(), {whole_box(extents_)}));
  return exchange.forward({own}).front();
}

inline const BoxSpace::Extension& BoxSpace::extension(const Halo& halo, Padding padding) const {
  const auto key = std::make_tuple(halo.before, halo.after, padding);
  const auto found = extensions_.find(key);
  if (found != extensions_.end()) return found->second;
  const std::size_t axes = extents_.size();
  if (halo.before.size() != axes || halo.after.size() != axes) {
    throw error::InvalidArgument(
        formatted("BoxSpace: a halo of {} and {} pixels, expected {} numbers",
                  to_string(halo.before), to_string(halo.after), axes));
  }
  const bool repeats = padding == Padding::circular;
  Extents before(axes, 0), after(axes, 0);
  BoxesOfRanks owned, wanted;
  for (const Box& box : boxes_) {
    Box grown;
    for (std::size_t d = 0; d < axes; ++d) {
      Interval along{box.axes[d].begin - halo.before[d], box.axes[d].end + halo.after[d]};
      if (!repeats)
        along = {std::max<std::int64_t>(along.begin, 0), std::min(along.end, extents_[d])};
      grown.axes.push_back(along);
    }
    owned.push_back({box});
    wanted.push_back({grown});
  }
  const Box& mine = wanted[static_cast<std::size_t>(ranks_->rank())].front();
  Box window = mine;
  for (std::size_t d = 0; d < axes && !repeats && padding != Padding::valid; ++d) {
    before[d] = halo.before[d] - (local().axes[d].begin - mine.axes[d].begin);
    after[d] = halo.after[d] - (mine.axes[d].end - local().axes[d].end);
    window.axes[d] = {mine.axes[d].begin - before[d], mine.axes[d].end + after[d]};
    if (padding == Padding::reflect && std::max(before[d], after[d]) >= mine.axes[d].length()) {
      throw error::InvalidArgument(formatted(
          "BoxSpace: the box {} has too few pixels along axis {} for a mirror image of {} beyond "
          "the border; give fewer ranks along it, at most {}",
          to_string(local()), d, std::max(before[d], after[d]),
          std::max<std::int64_t>(1, extents_[d] / (std::max(halo.before[d], halo.after[d]) + 1))));
    }
  }
  return extensions_
      .emplace(key, Extension{BoxExchange(ranks_, std::move(owned), std::move(wanted),
                                          repeats ? extents_ : Extents()),
                              std::move(before), std::move(after), std::move(window)})
      .first->second;
}

inline Box BoxSpace::window(const Halo& halo, Padding padding) const {
  return extension(halo, padding).window;
}

inline Tensor BoxSpace::with_halo(const Tensor& own, const Halo& halo, Padding padding) const {
  const Extension& how = fail_together(*ranks_, "BoxSpace.with_halo", [&]() -> const Extension& {
    check_own(own, "BoxSpace.with_halo");
    return extension(halo, padding);
  });
  const Tensor grown = how.exchange.forward({own}).front();
  return padding == Padding::circular ? grown : extend(grown, padding, how.before, how.after);
}

inline Tensor BoxSpace::add_halo(const Tensor& extended, const Halo& halo, Padding padding) const {
  const Extension* how = nullptr;
  const Tensor folded = fail_together(*ranks_, "BoxSpace.add_halo", [&] {
    how = &extension(halo, padding);
    return padding == Padding::circular
               ? extended
               : extend_adjoint(extended, padding, how->before, how->after);
  });
  return how->exchange.adjoint({folded}).front();
}

}  // namespace tessera
