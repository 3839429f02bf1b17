// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "scans.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/tensor_view.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/tomography/scan_geometry.hpp"
#include "tessera/tomography/tomography.hpp"

using namespace tessera;

namespace {

/// Where the rays are. Lengths in units of the image's larger side.
ScanGeometry make_geometry(const Options& options, at::IntArrayRef spatial) {
  const auto larger = static_cast<double>(options.image_size);
  if (!options.vectors.empty()) {
    const Extents data = read_npy_header(options.measurements).shape;
    if (data.size() != 3) {
      throw error::ShapeMismatch(
          fmt::format("--measurements {}: the file holds {}, expected (views, rows, columns)",
                      options.measurements, to_string(data)));
    }
    const ScanGeometry geometry =
        ScanGeometry::from_vectors(read_npy(options.vectors), {data[1], data[2]}, false);
    if (data[0] != geometry.views()) {
      throw error::ShapeMismatch(fmt::format(
          "--measurements {}: the file holds {} views, expected {}, those of --vectors {}",
          options.measurements, data[0], geometry.views(), options.vectors));
    }
    return geometry;
  }
  double square = 0;
  for (const std::int64_t extent : spatial) square += static_cast<double>(extent * extent);
  if (!options.is_volume()) {
    const auto cells = static_cast<std::int64_t>(std::ceil(std::sqrt(square)));
    return ScanGeometry::parallel(options.views, cells, 1 / larger);
  }
  // The ball around the volume, magnified by 6 / 4 at the detector.
  constexpr double source = 4, detector = 2;
  const double magnified = (source + detector) / source * 1.1;
  const auto rows =
      static_cast<std::int64_t>(std::ceil(1.2 * magnified * static_cast<double>(spatial[0])));
  const auto columns =
      static_cast<std::int64_t>(std::ceil(magnified * std::hypot(spatial[1], spatial[2])));
  return ScanGeometry::cone(options.views, {rows, columns}, {1 / larger, 1 / larger}, source,
                            detector);
}

class TomographyScan final : public Scan {
 public:
  TomographyScan(const Options& options, at::IntArrayRef spatial)
      : Scan(options),
        spatial_(spatial.vec()),
        voxel_(options.vectors.empty() ? 1 / static_cast<double>(options.image_size) : 1),
        geometry_(make_geometry(options, spatial)) {
    if (options.num_operators > geometry_.views()) {
      throw error::InvalidArgument(
          fmt::format("--num-operators: is {}, expected at most the number of views, {}",
                      options.num_operators, geometry_.views()));
    }
  }

  Tensor linear(const LinearPhysics& physics, const TensorList& measured,
                const Tensor& like) const override {
    if (!geometry_.circle()) {
      return physics.adjoint(measured) / physics.normal(at::ones_like(like)).clamp_min(1e-6);
    }
    Tensor sum = at::zeros_like(like);
    guarded(physics.communicator(), linear_name(), [&] {
      for (std::size_t i = 0; i < measured.size(); ++i) {
        sum += tomography(physics.held()[i]).filtered(measured[i]);
      }
    });
    if (physics.communicator().size() > 1) all_reduce(physics.communicator(), sum);
    return sum;
  }
  std::string linear_name() const override {
    return geometry_.circle() ? "filtered back-projection" : "scaled back-projection";
  }

  Panel picture(const Tensor& measured) const override {
    // Of volumes the first view.
    const Tensor data = measured.dim() == 5 ? measured.select(2, 0) : measured;
    return {"line integrals", data / data.max().clamp_min(1e-30)};
  }

 private:
  Tomography tomography(std::int64_t index) const {
    return Tomography(spatial_, voxel_, geometry_.interleaved(index, options().num_operators));
  }
  std::unique_ptr<LinearOperator> make_part(std::int64_t index) const override {
    return std::make_unique<Tomography>(tomography(index));
  }

  Extents spatial_;
  double voxel_;
  ScanGeometry geometry_;
};

}  // namespace

std::unique_ptr<Scan> make_tomography_scan(const Options& options, at::IntArrayRef spatial) {
  return std::make_unique<TomographyScan>(options, spatial);
}
