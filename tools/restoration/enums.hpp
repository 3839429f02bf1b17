// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <c10/core/DeviceType.h>
#include <c10/core/ScalarType.h>

#include "settings/enum_names.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/physics/padding.hpp"

/// The words of options for enums that are not the programs' own.

namespace settings {

template <>
inline constexpr std::array enum_names<tessera::Tiling> = {
    EnumName{tessera::Tiling::even, "auto"}, EnumName{tessera::Tiling::fixed, "fixed"},
    EnumName{tessera::Tiling::deepinv, "deepinv"}, EnumName{tessera::Tiling::exact, "exact"}};
template <>
inline constexpr std::array enum_names<tessera::Padding> = {
    EnumName{tessera::Padding::circular, "circular"}, EnumName{tessera::Padding::valid, "valid"},
    EnumName{tessera::Padding::reflect, "reflect"},
    EnumName{tessera::Padding::replicate, "replicate"},
    EnumName{tessera::Padding::constant, "constant"}};
template <>
inline constexpr std::array enum_names<at::ScalarType> = {
    EnumName{at::ScalarType::Float, "float32"}, EnumName{at::ScalarType::Double, "float64"}};
template <>
inline constexpr std::array enum_names<at::DeviceType> = {EnumName{at::DeviceType::CPU, "cpu"},
                                                          EnumName{at::DeviceType::CUDA, "cuda"}};

}  // namespace settings
