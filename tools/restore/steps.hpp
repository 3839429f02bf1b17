// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "tessera/physics/padding.hpp"

namespace restore {

/// The operators that a configuration file knows by name, and what it says of them. `where` is what
/// a message about one begins with: "restore.yml:5:7: measurement 2: operator: blur: ".

/// A convolution with a point spread function, from a file or Gaussian.
struct BlurStep {
  std::string where = {};
  std::string kernel = {};  ///< file; empty: Gaussian
  /// Standard deviations in pixels of the image: one for all axes, or one for each, (D, H, W).
  std::vector<double> gaussian = {};
  bool normalise = false;  ///< divide the kernel by its sum
  tessera::Padding border = tessera::Padding::valid;
};

/// tessera::SpaceVaryingBlur of a picture: a file of rows x columns kernels, row after row.
struct SpaceVaryingBlurStep {
  std::string where = {};
  std::string kernels = {};
  std::array<std::int64_t, 2> grid = {1, 1};
  bool normalise = false;  ///< divide each kernel by its sum
  tessera::Padding border = tessera::Padding::valid;
};

/// Every factor-th pixel along each side of the moved image; `averages`: the mean of factor x
/// factor pixels, as a detector's pixel sees them.
struct DownSamplingStep {
  std::string where = {};
  std::int64_t factor = 1;
  std::array<double, 2> shift = {0, 0};  ///< down and right, in pixels of the result
  bool averages = true;
};

/// A product with an image of 0 (not measured) to 1.
struct MaskStep {
  std::string where = {};
  std::string file = {};
};

/// An affine motion, tessera::Warp.
struct WarpStep {
  std::string where = {};
  std::array<double, 6> matrix = {1, 0, 0, 0, 1, 0};  ///< [M t], two rows of three
};

/// tessera::MatrixPhysics of an image of one channel. The last step.
struct MatrixStep {
  std::string where = {};
  std::string file = {};                 ///< MatrixMarket, .mtx
  std::vector<std::int64_t> shape = {};  ///< (H, W) or (D, H, W); empty: a square picture
};

/// tessera::Tomography of a picture, or of each slice of a volume, by parallel rays; a pixel has
/// the side 1.
struct TomographyStep {
  std::string where = {};
  std::vector<double> angles = {};       ///< of the views, in degrees
  double spacing = 1;                    ///< of the detector's cells, in pixels of the image
  std::vector<std::int64_t> shape = {};  ///< (H, W); empty: squares as wide as the detector
};

/// tessera::FourierSampling of a real image. The last step.
struct FourierStep {
  std::string where = {};
  std::string mask = {};  ///< file; the frequency 0 comes first
};

/// In the order in which they act on the image.
using Step = std::variant<BlurStep, SpaceVaryingBlurStep, DownSamplingStep, MaskStep, WarpStep,
                          MatrixStep, TomographyStep, FourierStep>;

/// "blur 9x9"-like words of a chain; "identity" for none.
std::string words_of(const std::vector<Step>& steps);

/// Whether measurements have another unit than the image: behind a matrix, a scan, a transform.
bool has_own_unit(const std::vector<Step>& steps);

/// Whether measurements are no picture and no volume, but a list of values or Fourier coefficients.
bool is_no_picture(const std::vector<Step>& steps);

/// Whether a step hides values: a mask, also of Fourier coefficients.
bool is_mask(const Step& step);

const std::string& where_of(const Step& step);

}  // namespace restore
