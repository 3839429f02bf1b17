// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tessera/comm/box.hpp"
#include "tessera/comm/partition.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/distributed/per_axis.hpp"

/// How an image is cut into tiles: pure geometry in global coordinates, one to three spatial
/// dimensions. A plan knows nothing of ranks or tensors; what TiledDenoiser computes from it does
/// not depend on the number of ranks that share the tiles.
namespace tessera {

/// One tile along one axis: core within support within window.
///
/// Cores are disjoint and cover the image. Around a cut at c, the two tiles that meet there are
/// blended over [c - blend, c + blend): the support of a tile is its core and half of each blended
/// region. The window is what the denoiser is given: the support and the context, which is cropped
/// from the result.
struct TileAxis {
  Interval core;
  Interval window;
  std::int64_t blend_before = 0;  ///< pixels the support reaches out of the core at its beginning
  std::int64_t blend_after = 0;   ///< and at its end; 0 on true image borders
  Interval support() const { return {core.begin - blend_before, core.end + blend_after}; }
  bool operator==(const TileAxis&) const = default;
};

/// A box of pixels, one TileAxis per spatial dimension.
struct Tile {
  std::vector<TileAxis> axes;
  /// Pixels the denoiser computes for this tile.
  std::int64_t window_pixels() const;
  /// Pixels of the result it contributes to.
  std::int64_t support_pixels() const;
  std::vector<std::int64_t> window_shape() const;
  bool operator==(const Tile&) const = default;
};

/// What the window does where it reaches over the image.
enum class Border {
  clamp,   ///< windows end at the image: the denoiser sees the border it would see untiled
  reflect  ///< windows are filled by reflection without repeating the border pixel
};

/// The published benchmark's tiling: cores of `patch` pixels from the origin, a halo of `overlap`
/// pixels around.
struct FixedTiles {
  PerAxis patch = 448;
  PerAxis overlap = 32;        ///< halo: context and half of the blended region
  PerAxis blend = 0;           ///< full length of the blended region around a cut
  std::int64_t alignment = 1;  ///< windows begin on this grid (Denoiser::alignment)
};

/// Even cuts: every rank has the same work.
struct EvenTiles {
  int ranks = 1;                       ///< how many ranks are to share the tiles
  PerAxis context = 32;                ///< cropped pixels beyond the support
  PerAxis blend = 0;                   ///< full length of the blended region around a cut
  std::int64_t alignment = 1;          ///< cuts and windows lie on this grid (Denoiser::alignment)
  std::int64_t max_window_pixels = 0;  ///< no window is larger: the memory limit; 0: none
  std::int64_t minimum_tiles = 1;      ///< at least so many tiles
  std::int64_t minimum_window =
      1;  ///< no window is shorter along any axis (Denoiser::minimum_extent)
};

/// What a plan costs when `ranks` ranks share it.
struct TileCosts {
  std::int64_t tiles = 0;
  std::vector<std::int64_t> smallest_window;
  std::vector<std::int64_t> largest_window;
  double work_factor = 1;  ///< pixels computed / pixels of the image
  double imbalance = 1;    ///< largest rank's pixels computed / (pixels of the image / ranks)
  int idle_ranks = 0;      ///< ranks without a tile
  double exchanged_bytes =
      0;  ///< what all ranks together contribute to the all-gather of one denoising; 0 on one rank
  double peak_bytes =
      0;  ///< estimate for the busiest rank: image in and out, tiles exchanged, working memory
};

/// What the costs are computed for. Defaults: a colour image in float32.
struct TileCostOptions {
  int ranks = 1;
  std::int64_t batch = 1;
  std::int64_t channels = 3;
  std::int64_t bytes_per_element = 4;
  /// Working memory of the denoiser, in elements per pixel of a window (Denoiser::memory_estimate).
  double working_elements_per_pixel = 0;
  /// Tiles the denoiser is given at once.
  std::int64_t tiles_per_batch = 1;
};

/// Tiles that cover an image of a given shape.
class TilePlan {
 public:
  /// Cores start at 0, patch, 2 patch, ...; the last one ends at the border. Windows are shifted
  /// inside the image, so that all have patch + 2 overlap pixels where the image has as many and
  /// `alignment` allows. Throws error::InvalidArgument for a patch larger than the image, a
  /// negative overlap, or a blended region that the overlap does not hold.
  static TilePlan fixed(std::vector<std::int64_t> shape, const FixedTiles& options);

  /// The layout of deepinv 0.5's tiling: all windows have patch + 2 overlap pixels, the last one is
  /// shifted back, borders are filled by reflection, and where cores would overlap the earlier tile
  /// wins.
  static TilePlan deepinv(std::vector<std::int64_t> shape, const PerAxis& patch,
                          const PerAxis& overlap);

  /// Cuts for all ranks at once: tiles at the border take larger cores, because they need no outer
  /// halo. Searches grids, with one or several tiles per rank, and bands that are cut by
  /// themselves, which serve numbers of ranks that do not factorise, for the least work of the
  /// busiest rank, then for the least work in all. Along each axis context and blend / 2 together
  /// are rounded up to the alignment.
  static TilePlan even(std::vector<std::int64_t> shape, const EvenTiles& options);

  const std::vector<std::int64_t>& shape() const { return shape_; }
  const std::vector<Tile>& tiles() const { return tiles_; }
  Border border() const { return border_; }
  /// True if some pixel is a weighted sum of several tiles.
  bool is_blended() const;

  /// Tiles to ranks, balanced by window pixels. The same on every rank.
  Partition assign(int ranks) const;

  TileCosts costs(const TileCostOptions& options = {}) const;
  /// The costs as lines of text.
  std::string summary(const TileCostOptions& options = {}) const;

 private:
  TilePlan(std::vector<std::int64_t> shape, std::vector<Tile> tiles, Border border);

  std::vector<std::int64_t> shape_;
  std::vector<Tile> tiles_;
  Border border_ = Border::clamp;
};

}  // namespace tessera

#include "tessera/distributed/detail/even_tiles.hpp"
#include "tessera/distributed/detail/tile_costs.hpp"
#include "tessera/distributed/detail/tile_plan.hpp"
