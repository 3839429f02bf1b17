// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/run/preview.hpp"

#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/upsample_bicubic2d.h>
#include <fmt/format.h>

#include <algorithm>

#include "glyphs.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/box_exchange.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

namespace {

constexpr std::int64_t gap = 8;  // white pixels around and between panels

Tensor white(std::int64_t height, std::int64_t width) {
  return at::ones({1, 3, height, width});
}

/// On the host, float32, three channels, intensities clamped to 0..1.
Tensor presentable(const Tensor& image) {
  return image.detach()
      .to(at::kCPU, at::kFloat)
      .clamp(0, 1)
      .expand({1, 3, image.size(2), image.size(3)});
}

Tensor scaled_down(const Tensor& image, std::int64_t width) {
  if (image.size(3) <= width) return image;
  const std::int64_t height = std::max<std::int64_t>(1, image.size(2) * width / image.size(3));
  return at::_upsample_bicubic2d_aa(image, {height, width}, false).clamp(0, 1);
}

/// The middle of an image, as large as the picture it goes with: at full resolution, or enlarged
/// where a third of the image is smaller than that.
Tensor detail(const Tensor& image, const Tensor& picture) {
  const std::int64_t w = std::clamp<std::int64_t>(image.size(3) / 3, 1, picture.size(3));
  const std::int64_t h =
      std::clamp<std::int64_t>(w * picture.size(2) / picture.size(3), 1, image.size(2));
  const Tensor part =
      image.narrow(2, (image.size(2) - h) / 2, h).narrow(3, (image.size(3) - w) / 2, w);
  if (w == picture.size(3) && h == picture.size(2)) return part;
  return at::upsample_bicubic2d(part, {picture.size(2), picture.size(3)}, false).clamp(0, 1);
}

/// Black text on white, as large as fits into `width`, up to three pixels per dot.
Tensor caption(const std::string& text, std::int64_t width) {
  const auto advance = detail::glyph_width + 1;
  const auto length = static_cast<std::int64_t>(text.size()) * advance;
  const std::int64_t dot =
      std::clamp<std::int64_t>(width / std::max<std::int64_t>(length, 1), 1, 3);
  const std::int64_t height = 3 * (detail::glyph_height + 4);
  Tensor strip = white(height, width);
  const std::int64_t top = (height - dot * detail::glyph_height) / 2;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto rows = detail::glyph(text[i]);
    for (int r = 0; r < detail::glyph_height; ++r) {
      for (int c = 0; c < detail::glyph_width; ++c) {
        const std::int64_t x = (static_cast<std::int64_t>(i) * advance + c) * dot;
        const bool ink =
            (rows[static_cast<std::size_t>(r)] >> (detail::glyph_width - 1 - c) & 1) != 0;
        if (ink && x + dot <= width) strip.narrow(2, top + r * dot, dot).narrow(3, x, dot).zero_();
      }
    }
  }
  return strip;
}

/// One panel: caption, picture, detail below each other.
Tensor column(const Panel& panel, const PreviewOptions& options) {
  const Tensor image = presentable(panel.image);
  const Tensor picture = scaled_down(image, options.panel_width);
  std::vector<Tensor> parts = {caption(panel.label, picture.size(3)), picture};
  if (options.detail) {
    parts.push_back(white(gap, picture.size(3)));
    parts.push_back(detail(image, picture));
  }
  return at::cat(parts, 2);
}

}  // namespace

Tensor side_by_side(const std::vector<Panel>& panels, const PreviewOptions& options) {
  if (panels.empty())
    throw error::InvalidArgument("side_by_side: no panels, expected at least one");
  if (options.panel_width < 1) {
    throw error::InvalidArgument(
        fmt::format("side_by_side: panel_width is {}, expected >= 1", options.panel_width));
  }
  std::vector<Tensor> columns;
  for (const Panel& panel : panels) {
    const Tensor& image = panel.image;
    const bool ok = image.defined() && image.dim() == 4 && image.size(0) == 1 &&
                    (image.size(1) == 3 || image.size(1) == 1) &&
                    image.sizes().slice(2) == panels.front().image.sizes().slice(2);
    if (!ok) {
      throw error::ShapeMismatch(
          fmt::format("side_by_side: '{}' is {}, expected [1, 1 or 3, H, W] like the first, {}",
                      panel.label, describe(image), describe(panels.front().image)));
    }
    const Tensor drawn = column(panel, options);
    if (columns.empty()) columns.push_back(white(drawn.size(2), gap));
    columns.push_back(drawn);
    columns.push_back(white(drawn.size(2), gap));
  }
  const Tensor row = at::cat(columns, 3);
  return at::cat({row, white(gap, row.size(3))}, 2);
}

Tensor picture_at_root(const BoxSpace& space, const Tensor& own, std::int64_t most) {
  constexpr const char* who = "picture_at_root";
  Communicator& ranks = space.communicator();
  const Extents& extents = space.extents();
  fail_together(ranks, who, [&] {
    space.check_own(own, who);
    if (own.size(0) == 1 && extents.size() == 2 && most > 0) return;
    throw error::ShapeMismatch(fmt::format(
        "{}: given {} for a picture of at most {} pixels, expected (1, C, H, W) and a positive "
        "number",
        who, describe(own), most));
  });
  const std::int64_t side = (std::max(extents[0], extents[1]) + most - 1) / most;
  const auto squares = [side](const Interval& along) {
    return Interval{along.begin / side, (along.end + side - 1) / side};
  };
  Box picture;
  for (const std::int64_t extent : extents) picture.axes.push_back(squares({0, extent}));
  BoxesOfRanks seen;  // of the picture, by each rank
  for (const Box& box : space.boxes()) {
    seen.push_back({Box{{squares(box.axes[0]), squares(box.axes[1])}}});
    if (box.is_empty()) seen.back() = {Box{std::vector<Interval>(2)}};
  }
  const Box& mine = seen[static_cast<std::size_t>(ranks.rank())].front();
  Tensor sums = mine.is_empty() ? at::empty({1, own.size(1), 0, 0}, own.options()) : own;
  sums = sums.to(at::kFloat);
  for (std::size_t d = 0; d < 2 && !mine.is_empty(); ++d) {  // whole squares, then their sums
    const Interval along = space.local().axes[d];
    const auto axis = static_cast<std::int64_t>(d) + 2;
    Extents border(2 * (2 - d), 0);  // the last axis first
    border[border.size() - 2] = along.begin - side * mine.axes[d].begin;
    border[border.size() - 1] = side * mine.axes[d].end - along.end;
    sums = at::constant_pad_nd(sums, border).unflatten(axis, {-1, side}).sum(axis + 1);
  }
  BoxesOfRanks owned(seen.size(), {Box{std::vector<Interval>(2)}});
  owned.front() = {picture};
  const Tensor whole = BoxExchange(space.ranks(), owned, seen).adjoint({sums}).front();
  if (!ranks.is_root()) return at::empty({0});
  const auto counts = [&](std::size_t d) {
    const Tensor starts = side * at::arange(picture.axes[d].length());
    return (extents[d] - starts).clamp_max(side).to(at::kFloat);
  };
  return whole.to(at::kCPU) / (counts(0).unsqueeze(1) * counts(1));
}

}  // namespace tessera
