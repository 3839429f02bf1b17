// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

#include "tomography/rays.hpp"

namespace tessera::joseph {

/// An image as planes across a main axis, each within a border of zeros: one row and column before,
/// two after; rows are a single one, without a border, in two dimensions. `data` points to voxel
/// (0, 0) of plane 0.
template <typename T>
struct Planes {
  T* data;
  std::int64_t plane;  ///< elements from a plane to the next
  std::int64_t row;    ///< from a row to the next
  std::int64_t rows, columns;
};

/// One view of a scan with parallel rays in the plane: cell j is seen at start + step j on a plane.
struct EvenRays {
  double start, step;
  std::int64_t cells;
  std::int64_t reach;  ///< cells j - reach + 1 to j + reach see position j to j + 1; 1 / |step|
};

/// The inner loops, compiled for several instruction sets.
template <typename T>
struct Loops {
  /// sums[l] += what ray l meets in planes begin to end, without its length. In two dimensions.
  void (*sum_lines)(const Planes<const T>& image, const RayBlock& rays, std::int64_t begin,
                    std::int64_t end, T* sums);
  /// The same in three.
  void (*sum_planes)(const Planes<const T>& image, const RayBlock& rays, std::int64_t begin,
                     std::int64_t end, T* sums);
  /// row[c] += sum_j v[j] (1 - |c - start - step j|)_+ ; v has zeros for 2 `reach` cells before and
  /// after.
  void (*add_even)(const T* v, const EvenRays& rays, std::int64_t columns, T* row);
  /// The transpose of sum_lines; v[l] has the length of the ray.
  void (*add_lines)(const T* v, const RayBlock& rays, std::int64_t begin, std::int64_t end,
                    const Planes<T>& image);
  /// The transpose of sum_planes.
  void (*add_planes)(const T* v, const RayBlock& rays, std::int64_t begin, std::int64_t end,
                     const Planes<T>& image);
};

/// Those for the processor at hand.
template <typename T>
const Loops<T>& loops();

}  // namespace tessera::joseph
