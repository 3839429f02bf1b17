// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "scans.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/real_dot.hpp"
#include "tessera/fourier/nonuniform_fourier.hpp"

using namespace tessera;

namespace {

constexpr double degree = std::numbers::pi / 180;

/// East and north of an antenna, the longest arm 1: three arms, denser towards their middle.
std::array<double, 2> place_of(std::int64_t antenna, std::int64_t antennas) {
  const auto along = static_cast<double>(antenna / 3 + 1) / static_cast<double>((antennas + 2) / 3);
  const double angle = (90 + 120 * static_cast<double>(antenna % 3) + 7) * degree;
  const double radius = std::pow(along, 1.7);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

/// (M, 2), radians per pixel along rows (v), then columns (u), of every pair of antennas at every
/// time, as the earth turns them (Thompson, Moran and Swenson, "Interferometry and synthesis in
/// radio astronomy", eq. 4.1).
Tensor coverage(const Options& options) {
  constexpr double latitude = 35 * degree, declination = 45 * degree;
  constexpr double first_hour = -4, hours = 8, degrees_per_hour = 15;
  std::vector<std::array<double, 2>> points;
  double longest = 0;
  for (std::int64_t a = 0; a < options.antennas; ++a) {
    for (std::int64_t b = a + 1; b < options.antennas; ++b) {
      const auto from = place_of(a, options.antennas);
      const auto to = place_of(b, options.antennas);
      const double east = to[0] - from[0];
      const double north = to[1] - from[1];
      const double x = -std::sin(latitude) * north;
      const double z = std::cos(latitude) * north;
      for (std::int64_t t = 0; t < options.hours; ++t) {
        const double share = options.hours == 1
                                 ? 0.5
                                 : static_cast<double>(t) / static_cast<double>(options.hours - 1);
        const double hour = (first_hour + hours * share) * degrees_per_hour * degree;
        const double u = std::sin(hour) * x + std::cos(hour) * east;
        const double v = -std::sin(declination) * (std::cos(hour) * x - std::sin(hour) * east) +
                         std::cos(declination) * z;
        points.push_back({v, u});
        longest = std::max({longest, std::abs(u), std::abs(v)});
      }
    }
  }
  Tensor all = at::empty({static_cast<std::int64_t>(points.size()), 2}, at::kDouble);
  const double scale = std::numbers::pi / 2 / longest;  // a quarter of a cycle per pixel
  auto* out = all.mutable_data_ptr<double>();
  for (const auto& [v, u] : points) {
    *out++ = scale * v;
    *out++ = scale * u;
  }
  return all;
}

class RadioScan final : public Scan {
 public:
  RadioScan(const Options& options, at::IntArrayRef spatial)
      : Scan(options), spatial_(spatial.vec()), points_(coverage(options)) {
    if (options.num_operators > points_.size(0)) {
      throw error::InvalidArgument(
          fmt::format("--num-operators: is {}, expected at most the number of visibilities, {}",
                      options.num_operators, points_.size(0)));
    }
  }

  Tensor linear(const LinearPhysics& physics, const TensorList& measured,
                const Tensor& /*like*/) const override {
    // As bright as explains the data best.
    const Tensor dirty = physics.adjoint(measured);
    return dirty * (real_dot(dirty, dirty) / real_dot(dirty, physics.normal(dirty)));
  }
  std::string linear_name() const override { return "dirty image"; }

  Panel picture(const Tensor& /*measured*/) const override {
    Tensor cells = at::zeros(spatial_, at::kFloat);
    for (const double sign : {1.0, -1.0}) {
      const Tensor cycles = sign * points_ / (2 * std::numbers::pi) + 0.5;
      cells.index_put_({(cycles.select(1, 0) * spatial_[0]).to(at::kLong),
                        (cycles.select(1, 1) * spatial_[1]).to(at::kLong)},
                       at::ones({}, at::kFloat));
    }
    return {"where visibilities are", cells.unsqueeze(0).unsqueeze(0)};
  }

 private:
  std::unique_ptr<LinearOperator> make_part(std::int64_t index) const override {
    return std::make_unique<NonuniformFourier>(
        spatial_, points_.slice(0, index, std::nullopt, options().num_operators).contiguous(),
        NonuniformFourierOptions{});
  }

  Extents spatial_;
  Tensor points_;
};

}  // namespace

std::unique_ptr<Scan> make_radio_scan(const Options& options, at::IntArrayRef spatial) {
  return std::make_unique<RadioScan>(options, spatial);
}
