// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace tessera {

/// What tapers the ramp towards the highest frequency that cells sample, f = 1.
enum class RampWindow {
  none,         ///< 1: sharpest, most noise
  shepp_logan,  ///< sin(pi f / 2) / (pi f / 2)
  cosine,       ///< cos(pi f / 2)
  hann          ///< (1 + cos(pi f)) / 2: smoothest
};

/// The filter of filtered back-projection: the band-limited ramp of Kak and Slaney (Principles of
/// Computerized Tomographic Imaging, 1988, eq. 3.61), with a window.
struct RampFilter {
  RampWindow window = RampWindow::none;
  /// Frequencies beyond it are cut off, and the window ends there; above 0, up to 1.
  double cutoff = 1;
};

}  // namespace tessera
