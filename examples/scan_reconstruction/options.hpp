// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "restoration/networks.hpp"
#include "restoration/run_settings.hpp"
#include "settings/command_line.hpp"

enum class ProblemKind { tomography_2d, tomography_3d, mri, radio, noisy_volume };
enum class SolverKind { hqs, pnp, primal_dual };
enum class InitMethod { zeros, linear };
using restoration::DenoiserKind;

namespace settings {

template <>
inline constexpr std::array enum_names<ProblemKind> = {
    EnumName{ProblemKind::tomography_2d, "tomography_2d"},
    EnumName{ProblemKind::tomography_3d, "tomography_3d"}, EnumName{ProblemKind::mri, "mri"},
    EnumName{ProblemKind::radio, "radio"}, EnumName{ProblemKind::noisy_volume, "noisy_volume"}};
template <>
inline constexpr std::array enum_names<SolverKind> = {
    EnumName{SolverKind::hqs, "hqs"}, EnumName{SolverKind::pnp, "pnp"},
    EnumName{SolverKind::primal_dual, "primal_dual"}};
template <>
inline constexpr std::array enum_names<InitMethod> = {EnumName{InitMethod::zeros, "zeros"},
                                                      EnumName{InitMethod::linear, "linear"}};

}  // namespace settings

/// What the user can set beside restoration::RunSettings; table() in settings.cpp says what each
/// means. A member is there and in the table, or in neither: a test counts.
struct UserSettings {
  ProblemKind problem = ProblemKind::tomography_2d;
  std::string image;  ///< empty: a phantom
  std::string truth;
  std::int64_t image_size = 256;
  std::int64_t max_image_size = 0;
  std::int64_t num_operators = 8;
  std::int64_t views = 60;
  std::int64_t coils = 8;
  double acceleration = 4;
  std::int64_t antennas = 24;
  std::int64_t hours = 12;
  double noise_level = 0.005;
  std::uint64_t seed = 42;
  std::string vectors;
  std::string measurements;

  SolverKind solver = SolverKind::hqs;
  double prior_weight = 0.2;
  double tv_weight = 5;
  DenoiserKind denoiser = DenoiserKind::drunet;
  std::string weights;  ///< empty: the weights installed with tessera
  double denoiser_sigma = 0.01;
  double denoiser_sigma_start = 0.1;
  std::optional<double> lambda_relaxation;  ///< nullopt: none
  std::optional<double> step_size;          ///< nullopt: from ||A||^2
  InitMethod init_method = InitMethod::linear;
  std::int64_t iterations = 20;
};

/// The settings, and what was made of the command line.
struct Options : UserSettings, restoration::RunSettings, restoration::Parsed {
  bool is_tomography() const {
    return problem == ProblemKind::tomography_2d || problem == ProblemKind::tomography_3d;
  }
  bool is_volume() const {
    return problem == ProblemKind::tomography_3d || problem == ProblemKind::noisy_volume;
  }
};

/// Every setting.
const settings::Table<Options>& table();

/// The program as its command line knows it.
const settings::Program<Options>& command_line();
