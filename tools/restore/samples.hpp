// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <c10/core/ScalarType.h>

#include "settings/enum_names.hpp"

namespace restore {

/// How a file keeps its values, the wider after the narrower.
enum class Samples { u8, u16, i16, f32, f64 };

/// What signed samples reach from and to, of which none is white.
inline constexpr double least_of_signed = -32768;
inline constexpr double largest_of_signed = 32767;

bool is_floating(Samples samples);

/// Those that hold all values of both.
Samples samples_for(Samples one, Samples other);

/// Of a file with elements of this type: of integers that a result has, these, else floating ones
/// that hold them all.
Samples samples_of(at::ScalarType stored);

/// The elements of an array of such samples.
at::ScalarType type_of(Samples samples);

/// What integer samples can be.
struct SampleRange {
  double least = 0;
  double largest = 0;
};
SampleRange range_of(Samples samples);

}  // namespace restore

template <>
inline constexpr std::array settings::enum_names<restore::Samples> = {
    settings::EnumName{restore::Samples::u8, "8-bit"},
    settings::EnumName{restore::Samples::u16, "16-bit"},
    settings::EnumName{restore::Samples::i16, "signed 16-bit"},
    settings::EnumName{restore::Samples::f32, "float32"},
    settings::EnumName{restore::Samples::f64, "float64"}};
