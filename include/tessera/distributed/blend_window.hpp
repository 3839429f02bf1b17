#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tessera/distributed/tile_plan.hpp"

namespace tessera {

/// How two tiles share the pixels of the blended region around a cut. With u in (0, 1) across the
/// region, sampled at half pixels, the tile that begins has weight w(u), the one that ends 1 - w(u)
/// = w(1 - u).
enum class BlendWindow {
  constant,  ///< the core's owner alone: a hard cut, whatever the plan's blend
  linear,    ///< w = u
  cosine,    ///< w = sin^2(pi u / 2)
  gaussian   ///< Gaussians of standard deviation 0.4 around each tile's end of the region,
             ///< normalised: w = 1 / (1 + exp((1 - 2 u) / (2 * 0.4^2)))
};

/// "constant", "linear", "cosine" or "gaussian".
std::string to_string(BlendWindow window);
/// Throws error::InvalidArgument, with the names there are, for any other name.
BlendWindow blend_window(const std::string& name);

/// Weights of a tile along one axis, one per pixel of its support (of its core for `constant`). All
/// positive; the weights of all tiles that cover a pixel sum to 1 exactly; 1 at true image borders.
std::vector<double> axis_weights(const TileAxis& axis, BlendWindow window);

/// The pixels axis_weights are for.
Interval weighted_interval(const TileAxis& axis, BlendWindow window);

}  // namespace tessera
