// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string>

#include "settings/enum_names.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/io/default_weights.hpp"

namespace restoration {

/// --denoiser: ridge is that of a RidgePrior, script a network of the user's own.
enum class DenoiserKind { drunet, dncnn, tv, ridge, script };

/// The untiled denoiser. `weights` is its file; if it is empty, it becomes the file installed with
/// tessera, where there is one: for drunet `installed`, for ridge that of grey images, or of
/// volumes. Of 3 spatial `dimensions`, networks for pictures are inflated. Throws
/// error::InvalidArgument where there is no file and for networks of more dimensions, error::Io for
/// a file that cannot be read.
tessera::DenoiserPtr make_denoiser(
    DenoiserKind kind, std::string& weights, at::Device device,
    tessera::DefaultWeights installed = tessera::DefaultWeights::drunet,
    std::int64_t dimensions = 2);

}  // namespace restoration

template <>
inline constexpr std::array settings::enum_names<restoration::DenoiserKind> = {
    settings::EnumName{restoration::DenoiserKind::drunet, "drunet"},
    settings::EnumName{restoration::DenoiserKind::dncnn, "dncnn"},
    settings::EnumName{restoration::DenoiserKind::tv, "tv"},
    settings::EnumName{restoration::DenoiserKind::ridge, "ridge"},
    settings::EnumName{restoration::DenoiserKind::script, "script"}};
