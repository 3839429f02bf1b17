// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/core/image_spec.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/distributed/blend_window.hpp"
#include "tessera/distributed/tile_plan.hpp"

namespace tessera {

/// How TiledDenoiser cuts an image; see TilePlan.
enum class Tiling {
  even,    ///< equal work for every rank, `context` cropped and `blend` weighted pixels around the
           ///< cuts
  exact,   ///< as even, with the context that reproduces the untiled denoiser, from its reach and
           ///< alignment
  fixed,   ///< cores of `patch` pixels with a halo of `overlap`
  deepinv  ///< the layout of deepinv's tiling, reflected borders and hard cuts included
};

struct TilingOptions {
  Tiling tiling = Tiling::even;
  PerAxis context = 32;  ///< even: cropped pixels beyond the blended region
  PerAxis blend = 16;    ///< even, fixed: full length of the blended region around a cut
  PerAxis patch = 448;   ///< fixed, deepinv: size of a core
  PerAxis overlap = 32;  ///< fixed, deepinv: halo around a core; holds half of the blend
  BlendWindow window = BlendWindow::cosine;
  int ranks = 0;  ///< even, exact: plan for so many ranks; 0: for the communicator's
  std::int64_t minimum_tiles = 1;  ///< even, exact: at least so many tiles
  /// Tiles of equal shape given to the denoiser at once; 0: all of a rank's. With 1 the result is
  /// the same bits for every number of ranks, given one plan; with more it is the same to rounding,
  /// because libraries may choose their algorithm by batch size.
  std::int64_t max_batch_size = 1;
  /// Bound on the denoiser's working memory, from Denoiser::memory_estimate: limits the windows of
  /// even and exact tilings and the tiles per batch of all. 0: none.
  double memory_limit_bytes = 0;
};

/// A denoiser applied tile by tile, the tiles shared out over ranks: less memory on one rank, less
/// time on several.
///
/// Each rank denoises its tiles and weighs them; one all-gather of the weighted tiles completes the
/// image on every rank, which adds them up in the plan's order. So, for a given plan, the result
/// does not depend on the number of ranks. A denoiser's rule for extending images
/// (Denoiser::extended_extents) is applied to the whole image in every tiling: windows that
/// end at the image's border go on into the extension, others are taken as they are. The layout
/// of deepinv alone has each window extended by itself, as deepinv's has. What is gathered is each
/// tile's core with its half of the blended regions: the image once, and the blended regions once
/// more, about half of what an all-reduce of images moves.
///
/// Differentiable on one rank. Collectives are not: on several ranks an image, a level or
/// parameters that require gradients, while gradients are enabled, are refused with the same error
/// on all ranks.
class TiledDenoiser : public Denoiser {
 public:
  /// Plans for an image's spatial extents. The same on every rank.
  using Rule = std::function<TilePlan(const std::vector<std::int64_t>& shape)>;

  /// Plans by the options, once per image shape. Throws error::InvalidArgument for options that
  /// cannot work: an exact tiling of a denoiser without a reach, a memory limit where its memory is
  /// unknown.
  TiledDenoiser(DenoiserPtr denoiser, CommunicatorPtr communicator, TilingOptions options = {});

  /// With a plan of one's own, for images of its shape; of the options, window, max_batch_size and
  /// memory_limit_bytes are read.
  TiledDenoiser(DenoiserPtr denoiser, CommunicatorPtr communicator, TilePlan plan,
                TilingOptions options = {});

  /// With a rule of one's own; of the options, the same are read.
  TiledDenoiser(DenoiserPtr denoiser, CommunicatorPtr communicator, Rule rule,
                TilingOptions options = {});

  /// "tiled(drunet)"
  inline std::string name() const override;
  /// The wrapped denoiser's where every tiling is exact; nullopt otherwise.
  inline std::optional<std::int64_t> reach() const override;
  inline std::int64_t alignment() const override;
  inline std::int64_t minimum_extent() const override;
  bool follows_level() const override { return denoiser_->follows_level(); }
  bool is_trainable() const override { return denoiser_->is_trainable(); }
  inline std::optional<double> memory_estimate(at::IntArrayRef shape) const override;
  Communicator& communicator() const override { return *communicator_; }

  const Denoiser& denoiser() const { return *denoiser_; }
  const TilingOptions& options() const { return options_; }

  /// Local. The plan for images of shape (B, C, spatial...), with elements of `bytes_per_element`
  /// bytes.
  TilePlan plan(at::IntArrayRef image_shape, std::int64_t bytes_per_element = 4) const;

  /// Local. True if tiles of this plan reproduce the untiled denoiser to rounding: enough context
  /// inside the image, windows on its grid.
  bool is_exact(const TilePlan& plan) const;

  /// Local. What a user should know about this tiling: how it differs from untiled, ranks without a
  /// tile.
  std::vector<std::string> warnings(at::IntArrayRef image_shape) const;

  /// Local. The plan's costs and the warnings, as lines of text.
  std::string summary(at::IntArrayRef image_shape, std::int64_t bytes_per_element = 4) const;

 private:
  struct Layout;
  /// What the denoiser is given for one tile.
  struct Window {
    Box box;                   // may reach out of the image
    bool is_extended = false;  // as the whole image is
  };

  friend class ShardedDenoiser;  // cuts as this one does

  /// Collective: one all-gather.
  inline Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const override;
  const Layout& layout(const Tensor& x) const;
  Window window_of(const TilePlan& plan, const Tile& tile) const;
  void check_gradients(const Tensor& x, const NoiseLevel& sigma, const std::string& who) const;
  Tensor denoise_own_tiles(const Tensor& x, const NoiseLevel& sigma, const Layout& layout) const;
  std::int64_t batch_size(const Tensor& x, const Tile& tile) const;
  TilePlan plan_by_options(at::IntArrayRef image_shape, std::int64_t bytes_per_element) const;
  double working_elements_per_pixel(at::IntArrayRef image_shape) const;

  DenoiserPtr denoiser_;
  CommunicatorPtr communicator_;
  TilingOptions options_;
  Rule rule_;  // empty: by the options
  mutable std::unordered_map<ImageSpec, std::shared_ptr<const Layout>> layouts_;
};

}  // namespace tessera

#include "tessera/distributed/detail/tiled_denoiser.hpp"
#include "tessera/distributed/detail/tiling.hpp"
