// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace tessera::detail {

/// Constants of the index, see ssim().
struct SsimConstants {
  double c1 = 0;
  double c2 = 0;
  double shift = 0;  ///< taken off all intensities before squares are formed
};

/// What lies beyond the borders of a plane, half the window's width: it is reflected, and has more
/// than window.size() - 1 pixels along both axes; or the rows and columns around it are held too.
enum class Beyond { reflected, held };

/// The structural similarity of each of `planes` contiguous height x width planes, summed over its
/// pixels. `window` is the right half of the Gaussian, its middle first. The same numbers on every
/// number of threads.
template <typename T>
std::vector<double> ssim_of_planes(const T* x, const T* y, std::int64_t planes, std::int64_t height,
                                   std::int64_t width, std::span<const T> window,
                                   const SsimConstants& constants, Beyond beyond);

inline constexpr std::int64_t strip_rows = 32;  // output rows per piece of work
inline constexpr std::int64_t ssim_block = 16;  // pixels whose sums stay in registers
inline constexpr std::size_t ssim_moments = 5;  // x, y, x^2, y^2, x y

inline std::int64_t reflected(std::int64_t i, std::int64_t extent) {
  if (i < 0) return -i;
  return i < extent ? i : 2 * (extent - 1) - i;
}

/// One strip: rows averaged along their axis in `rows`, then down the columns.
template <typename T>
class Strip {
 public:
  Strip(std::int64_t height, std::int64_t width, std::span<const T> window, Beyond beyond)
      : height_(height),
        width_(width),
        padded_((width + ssim_block - 1) / ssim_block * ssim_block),
        half_(static_cast<std::int64_t>(window.size()) - 1),
        margin_(beyond == Beyond::held ? half_ : 0),
        window_(window),
        line_(static_cast<std::size_t>(padded_ + 2 * half_)),
        rows_(ssim_moments * static_cast<std::size_t>((strip_rows + 2 * half_) * padded_)) {}

  /// Of a plane with what is held around it.
  std::int64_t elements() const { return (height_ + 2 * margin_) * (width_ + 2 * margin_); }

  /// The sum of the index over rows [begin, end) of a plane.
  double sum(const T* x, const T* y, std::int64_t begin, std::int64_t end,
             const SsimConstants& constants) {
    for (std::int64_t i = begin - half_; i < end + half_; ++i) {
      const std::int64_t row = margin_ > 0 ? i + margin_ : reflected(i, height_);
      const std::int64_t source = row * (width_ + 2 * margin_);
      average_row(x + source, y + source, static_cast<T>(constants.shift), i - (begin - half_));
    }
    double total = 0;
    for (std::int64_t i = 0; i < end - begin; ++i) total += row_sum(i, constants);
    return total;
  }

 private:
  T* row(std::size_t moment, std::int64_t index) {
    const auto strip = static_cast<std::int64_t>(moment) * (strip_rows + 2 * half_);
    return rows_.data() + (strip + index) * padded_;
  }

  void average_row(const T* x, const T* y, T shift, std::int64_t index) {
    for (std::size_t moment = 0; moment < ssim_moments; ++moment) {
      T* inside = line_.data() + half_;
      T* held = inside - margin_;
      for (std::int64_t j = 0; j < width_ + 2 * margin_; ++j) {
        const T a = x[j] - shift;
        const T b = y[j] - shift;
        const T values[ssim_moments] = {a, b, a * a, b * b, a * b};
        held[j] = values[moment];
      }
      for (std::int64_t k = 1; k <= half_ - margin_; ++k) {
        inside[-k] = inside[k];
        inside[width_ - 1 + k] = inside[width_ - 1 - k];
      }
      T* out = row(moment, index);
      for (std::int64_t j = 0; j < padded_; j += ssim_block) average(inside + j, 1, out + j);
    }
  }

  /// out[0..ssim_block) = the average of `centre` and its neighbours, `step` elements apart.
  void average(const T* centre, std::int64_t step, T* out) const {
    std::array<T, ssim_block> sums;
    for (std::size_t l = 0; l < ssim_block; ++l) sums[l] = window_[0] * centre[l];
    for (std::int64_t k = 1; k <= half_; ++k) {
      const T weight = window_[static_cast<std::size_t>(k)];
      const T* before = centre - k * step;
      const T* after = centre + k * step;
      for (std::size_t l = 0; l < ssim_block; ++l) sums[l] += weight * (before[l] + after[l]);
    }
    std::copy(sums.begin(), sums.end(), out);
  }

  double row_sum(std::int64_t index, const SsimConstants& constants) {
    const auto c1 = static_cast<T>(constants.c1);
    const auto c2 = static_cast<T>(constants.c2);
    const auto shift = static_cast<T>(constants.shift);
    double total = 0;
    std::array<std::array<T, ssim_block>, ssim_moments> m;
    for (std::int64_t j = 0; j < width_; j += ssim_block) {
      for (std::size_t moment = 0; moment < ssim_moments; ++moment) {
        average(row(moment, index + half_) + j, padded_, m[moment].data());
      }
      std::array<T, ssim_block> value;
      for (std::size_t l = 0; l < ssim_block; ++l) {
        const T variances = std::max(m[2][l] - m[0][l] * m[0][l], T(0)) +
                            std::max(m[3][l] - m[1][l] * m[1][l], T(0));
        const T covariance = m[4][l] - m[0][l] * m[1][l];
        const T x = m[0][l] + shift;
        const T y = m[1][l] + shift;
        value[l] =
            (2 * x * y + c1) * (2 * covariance + c2) / ((x * x + y * y + c1) * (variances + c2));
      }
      const std::int64_t count = std::min(ssim_block, width_ - j);
      for (std::int64_t l = 0; l < count; ++l) total += value[static_cast<std::size_t>(l)];
    }
    return total;
  }

  std::int64_t height_;
  std::int64_t width_;
  std::int64_t padded_;  // width, rounded up to whole blocks
  std::int64_t half_;
  std::int64_t margin_;  // of rows and columns held around a plane
  std::span<const T> window_;
  std::vector<T> line_;
  std::vector<T> rows_;  // by moment and row
};

template <typename T>
std::vector<double> ssim_of_planes(const T* x, const T* y, std::int64_t planes, std::int64_t height,
                                   std::int64_t width, std::span<const T> window,
                                   const SsimConstants& constants, Beyond beyond) {
  const std::int64_t strips = (height + strip_rows - 1) / strip_rows;
  std::vector<double> sums(static_cast<std::size_t>(planes * strips));
  at::parallel_for(0, planes * strips, 1, [&](std::int64_t first, std::int64_t last) {
    Strip<T> strip(height, width, window, beyond);
    for (std::int64_t work = first; work < last; ++work) {
      const std::int64_t offset = work / strips * strip.elements();
      const std::int64_t begin = work % strips * strip_rows;
      sums[static_cast<std::size_t>(work)] =
          strip.sum(x + offset, y + offset, begin, std::min(height, begin + strip_rows), constants);
    }
  });
  std::vector<double> totals;
  for (auto sum = sums.begin(); sum != sums.end(); sum += strips) {
    double total = 0;
    for (auto part = sum; part != sum + strips; ++part) total += *part;
    totals.push_back(total);
  }
  return totals;
}

}  // namespace tessera::detail
