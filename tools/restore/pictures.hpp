// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "settings/enum_names.hpp"
#include "tessera/core/tensor.hpp"

namespace restore {

/// How a file keeps its values.
enum class Samples { u8, u16, f32, f64 };

/// A picture as its file has it.
struct Picture {
  tessera::Tensor values = {};          ///< (1, C, H, W), float32 or float64, in units of the file
  Samples samples = Samples::u8;        ///< a file of these loses nothing
  std::optional<double> white = {};     ///< the largest value of integer samples: 255, 65535
  std::vector<std::string> cards = {};  ///< of a FITS header
};

/// Reads PNG, JPEG, TIFF (integers of 8, 16 and 32 bits, floating), .npy ((H, W) or (C, H, W)) and,
/// where this was built with it, FITS. Throws error::Io, and error::InvalidArgument for what is no
/// picture, both naming the file.
Picture read_picture(const std::string& path, std::optional<std::int64_t> page = std::nullopt);

/// Throws error::InvalidArgument, saying what to do, if a file of this name cannot hold pictures of
/// these samples and channels, or if its folder is not there.
void check_output(const std::string& path, Samples samples, std::int64_t channels);

/// Writes (1, C, H, W) values of any floating dtype; integers are clamped and rounded. The file is
/// replaced only once the new one is complete. `cards` go into a FITS header.
void write_picture(const std::string& path, const tessera::Tensor& values, Samples samples,
                   const std::vector<std::string>& cards);

}  // namespace restore

template <>
inline constexpr std::array settings::enum_names<restore::Samples> = {
    settings::EnumName{restore::Samples::u8, "8-bit"},
    settings::EnumName{restore::Samples::u16, "16-bit"},
    settings::EnumName{restore::Samples::f32, "float32"},
    settings::EnumName{restore::Samples::f64, "float64"}};
