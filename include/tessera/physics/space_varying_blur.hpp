// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "tessera/comm/box.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/detail/extension.hpp"
#include "tessera/physics/linear_operator.hpp"
#include "tessera/physics/padding.hpp"

namespace tessera {

/// A blur whose kernel varies over the picture, from a grid of kernels h_k: A x = sum_k h_k * (w_k
/// x), in 1, 2 or 3 dimensions. Node i of m along an axis of n pixels of x stands at (i + 1/2) n /
/// m - 1/2, the centre of its cell; the weights w_k are linear between nodes along each axis
/// (bilinear in two dimensions), constant beyond the outermost, and sum to 1 at each pixel.
///
/// The weights multiply the input (Hirsch, Sra, Scholkopf, Harmeling, "Efficient filter flow", CVPR
/// 2010): the image of a point source at p is sum_k w_k(p) h_k, the mean of the kernels measured
/// around it, and no light is lost where kernels sum to 1. Weights on the output (Nagy and O'Leary,
/// SIAM J. Sci. Comput. 19, 1998) keep a uniform picture uniform instead, but the image of a point
/// is then no mean of kernels; between smoothly varying kernels the two differ little.
///
/// The same kernel everywhere is Blur. Each node convolves the pixels with a weight alone, one
/// after the other: kept spectra take the memory of some 2^d images for d dimensions, more where
/// kernels are as large as cells. Adjoint, dtypes and caches as for Blur. A^T A is no filter: norms
/// and solutions are by iterations.
class SpaceVaryingBlur : public LinearOperator {
 public:
  /// `kernels`: (rows, columns, 1 or C, h, w), likewise (nodes, 1 or C, n) for one and (.., .., ..,
  /// 1 or C, d, h, w) for three spatial dimensions. No kernel is larger than the images (else
  /// error::ShapeMismatch from forward).
  explicit SpaceVaryingBlur(const Tensor& kernels, BlurOptions options = {});

  std::string name() const override { return "space_varying_blur"; }
  /// Nodes along each spatial dimension.
  const Extents& grid() const { return grid_; }
  const BlurOptions& options() const { return options_; }

  /// The same for a part of images with these extents: takes `window`, pixels of the image and of
  /// what its padding continues it with (numbers below 0 and from the extents on), and gives the
  /// results whose kernels lie within. A x of all of the image continued is the whole A x.
  SpaceVaryingBlur on_window(const Extents& extents, const Box& window) const;

 private:
  struct Layout;
  struct Patch;

  inline Tensor do_apply(const Tensor& x) const override;
  inline Tensor do_apply_adjoint(const Tensor& v) const override;

  inline Layout layout(const Tensor& image, const Extents& extents, const char* who) const;
  /// What node k sees of an image; empty where it has no weight.
  inline Patch patch(const Layout& layout, std::int64_t k) const;

