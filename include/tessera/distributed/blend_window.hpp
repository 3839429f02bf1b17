// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/distributed/tile_plan.hpp"

namespace tessera {

/// How two tiles share the pixels of the blended region around a cut. With u in (0, 1) across the
/// region, sampled at half pixels, the tile that begins has weight w(u), the one that ends 1 - w(u)
/// = w(1 - u).
enum class BlendWindow {
  constant,  ///< the core's owner alone: a hard cut, for any blend of the plan
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

namespace detail {

/// w(u) for u >= 1/2.
inline double rising(BlendWindow window, double u) {
  switch (window) {
    case BlendWindow::linear:
      return u;
    case BlendWindow::cosine: {
      const double s = std::sin(0.5 * std::numbers::pi * u);
      return s * s;
    }
    case BlendWindow::gaussian: {
      constexpr double deviation = 0.4;
      return 1.0 / (1.0 + std::exp((1 - 2 * u) / (2 * deviation * deviation)));
    }
    case BlendWindow::constant:
      break;
  }
  return 1.0;
}

/// Weight, at pixel `i` of a region of `length`, of the tile that begins there. 1 - w is exact for
/// w >= 1/2, so that both tiles' weights sum to 1 exactly.
inline double ramp(BlendWindow window, std::int64_t i, std::int64_t length) {
  const std::int64_t mirrored = length - 1 - i;
  const auto at = [&](std::int64_t pixel) {
    return rising(window, (static_cast<double>(pixel) + 0.5) / static_cast<double>(length));
  };
  return i >= mirrored ? at(i) : 1.0 - at(mirrored);
}

}  // namespace detail

inline std::string to_string(BlendWindow window) {
  switch (window) {
    case BlendWindow::constant:
      return "constant";
    case BlendWindow::linear:
      return "linear";
    case BlendWindow::cosine:
      return "cosine";
    case BlendWindow::gaussian:
      return "gaussian";
  }
  return "unknown";
}

inline BlendWindow blend_window(const std::string& name) {
  for (const BlendWindow window :
       {BlendWindow::constant, BlendWindow::linear, BlendWindow::cosine, BlendWindow::gaussian}) {
    if (to_string(window) == name) return window;
  }
  throw error::InvalidArgument(formatted(
      "blend_window: there is no window '{}', expected constant, linear, cosine or gaussian",
      name));
}

inline Interval weighted_interval(const TileAxis& axis, BlendWindow window) {
  return window == BlendWindow::constant ? axis.core : axis.support();
}

inline std::vector<double> axis_weights(const TileAxis& axis, BlendWindow window) {
  std::vector<double> weights(static_cast<std::size_t>(weighted_interval(axis, window).length()),
                              1.0);
  if (window == BlendWindow::constant) return weights;
  for (std::int64_t i = 0; i < 2 * axis.blend_before; ++i) {
    weights[static_cast<std::size_t>(i)] = detail::ramp(window, i, 2 * axis.blend_before);
  }
  for (std::int64_t i = 0; i < 2 * axis.blend_after; ++i) {
    weights[weights.size() - 1 - static_cast<std::size_t>(i)] =
        detail::ramp(window, i, 2 * axis.blend_after);
  }
  return weights;
}

}  // namespace tessera
