// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "restoration/method.hpp"
#include "restoration/networks.hpp"
#include "restore/pictures.hpp"
#include "tessera/physics/padding.hpp"

namespace restore {

/// What a configuration file says, and no more: nothing is read, estimated or chosen yet. Paths are
/// absolute or relative to the working directory; `where` is what a message about a part begins
/// with: "restore.yml:5:7: measurement 2: blur".

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

/// tessera::Tomography of a picture by parallel rays; a pixel has the side 1.
struct TomographyStep {
  std::string where = {};
  std::vector<double> angles = {};       ///< of the views, in degrees
  double spacing = 1;                    ///< of the detector's cells, in pixels of the image
  std::vector<std::int64_t> shape = {};  ///< (H, W); empty: a square as wide as the detector
};

/// tessera::FourierSampling of a real image. The last step.
struct FourierStep {
  std::string where = {};
  std::string mask = {};  ///< file; the frequency 0 comes first
};

/// In the order in which they act on the image.
using Step = std::variant<BlurStep, SpaceVaryingBlurStep, DownSamplingStep, MaskStep, WarpStep,
                          MatrixStep, TomographyStep, FourierStep>;

enum class NoiseKind { gaussian, poisson };

struct NoiseModel {
  std::string where = {};
  NoiseKind kind = NoiseKind::gaussian;
  std::optional<double> level = {};  ///< of gaussian, in units of the file; nullopt: estimated
  double gain = 1;                   ///< of poisson: what one count adds to a value of the file
  double background = 0;             ///< of poisson: expected in every value of the file
};

struct Measurement {
  std::string where = {};
  std::string file = {};
  PictureChoice choice = {};
  std::vector<Step> steps = {};  ///< none: the image itself
  NoiseModel noise = {};
  double weight = 1;
};

/// Values that restored pixels may have, in units of the files.
struct Clamp {
  bool is_open = false;  ///< any values
  double low = 0;
  double high = 0;
};

struct ImageSettings {
  std::string where = {};
  std::optional<double> white = {};  ///< nullopt: from the files' type
  bool white_is_largest = false;     ///< white: auto
  std::optional<Clamp> clamp = {};
};

enum class PriorName { drunet, dncnn, tv, ridge, wavelet, none };

/// How the weight of a prior is found.
enum class WeightRule { risk, whiteness, discrepancy };

struct PriorSettings {
  std::string where = {};
  std::optional<PriorName> name = {};  ///< nullopt: by the noise
  std::optional<double> weight = {};   ///< nullopt: by the rule, or the default of the prior
  std::optional<WeightRule> rule = {};
  std::string weights = {};  ///< file of the network or of ridge; empty: the one that ships
};

/// Of the solver's arithmetic; networks compute in float32 either way.
enum class Precision { f32, f64 };

struct SolverSettings {
  std::string where = {};
  std::optional<restoration::SolverKind> name = {};  ///< nullopt: by the prior
  std::optional<std::int64_t> iterations = {};
  Precision precision = Precision::f64;
};

struct Config {
  std::string file = {};
  std::vector<Measurement> measurements = {};
  ImageSettings image;
  PriorSettings prior;
  SolverSettings solver;
  std::string output = {};
  std::string output_where = {};
  std::string report = {};  ///< .html; empty: none
  std::string report_where = {};
};

/// The file, which must be there. Throws error::InvalidArgument, "file:line:column: ...", for what
/// is no YAML, an unknown key, a missing one, or a value that cannot be.
Config read_config(const std::string& path);

/// The same for its text; `file` is its name.
Config parse_config(const std::string& text, const std::string& file);

/// The configuration file, and all files that it names for reading.
std::vector<std::string> files_of(const Config& config);

/// "blur 9x9"-like words of a chain; "identity" for none.
std::string words_of(const std::vector<Step>& steps);

/// Whether measurements have another unit than the image: behind a matrix, a scan, a transform.
bool has_own_unit(const std::vector<Step>& steps);

/// Whether measurements are no picture and no volume, but a list of values or Fourier coefficients.
bool is_no_picture(const std::vector<Step>& steps);

}  // namespace restore

template <>
inline constexpr std::array settings::enum_names<restore::NoiseKind> = {
    settings::EnumName{restore::NoiseKind::gaussian, "gaussian"},
    settings::EnumName{restore::NoiseKind::poisson, "poisson"}};
template <>
inline constexpr std::array settings::enum_names<restore::WeightRule> = {
    settings::EnumName{restore::WeightRule::risk, "risk"},
    settings::EnumName{restore::WeightRule::whiteness, "auto"},
    settings::EnumName{restore::WeightRule::discrepancy, "discrepancy"}};
template <>
inline constexpr std::array settings::enum_names<restore::Precision> = {
    settings::EnumName{restore::Precision::f32, "single"},
    settings::EnumName{restore::Precision::f64, "double"}};
template <>
inline constexpr std::array settings::enum_names<restore::PriorName> = {
    settings::EnumName{restore::PriorName::drunet, "drunet"},
    settings::EnumName{restore::PriorName::dncnn, "dncnn"},
    settings::EnumName{restore::PriorName::tv, "tv"},
    settings::EnumName{restore::PriorName::ridge, "ridge"},
    settings::EnumName{restore::PriorName::wavelet, "wavelet"},
    settings::EnumName{restore::PriorName::none, "none"}};
