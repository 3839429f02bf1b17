#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tessera::detail {

/// Constants of the index, see ssim().
struct SsimConstants {
  double c1 = 0;
  double c2 = 0;
  double shift = 0;  ///< taken off all intensities before squares are formed
};

/// The structural similarity of each of `planes` contiguous height x width planes, averaged over
/// its pixels. `window` is the right half of the Gaussian, its middle first; planes are reflected
/// at their borders and have more than window.size() - 1 pixels along both axes. The same numbers
/// on every number of threads.
template <typename T>
std::vector<double> ssim_of_planes(const T* x, const T* y, std::int64_t planes, std::int64_t height,
                                   std::int64_t width, std::span<const T> window,
                                   const SsimConstants& constants);

}  // namespace tessera::detail
