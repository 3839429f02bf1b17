#include "tessera/distributed/blend_window.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "tessera/core/error.hpp"

namespace tessera {

namespace {

/// w(u) for u >= 1/2.
double rising(BlendWindow window, double u) {
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
double ramp(BlendWindow window, std::int64_t i, std::int64_t length) {
  const std::int64_t mirrored = length - 1 - i;
  const auto at = [&](std::int64_t pixel) {
    return rising(window, (static_cast<double>(pixel) + 0.5) / static_cast<double>(length));
  };
  return i >= mirrored ? at(i) : 1.0 - at(mirrored);
}

}  // namespace

std::string to_string(BlendWindow window) {
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

BlendWindow blend_window(const std::string& name) {
  for (const BlendWindow window :
       {BlendWindow::constant, BlendWindow::linear, BlendWindow::cosine, BlendWindow::gaussian}) {
    if (to_string(window) == name) return window;
  }
  throw error::InvalidArgument(fmt::format(
      "blend_window: there is no window '{}', expected constant, linear, cosine or gaussian",
      name));
}

Interval weighted_interval(const TileAxis& axis, BlendWindow window) {
  return window == BlendWindow::constant ? axis.core : axis.support();
}

std::vector<double> axis_weights(const TileAxis& axis, BlendWindow window) {
  std::vector<double> weights(static_cast<std::size_t>(weighted_interval(axis, window).length()),
                              1.0);
  if (window == BlendWindow::constant) return weights;
  for (std::int64_t i = 0; i < 2 * axis.blend_before; ++i) {
    weights[static_cast<std::size_t>(i)] = ramp(window, i, 2 * axis.blend_before);
  }
  for (std::int64_t i = 0; i < 2 * axis.blend_after; ++i) {
    weights[weights.size() - 1 - static_cast<std::size_t>(i)] =
        ramp(window, i, 2 * axis.blend_after);
  }
  return weights;
}

}  // namespace tessera
