// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cmath>

#include "tessera/tomography/scan_geometry.hpp"

/// Arithmetic of world vectors.
namespace tessera {

inline WorldVector operator+(const WorldVector& a, const WorldVector& b) {
  return {a[0] + b[0], a[1] + b[1], a[2] + b[2]};
}

inline WorldVector operator-(const WorldVector& a, const WorldVector& b) {
  return {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
}

inline WorldVector operator*(double factor, const WorldVector& a) {
  return {factor * a[0], factor * a[1], factor * a[2]};
}

inline double dot(const WorldVector& a, const WorldVector& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

inline WorldVector cross(const WorldVector& a, const WorldVector& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

inline double length(const WorldVector& a) {
  return std::sqrt(dot(a, a));
}

}  // namespace tessera
