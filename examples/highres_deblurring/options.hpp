// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "restoration/method.hpp"
#include "restoration/networks.hpp"
#include "restoration/run_settings.hpp"
#include "settings/command_line.hpp"
#include "tessera/physics/padding.hpp"

enum class ProblemKind { highres_blur, multiframe_superres };
enum class NoiseKind { gaussian, poisson, salt_and_pepper };
enum class Preset { standard, published };
enum class InitMethod { zeros, adjoint, pseudo_inverse };
/// How a denoiser sees beyond the box of a rank: context, tiles with pixels around them; layers, by
/// exchanges between the layers of a network.
enum class DenoiserHalo { automatic, context, layers };
using restoration::DenoiserKind;
using restoration::FidelityKind;
using restoration::PriorKind;
using restoration::SolverKind;

namespace settings {

template <>
inline constexpr std::array enum_names<ProblemKind> = {
    EnumName{ProblemKind::highres_blur, "highres_blur"},
    EnumName{ProblemKind::multiframe_superres, "multiframe_superres"}};
template <>
inline constexpr std::array enum_names<NoiseKind> = {
    EnumName{NoiseKind::gaussian, "gaussian"}, EnumName{NoiseKind::poisson, "poisson"},
    EnumName{NoiseKind::salt_and_pepper, "salt_and_pepper"}};
template <>
inline constexpr std::array enum_names<Preset> = {EnumName{Preset::standard, "default"},
                                                  EnumName{Preset::published, "published"}};
template <>
inline constexpr std::array enum_names<InitMethod> = {
    EnumName{InitMethod::zeros, "zeros"}, EnumName{InitMethod::adjoint, "adjoint"},
    EnumName{InitMethod::pseudo_inverse, "pseudo_inverse"}};
template <>
inline constexpr std::array enum_names<DenoiserHalo> = {EnumName{DenoiserHalo::automatic, "auto"},
                                                        EnumName{DenoiserHalo::context, "context"},
                                                        EnumName{DenoiserHalo::layers, "layers"}};

}  // namespace settings

/// What the user can set beside restoration::RunSettings; table() in settings.cpp says what each
/// means. A member is there and in the table, or in neither: a test counts.
struct UserSettings {
  ProblemKind problem = ProblemKind::highres_blur;
  std::string image;                 ///< empty: a synthetic scene
  std::optional<std::int64_t> page;  ///< from 1; nullopt: the largest picture
  std::int64_t image_size = 2048;
  std::int64_t max_image_size = 0;
  std::int64_t num_operators = 8;
  std::int64_t factor = 2;  ///< of multiframe_superres
  tessera::Padding border = tessera::Padding::circular;
  NoiseKind noise = NoiseKind::gaussian;
  double noise_level = 0.1;
  std::uint64_t seed = 42;
  std::string truth;
  std::string measurements;

  Preset preset = Preset::standard;
  SolverKind solver = SolverKind::dpir;
  FidelityKind fidelity = FidelityKind::clipped;
  PriorKind prior = PriorKind::pnp;
  double red_weight = 4;
  double dpir_weight = 0.1;
  double tv_weight = 5;
  double prior_weight = 1;
  DenoiserKind denoiser = DenoiserKind::drunet;
  std::string weights;  ///< empty: the weights installed with tessera
  double denoiser_sigma = 0.01;
  std::optional<double> denoiser_sigma_start;  ///< nullopt: constant levels
  std::optional<double> step_size;             ///< nullopt: from ||A||^2
  InitMethod init_method = InitMethod::zeros;
  std::int64_t iterations = 30;

  bool distribute_image = false;
  DenoiserHalo denoiser_halo = DenoiserHalo::automatic;

  bool plan = false;
  std::vector<int> ranks = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
  double bandwidth = 10;  ///< GB/s
  double latency = 5;     ///< microseconds
};

/// The settings, and what was made of the command line.
struct Options : UserSettings, restoration::RunSettings, restoration::Parsed {
  /// The part of them that tools/restoration makes the solver from.
  restoration::Method method() const;

  bool image_size_given = false;  ///< else a .npy truth brings its own
};

/// Every setting.
const settings::Table<Options>& table();

/// The program as its command line knows it.
const settings::Program<Options>& command_line();

/// settings::parse_arguments of it.
Options parse_arguments(std::vector<std::string> arguments);
