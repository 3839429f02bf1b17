// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/roll.h>
#include <ATen/ops/stack.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/linear_operator.hpp"

namespace tessera {

struct WaveletOptions {
  /// Vanishing moments of Daubechies' filters, 1 (Haar) to 4, with twice as many taps.
  int order = 2;
  /// How many times the approximation is split again, >= 1.
  int levels = 3;
};

namespace detail {

/// y_k = sum_n filter_n x_(2 k + n - order + 1): approximations by `low`, details by `high`.
struct WaveletFilters {
  std::vector<double> low, high;
};

WaveletFilters wavelet_filters(int order);

}  // namespace detail

/// The orthogonal wavelet transform W of images that continue periodically, along every spatial
/// dimension: W^T W = I, so the adjoint is the inverse (Daubechies, Comm. Pure Appl. Math. 41,
/// 1988; Mallat, IEEE PAMI 11, 1989). One to three spatial dimensions, each channel by itself, any
/// floating dtype. Every spatial extent must be a multiple of 2^levels, else error::ShapeMismatch.
///
/// The coefficients have the shape of x: the approximation of the coarsest level in the first
/// corner, of extents N / 2^levels; around it the details, those of level l with first half
/// low-pass, second half high-pass in a corner of extents N / 2^(l - 1). Phases and signs are those
/// of PyWavelets' mode "periodization" (coeffs_to_array of wavedecn).
class WaveletTransform : public LinearOperator {
 public:
  /// Throws error::InvalidArgument for an order or a number of levels that is not as above.
  explicit WaveletTransform(WaveletOptions options = {});

  std::string name() const override { return "wavelet_transform"; }
  const WaveletOptions& options() const { return options_; }
  /// The approximation among coefficients shaped like an image; shares their memory.
  Tensor approximation(const Tensor& coefficients) const {
    return corner(coefficients, options_.levels);
  }

 private:
  inline Tensor do_apply(const Tensor& x) const override;
  inline Tensor do_apply_adjoint(const Tensor& v) const override;
  std::optional<double> do_norm_squared(const Tensor& /*x*/) const override { return 1.0; }

  void check_extents(const Tensor& x, const char* method) const;
  /// What level `level` splits further: the first 2^-level of each spatial dimension.
  static Tensor corner(const Tensor& x, int level);
  Tensor split(const Tensor& x, std::int64_t axis) const;
  Tensor join(const Tensor& parts, std::int64_t axis) const;

