// SPDX-License-Identifier: BSD-3-Clause
#include "restore/samples.hpp"

#include <algorithm>

namespace restore {

bool is_floating(Samples samples) {
  return samples == Samples::f32 || samples == Samples::f64;
}

Samples samples_for(Samples one, Samples other) {
  const Samples wider = std::max(one, other);
  return wider == Samples::i16 && std::min(one, other) == Samples::u16 ? Samples::f32 : wider;
}

Samples samples_of(at::ScalarType stored) {
  switch (c10::toRealValueType(stored)) {
    case at::kBool:
    case at::kByte:
      return Samples::u8;
    case at::kUInt16:
      return Samples::u16;
    case at::kShort:
      return Samples::i16;
    case at::kChar:
    case at::kHalf:
    case at::kFloat:
      return Samples::f32;
    default:
      return Samples::f64;
  }
}

at::ScalarType type_of(Samples samples) {
  switch (samples) {
    case Samples::u8:
      return at::kByte;
    case Samples::u16:
      return at::kUInt16;
    case Samples::i16:
      return at::kShort;
    case Samples::f32:
      return at::kFloat;
    case Samples::f64:
      break;
  }
  return at::kDouble;
}

SampleRange range_of(Samples samples) {
  if (samples == Samples::i16) return {least_of_signed, largest_of_signed};
  return {0, samples == Samples::u8 ? 255.0 : 65535.0};
}

}  // namespace restore
