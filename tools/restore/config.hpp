// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "restoration/method.hpp"
#include "restoration/networks.hpp"
#include "restore/pictures.hpp"
#include "restore/steps.hpp"

namespace restore {

/// What a configuration file says, and no more: nothing is read, estimated or chosen yet. Paths are
/// absolute or relative to the working directory; `where` is what a message about a part begins
/// with: "restore.yml:5:7: measurement 2: blur".

enum class NoiseKind { gaussian, poisson };

struct NoiseModel {
  std::string where = {};
  NoiseKind kind = NoiseKind::gaussian;
  std::optional<double> level = {};  ///< of gaussian, in units of the file; nullopt: estimated
  /// Of poisson: what one count adds to a value of the file; nullopt: estimated.
  std::optional<double> gain = {};
  /// Of poisson: expected in every value of the file; nullopt: estimated.
  std::optional<double> background = 0;
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