  WaveletOptions options_;
  detail::WaveletFilters filters_;
};

namespace detail {

/// Daubechies' scaling filters of least phase, of sum sqrt(2).
inline std::vector<double> daubechies(int order) {
  static const std::array<std::vector<double>, 4> filters{{
      {0.707106781186547524, 0.707106781186547524},
      {0.482962913144534143, 0.836516303737807906, 0.224143868042013381, -0.129409522551260381},
      {0.332670552950082616, 0.806891509311092576, 0.459877502118491570, -0.135011020010254589,
       -0.0854412738820266617, 0.0352262918857095366},
      {0.230377813308896501, 0.714846570552915647, 0.630880767929858908, -0.0279837694168598542,
       -0.187034811719093084, 0.0308413818355607636, 0.0328830116668851997, -0.0105974017850690321},
  }};
  if (order < 1 || order > static_cast<int>(filters.size())) {
    throw error::InvalidArgument(
        formatted("WaveletTransform: order is {}, expected 1 to {}", order, filters.size()));
  }
  return filters.at(static_cast<std::size_t>(order - 1));
}

inline WaveletFilters wavelet_filters(int order) {
  WaveletFilters filters{.low = daubechies(order), .high = {}};
  const std::vector<double>& low = filters.low;
  for (std::size_t n = 0; n < low.size(); ++n) {
    filters.high.push_back((n % 2 == 0 ? 1 : -1) * low[low.size() - 1 - n]);
  }
  return filters;
}

}  // namespace detail

inline WaveletTransform::WaveletTransform(WaveletOptions options)
    : options_(options), filters_(detail::wavelet_filters(options.order)) {
  constexpr int most_levels = 30;
  if (options_.levels < 1 || options_.levels > most_levels) {
    throw error::InvalidArgument(formatted("WaveletTransform: levels is {}, expected 1 to {}",
                                           options_.levels, most_levels));
  }
}

inline void WaveletTransform::check_extents(const Tensor& x, const char* method) const {
  const std::int64_t multiple = std::int64_t{1} << options_.levels;
  for (const std::int64_t extent : x.sizes().slice(2)) {
    if (extent % multiple == 0) continue;
    throw error::ShapeMismatch(
        formatted("{}.{} is {}, expected spatial extents that are multiples of {} for {} levels",
                  name(), method, describe(x), multiple, options_.levels));
  }
}

inline Tensor WaveletTransform::corner(const Tensor& x, int level) {
  Tensor part = x;
  for (std::int64_t axis = 2; axis < x.dim(); ++axis) {
    part = part.narrow(axis, 0, x.size(axis) >> level);
  }
  return part;
}

/// The tap n = 2 m + parity of output k reads place k + m among the places of that parity.
inline Tensor WaveletTransform::split(const Tensor& x, std::int64_t axis) const {
  const Tensor pairs =
      at::roll(x, {options_.order - 1}, {axis}).unflatten(axis, {x.size(axis) / 2, 2});
  Tensor low;
  Tensor high;
  for (std::size_t n = 0; n < filters_.low.size(); ++n) {
    const auto place = static_cast<std::int64_t>(n / 2);
    const Tensor samples =
        at::roll(pairs.select(axis + 1, static_cast<std::int64_t>(n % 2)), {-place}, {axis});
    low = n == 0 ? filters_.low[n] * samples : low + filters_.low[n] * samples;
    high = n == 0 ? filters_.high[n] * samples : high + filters_.high[n] * samples;
  }
  return at::stack({low, high}, axis).flatten(axis, axis + 1);
}

inline Tensor WaveletTransform::join(const Tensor& parts, std::int64_t axis) const {
  const Tensor halves = parts.unflatten(axis, {2, parts.size(axis) / 2});
  const Tensor low = halves.select(axis, 0);
  const Tensor high = halves.select(axis, 1);
  std::array<Tensor, 2> samples;  // of either parity
  for (std::size_t n = 0; n < filters_.low.size(); ++n) {
    const Tensor term = at::roll(filters_.low[n] * low + filters_.high[n] * high,
                                 {static_cast<std::int64_t>(n / 2)}, {axis});
    Tensor& sum = samples.at(n % 2);
    sum = sum.defined() ? sum + term : term;
  }
  const Tensor pairs = at::stack({samples[0], samples[1]}, axis + 1);
  return at::roll(pairs.flatten(axis, axis + 1), {1 - options_.order}, {axis});
}

inline Tensor WaveletTransform::do_apply(const Tensor& x) const {
  check_extents(x, "forward: x");
  Tensor coefficients = x.clone();
  for (int level = 0; level < options_.levels; ++level) {
    const Tensor place = corner(coefficients, level);
    Tensor part = place;
    for (std::int64_t axis = 2; axis < x.dim(); ++axis) part = split(part, axis);
    place.copy_(part);
  }
  return coefficients;
}

inline Tensor WaveletTransform::do_apply_adjoint(const Tensor& v) const {
  check_extents(v, "adjoint: v");
  Tensor x = v.clone();
  for (int level = options_.levels; level-- > 0;) {
    const Tensor place = corner(x, level);
    Tensor part = place;
    for (std::int64_t axis = v.dim(); axis-- > 2;) part = join(part, axis);
    place.copy_(part);
  }
  return x;
}

}  // namespace tessera
