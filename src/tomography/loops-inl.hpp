// SPDX-License-Identifier: BSD-3-Clause
// Included once per instruction set, in a namespace of its own, after loops.hpp. Nothing of the
// standard library is instantiated here: the linker could take such a function for all sets.
//
// A block of neighbouring rays is walked plane by plane. Positions are relative to a whole voxel
// near the first ray, which keeps them small, and so precise in float32; they are clamped to the
// border of zeros, where a ray meets nothing. Without branches, the compiler makes vectors of it.

inline double floor_of(double x) {
  const auto whole = static_cast<std::int64_t>(x);
  return static_cast<double>(whole) - (static_cast<double>(whole) > x ? 1 : 0);
}

template <typename N>
inline N clamped(N x, N low, N high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

/// Positions of a block along one axis of n voxels.
template <typename T>
struct Along {
  static constexpr std::int64_t most = RayBlock::most;

  Along(const double* starts, const double* slopes, std::int64_t count, std::int64_t extent)
      : start(starts[0]),
        slope(slopes[0]),
        last_start(starts[count - 1]),
        last_slope(slopes[count - 1]),
        n(static_cast<double>(extent)) {
    for (std::int64_t l = 0; l < most; ++l) {
      const std::int64_t i = l < count ? l : count - 1;
      from_first[l] = static_cast<T>(starts[i] - start);
      slope_from_first[l] = static_cast<T>(slopes[i] - slope);
    }
  }

  /// To plane i.
  void move_to(double i) {
    const double first = start + slope * i;
    const double last = last_start + last_slope * i;
    const double whole = floor_of(clamped(first < last ? first : last, -1.0, n));
    anchor = static_cast<std::int64_t>(whole);
    offset = static_cast<T>(first - whole);
    low = static_cast<T>(-1 - whole);
    high = static_cast<T>(n - whole);
  }

  T at(std::int64_t l, T i) const {
    return clamped(from_first[l] + offset + slope_from_first[l] * i, low, high);
  }

  double start, slope, last_start, last_slope, n;
  T from_first[most], slope_from_first[most];
  std::int64_t anchor;
  T offset, low, high;
};

// Functions of their own, lest compilers merge the loops over rays and planes and find no vectors.
template <typename T>
[[gnu::noinline]] void add_of_line(const T* line, const Along<T>& along, T plane,
                                   T* __restrict sum) {
  for (std::int64_t l = 0; l < RayBlock::most; ++l) {
    const T p = along.at(l, plane);
    const auto whole = static_cast<std::int32_t>(p);
    const T part = p - static_cast<T>(whole);
    const T left = line[whole];
    sum[l] += left + part * (line[whole + 1] - left);
  }
}

template <typename T>
[[gnu::noinline]] void add_of_plane(const T* voxel, std::int32_t row, const Along<T>& down,
                                    const Along<T>& along, T plane, T* __restrict sum) {
  const T* below = voxel + row;
  for (std::int64_t l = 0; l < RayBlock::most; ++l) {
    const T r = down.at(l, plane);
    const T c = along.at(l, plane);
    const auto whole = static_cast<std::int32_t>(r);
    const auto column = static_cast<std::int32_t>(c);
    const std::int32_t k = whole * row + column;
    const T right = c - static_cast<T>(column);
    const T upper = voxel[k] + right * (voxel[k + 1] - voxel[k]);
    const T lower = below[k] + right * (below[k + 1] - below[k]);
    sum[l] += upper + (r - static_cast<T>(whole)) * (lower - upper);
  }
}

template <typename T>
void sum_lines(const Planes<const T>& image, const RayBlock& rays, std::int64_t begin,
               std::int64_t end, T* sums) {
  constexpr std::int64_t most = RayBlock::most;
  Along<T> along(rays.start[1], rays.slope[1], rays.count, image.columns);
  T sum[most] = {};
  for (std::int64_t i = begin; i < end; ++i) {
    along.move_to(static_cast<double>(i));
    add_of_line(image.data + i * image.plane + along.anchor, along, static_cast<T>(i), sum);
  }
  for (std::int64_t l = 0; l < rays.count; ++l) sums[l] += sum[l];
}

template <typename T>
void sum_planes(const Planes<const T>& image, const RayBlock& rays, std::int64_t begin,
                std::int64_t end, T* sums) {
  constexpr std::int64_t most = RayBlock::most;
  Along<T> down(rays.start[0], rays.slope[0], rays.count, image.rows);
  Along<T> along(rays.start[1], rays.slope[1], rays.count, image.columns);
  T sum[most] = {};
  for (std::int64_t i = begin; i < end; ++i) {
    down.move_to(static_cast<double>(i));
    along.move_to(static_cast<double>(i));
    add_of_plane(image.data + i * image.plane + down.anchor * image.row + along.anchor,
                 static_cast<std::int32_t>(image.row), down, along, static_cast<T>(i), sum);
  }
  for (std::int64_t l = 0; l < rays.count; ++l) sums[l] += sum[l];
}

template <typename T>
void add_even(const T* v, const EvenRays& rays, std::int64_t columns, T* row) {
  constexpr std::int64_t most = 64;
  const double inverse = 1 / rays.step;
  const auto reach = static_cast<double>(rays.reach);
  const auto width = static_cast<T>(rays.step < 0 ? -rays.step : rays.step);
  const auto each = static_cast<T>(inverse);
  const double beyond = static_cast<double>(rays.cells) - 1 + reach;
  for (std::int64_t c = 0; c < columns; c += most) {
    // Cells as positions: pixel c + l is at first + l inverse.
    const double first = (static_cast<double>(c) - rays.start) * inverse;
    const double last = first + static_cast<double>(most - 1) * inverse;
    const double lowest = first < last ? first : last;
    const double highest = first < last ? last : first;
    if (highest < -reach || lowest > beyond) continue;
    const double whole = floor_of(clamped(lowest, -reach, beyond));
    const auto offset = static_cast<T>(first - whole);
    const auto low = static_cast<T>(-reach - whole);
    const auto high = static_cast<T>(beyond - whole);
    const T* cell = v + static_cast<std::int64_t>(whole);
    T sum[most] = {};
    for (std::int64_t m = 0; m < rays.reach; ++m) {
      const auto k = static_cast<std::int32_t>(m);
      const T* before = cell - m;
      const T* after = cell + m + 1;
      for (std::int64_t l = 0; l < most; ++l) {
        const T p =
            clamped(offset + each * static_cast<T>(static_cast<std::int32_t>(l)), low, high);
        const auto j = static_cast<std::int32_t>(p);
        const T part = p - static_cast<T>(j);
        const T left = 1 - width * (part + static_cast<T>(k));
        const T right = 1 - width * (1 - part + static_cast<T>(k));
        sum[l] += (left > 0 ? left : 0) * before[j] + (right > 0 ? right : 0) * after[j];
      }
    }
    const std::int64_t count = columns - c < most ? columns - c : most;
    for (std::int64_t l = 0; l < count; ++l) row[c + l] += sum[l];
  }
}

/// What the rays of a block give to the voxels around them in a plane, and the first of these,
/// counted from the block's own. The upper ones are all there is of a line.
template <typename T>
struct Shares {
  std::int32_t voxel[RayBlock::most];
  T upper_left[RayBlock::most], upper_right[RayBlock::most];
  T lower_left[RayBlock::most], lower_right[RayBlock::most];
};

template <typename T>
[[gnu::noinline]] void share_in_line(const T* v, const Along<T>& along, T plane,
                                     Shares<T>& __restrict shares) {
  for (std::int64_t l = 0; l < RayBlock::most; ++l) {
    const T p = along.at(l, plane);
    const auto whole = static_cast<std::int32_t>(p);
    const T right = (p - static_cast<T>(whole)) * v[l];
    shares.voxel[l] = whole;
    shares.upper_left[l] = v[l] - right;
    shares.upper_right[l] = right;
  }
}

template <typename T>
[[gnu::noinline]] void share_in_plane(const T* v, std::int32_t row, const Along<T>& down,
                                      const Along<T>& along, T plane,
                                      Shares<T>& __restrict shares) {
  for (std::int64_t l = 0; l < RayBlock::most; ++l) {
    const T r = down.at(l, plane);
    const T c = along.at(l, plane);
    const auto whole = static_cast<std::int32_t>(r);
    const auto column = static_cast<std::int32_t>(c);
    const T right = c - static_cast<T>(column);
    const T below = (r - static_cast<T>(whole)) * v[l];
    const T above = v[l] - below;
    shares.voxel[l] = whole * row + column;
    shares.upper_right[l] = right * above;
    shares.upper_left[l] = above - right * above;
    shares.lower_right[l] = right * below;
    shares.lower_left[l] = below - right * below;
  }
}

/// v of the rays of a block, zeros beyond them.
template <typename T>
struct Values {
  Values(const T* v, std::int64_t count) {
    for (std::int64_t l = 0; l < count; ++l) each[l] = v[l];
  }
  T each[RayBlock::most] = {};
};

/// first[voxel[l]] += share[l], ray by ray, since neighbours meet in voxels. One kind of share at a
/// time: compilers would make a vector of two, which has to wait for its neighbour's.
template <typename T>
void add_each(const std::int32_t* voxel, const T* share, std::int64_t count, T* first) {
  for (std::int64_t l = 0; l < count; ++l) first[voxel[l]] += share[l];
}

template <typename T>
void add_lines(const T* v, const RayBlock& rays, std::int64_t begin, std::int64_t end,
               const Planes<T>& image) {
  const Values<T> values(v, rays.count);
  Along<T> along(rays.start[1], rays.slope[1], rays.count, image.columns);
  Shares<T> shares;
  for (std::int64_t i = begin; i < end; ++i) {
    along.move_to(static_cast<double>(i));
    share_in_line(values.each, along, static_cast<T>(i), shares);
    T* line = image.data + i * image.plane + along.anchor;
    add_each(shares.voxel, shares.upper_left, rays.count, line);
    add_each(shares.voxel, shares.upper_right, rays.count, line + 1);
  }
}

template <typename T>
void add_planes(const T* v, const RayBlock& rays, std::int64_t begin, std::int64_t end,
                const Planes<T>& image) {
  const Values<T> values(v, rays.count);
  Along<T> down(rays.start[0], rays.slope[0], rays.count, image.rows);
  Along<T> along(rays.start[1], rays.slope[1], rays.count, image.columns);
  Shares<T> shares;
  for (std::int64_t i = begin; i < end; ++i) {
    down.move_to(static_cast<double>(i));
    along.move_to(static_cast<double>(i));
    share_in_plane(values.each, static_cast<std::int32_t>(image.row), down, along,
                   static_cast<T>(i), shares);
    T* first = image.data + i * image.plane + down.anchor * image.row + along.anchor;
    add_each(shares.voxel, shares.upper_left, rays.count, first);
    add_each(shares.voxel, shares.upper_right, rays.count, first + 1);
    add_each(shares.voxel, shares.lower_left, rays.count, first + image.row);
    add_each(shares.voxel, shares.lower_right, rays.count, first + image.row + 1);
  }
}

template <typename T>
Loops<T> all_loops() {
  return {&sum_lines<T>, &sum_planes<T>, &add_even<T>, &add_lines<T>, &add_planes<T>};
}