  Extents grid_;
  Extents size_;  // of the kernels
  BlurOptions options_;
  std::vector<Blur> blurs_;  // one per node, the last axis fastest, Padding::valid
  TensorList weights_;       // of a window, along each axis; empty: those of the image at hand
};

/// The image is extended to what its outermost results see; what follows is valid convolution.
struct SpaceVaryingBlur::Layout {
  Extents before, after;  // how far the image is extended
  Extents extended;       // its extents then
  Extents result;         // of A x
  TensorList weights;     // along each axis: (nodes, extended), float64, on the host
};

struct SpaceVaryingBlur::Patch {
  bool is_empty = false;
  Extents from, extents;  // in the extended image
  TensorList weights;     // along each axis, shaped to multiply the patch
};

namespace detail {

/// The weight of each of `nodes` centres of equal cells at each of n pixels: (nodes, n), float64.
inline Tensor linear_weights(std::int64_t nodes, std::int64_t n) {
  const double cells = static_cast<double>(nodes) / static_cast<double>(n);
  const Tensor pixels = at::arange(n, at::kDouble);
  const Tensor position = ((pixels + 0.5) * cells - 0.5).clamp(0.0, static_cast<double>(nodes - 1));
  const Tensor node = at::arange(nodes, at::kDouble).unsqueeze(1);
  return (1 - (position - node).abs()).clamp_min(0.0);
}

/// The part of an image that begins at `from` and has these spatial extents. A view.
inline Tensor part_of(Tensor image, const Extents& from, const Extents& extents) {
  for (std::size_t d = 0; d < from.size(); ++d) {
    image = image.narrow(static_cast<std::int64_t>(d) + 2, from[d], extents[d]);
  }
  return image;
}

/// Zeros of a batch and channels like those of `image`, float32 at least.
inline Tensor zeros_of(const Tensor& image, const Extents& extents) {
  Extents shape = {image.size(0), image.size(1)};
  shape.insert(shape.end(), extents.begin(), extents.end());
  return at::zeros(shape, image.options().dtype(at::promoteTypes(image.scalar_type(), at::kFloat)));
}

}  // namespace detail

inline SpaceVaryingBlur::SpaceVaryingBlur(const Tensor& kernels, BlurOptions options)
    : options_(options) {
  const bool ok = kernels.defined() && kernels.is_floating_point() && kernels.numel() > 0 &&
                  (kernels.dim() == 3 || kernels.dim() == 5 || kernels.dim() == 7);
  if (!ok) {
    throw error::ShapeMismatch(formatted(
        "space_varying_blur: the kernels are {}, expected a floating (rows, columns, 1 or "
        "C, h, w), (nodes, 1 or C, n) or (.., .., .., 1 or C, d, h, w)",
        describe(kernels)));
  }
  to_string(options_.padding);  // throws unless it is one of the enumerators
  const std::int64_t dimensions = kernels.dim() / 2;
  grid_ = kernels.sizes().slice(0, static_cast<std::size_t>(dimensions)).vec();
  size_ = kernels.sizes().slice(static_cast<std::size_t>(dimensions + 1)).vec();
  const Tensor nodes = kernels.flatten(0, dimensions - 1);
  for (std::int64_t k = 0; k < nodes.size(0); ++k) {
    blurs_.emplace_back(nodes.narrow(0, k, 1), BlurOptions{Padding::valid, options_.method});
  }
}

inline SpaceVaryingBlur SpaceVaryingBlur::on_window(const Extents& extents,
                                                    const Box& window) const {
  bool fits = extents.size() == grid_.size() && window.axes.size() == grid_.size();
  for (std::size_t d = 0; fits && d < extents.size(); ++d)
    fits = window.axes[d].length() >= size_[d];
  if (!fits) {
    throw error::ShapeMismatch(
        formatted("space_varying_blur.on_window: the window {} of an image of {} has no place for "
                  "kernels of {}",
                  to_string(window), to_string(extents), to_string(size_)));
  }
  SpaceVaryingBlur part = *this;
  part.options_.padding = Padding::valid;
  for (std::size_t d = 0; d < extents.size(); ++d) {
    const Interval along = window.axes[d];
    const std::int64_t before = std::max<std::int64_t>(0, -along.begin);
    const std::int64_t after = std::max<std::int64_t>(0, along.end - extents[d]);
    const Tensor whole = extend(detail::linear_weights(grid_[d], extents[d]).unsqueeze(0),
                                options_.padding, {before}, {after})[0];
    part.weights_.push_back(whole.narrow(1, along.begin + before, along.length()));
  }
  return part;
}

inline SpaceVaryingBlur::Layout SpaceVaryingBlur::layout(const Tensor& image,
                                                         const Extents& extents,
                                                         const char* who) const {
  const std::int64_t channels = blurs_.front().kernel().size(1);
  bool ok = extents.size() == grid_.size() && (channels == 1 || channels == image.size(1));
  for (std::size_t d = 0; ok && d < extents.size(); ++d) {
    ok = size_[d] <= extents[d] && (weights_.empty() || weights_[d].size(1) == extents[d]);
  }
  if (!ok) {
    throw error::ShapeMismatch(
        formatted("space_varying_blur.{} is {}, which kernels of {} channels and extents {} do not "
                  "fit",
                  who, describe(image), channels, to_string(size_)));
  }
  Layout layout;
  const bool is_valid = options_.padding == Padding::valid;
  for (std::size_t d = 0; d < extents.size(); ++d) {
    const std::int64_t centre = size_[d] / 2;
    layout.before.push_back(is_valid ? 0 : size_[d] - 1 - centre);
    layout.after.push_back(is_valid ? 0 : centre);
    layout.extended.push_back(extents[d] + layout.before[d] + layout.after[d]);
    layout.result.push_back(layout.extended[d] - size_[d] + 1);
    if (!weights_.empty()) {
      layout.weights.push_back(weights_[d]);
      continue;
    }
    const Tensor weights = detail::linear_weights(grid_[d], extents[d]).unsqueeze(0);
    layout.weights.push_back(
        extend(weights, options_.padding, {layout.before[d]}, {layout.after[d]})[0]);
  }
  return layout;
}

inline SpaceVaryingBlur::Patch SpaceVaryingBlur::patch(const Layout& layout, std::int64_t k) const {
  Patch patch;
  patch.from.resize(grid_.size());
  patch.extents.resize(grid_.size());
  patch.weights.resize(grid_.size());
  for (std::size_t d = grid_.size(); d-- > 0;) {
    const Tensor weights = layout.weights[d][k % grid_[d]];
    k /= grid_[d];
    const Tensor support = weights.nonzero().flatten();
    patch.is_empty = support.numel() == 0;
    if (patch.is_empty) return patch;
    // Results that see a pixel with a weight, and all that these see.
    const std::int64_t reach = size_[d] - 1;
    const std::int64_t first = std::max<std::int64_t>(0, support[0].item<std::int64_t>() - reach);
    const std::int64_t last =
        std::min(layout.extended[d] - 1, support[-1].item<std::int64_t>() + reach);
    patch.from[d] = first;
    patch.extents[d] = last - first + 1;
    Extents shape(grid_.size() + 2, 1);
    shape[d + 2] = patch.extents[d];
    patch.weights[d] = weights.narrow(0, first, patch.extents[d]).view(shape);
  }
  return patch;
}

inline Tensor SpaceVaryingBlur::do_apply(const Tensor& x) const {
  const Layout layout = this->layout(x, detail::spatial(x), "forward: x");
  Tensor sum = detail::zeros_of(x, layout.result);
  const Tensor extended =
      extend(x.to(sum.scalar_type()), options_.padding, layout.before, layout.after);
  for (std::size_t k = 0; k < blurs_.size(); ++k) {
    const Patch patch = this->patch(layout, static_cast<std::int64_t>(k));
    if (patch.is_empty) continue;
    Tensor part = detail::part_of(extended, patch.from, patch.extents);
    for (const Tensor& weights : patch.weights) part = part * weights.to(sum.options());
    const Tensor blurred = blurs_[k].apply(part);
    detail::part_of(sum, patch.from, detail::spatial(blurred)).add_(blurred);
  }
  return sum.to(x.scalar_type());
}

inline Tensor SpaceVaryingBlur::do_apply_adjoint(const Tensor& v) const {
  check_image(v, "space_varying_blur.adjoint: v");
  Extents extents = detail::spatial(v);
  if (options_.padding == Padding::valid && extents.size() == size_.size()) {
    for (std::size_t d = 0; d < extents.size(); ++d) extents[d] += size_[d] - 1;
  }
  const Layout layout = this->layout(v, extents, "adjoint: v");
  Tensor sum = detail::zeros_of(v, layout.extended);
  const Tensor wide = v.to(sum.scalar_type());
  for (std::size_t k = 0; k < blurs_.size(); ++k) {
    const Patch patch = this->patch(layout, static_cast<std::int64_t>(k));
    if (patch.is_empty) continue;
    Extents results = patch.extents;
    for (std::size_t d = 0; d < results.size(); ++d) results[d] -= size_[d] - 1;
    Tensor spread = blurs_[k].apply_adjoint(detail::part_of(wide, patch.from, results));
    for (const Tensor& weights : patch.weights) spread = spread * weights.to(sum.options());
    detail::part_of(sum, patch.from, patch.extents).add_(spread);
  }
  return extend_adjoint(sum, options_.padding, layout.before, layout.after)
      .to(v.scalar_type())
      .contiguous();
}

}  // namespace tessera
