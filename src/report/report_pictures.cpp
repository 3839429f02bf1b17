// SPDX-License-Identifier: BSD-3-Clause
#include "report_pictures.hpp"

#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base64.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/image.hpp"

namespace tessera::detail {

namespace {

constexpr double budget_bytes = 4.5e6;  // as text; with plotly.js a report stays below 10 MB
constexpr std::int64_t largest_width = 1600;
constexpr std::int64_t smallest_width = 160;

std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw error::Io(fmt::format("{}: cannot be read", path));
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A file name that is removed at the end.
struct Temporary {
  std::string path;
  ~Temporary() { ::unlink(path.c_str()); }
};

Tensor at_most(const Tensor& image, std::int64_t width) {
  if (image.size(3) <= width) return image;
  const std::int64_t height = std::max<std::int64_t>(1, image.size(2) * width / image.size(3));
  return at::_upsample_bicubic2d_aa(image, {height, width}, false);
}

}  // namespace

std::string PictureStore::add(const std::string& path) {
  const auto [entry, is_new] = index_.try_emplace(read_bytes(path), paths_.size());
  if (is_new) paths_.push_back(path);
  return fmt::format("p{}", entry->second);
}

nlohmann::ordered_json PictureStore::encode(const std::string& beside) const {
  const Temporary scratch{fmt::format("{}.{}.jpg", beside, ::getpid())};
  std::int64_t width = largest_width;
  while (true) {
    nlohmann::ordered_json all = nlohmann::ordered_json::object();
    double total = 0;
    for (std::size_t i = 0; i < paths_.size(); ++i) {
      const Tensor image = read_image(paths_[i]);
      write_image(scratch.path, at_most(image, width), {.jpeg_quality = 88});
      const std::string uri = "data:image/jpeg;base64," + base64(read_bytes(scratch.path));
      total += static_cast<double>(uri.size());
      all[fmt::format("p{}", i)] = {
          {"width", image.size(3)}, {"height", image.size(2)}, {"uri", uri}};
    }
    if (total <= budget_bytes || width <= smallest_width) return all;
    const double shrink = 0.95 * std::sqrt(budget_bytes / total);
    width = std::max(smallest_width,
                     static_cast<std::int64_t>(static_cast<double>(width) * std::min(shrink, 0.9)));
  }
}

}  // namespace tessera::detail
