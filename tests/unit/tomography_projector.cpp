// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <memory>

#include "adjoint.hpp"
#include "catch.hpp"
#include "matrix_of.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/data_fidelity.hpp"
#include "tessera/fidelity/poisson_distance.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/solver/mlem.hpp"
#include "tessera/tomography/tomography.hpp"
#include "threads.hpp"
#include "tomography/projector.hpp"

using namespace tessera;

namespace {

struct Scan {
  const char* what;
  Extents spatial;
  double voxel;
  ScanGeometry geometry;
};

/// Rows of numbers, some of them along an axis, some oblique, none like another.
ScanGeometry any_plane(bool parallel) {
  return ScanGeometry::from_vectors(at::tensor({9., 3., -8., 0.5, 0.3, 0.9, -1., -11., 0.5, 7., 1.3,
                                                0.2, 2., 2., -1., -1., 0.7, -0.6},
                                               at::kDouble)
                                        .view({3, 6}),
                                    {70}, parallel);
}

ScanGeometry any_space(bool parallel) {
  return ScanGeometry::from_vectors(
      at::tensor({9.,  3.,  2., -8., 0.5, 1.,  0.3, 0.9,  0.1, 0.,   0.2, 1.1,
                  -1., -2., 9., 0.5, 1.,  -7., 1.3, 0.2,  0.3, -0.1, 0.9, 0.1,
                  2.,  12., 2., -1., -9., 0.,  0.9, -0.1, 0.2, 0.1,  0.3, 0.8},
                 at::kDouble)
          .view({3, 12}),
      {4, 9}, parallel);
}

std::vector<Scan> scans() {
  return {
      {"parallel", {11, 14}, 1, ScanGeometry::parallel(7, 19)},
      {"fine cells", {14, 11}, 0.8, ScanGeometry::parallel(5, 71, 0.3)},
      {"coarse cells", {70, 9}, 0.8, ScanGeometry::parallel(5, 9, 2.7)},
      {"one cell", {5, 6}, 1, ScanGeometry::parallel(4, 1, 3)},
      {"fan", {13, 10}, 0.5, ScanGeometry::fan(9, 17, 0.9, 12, 5)},
      {"wide fan", {13, 9}, 0.5, ScanGeometry::fan(5, 140, 0.4, 4, 6)},
      {"plane, parallel", {8, 13}, 1.1, any_plane(true)},
      {"plane, diverging", {8, 13}, 1.1, any_plane(false)},
      {"parallel in space", {5, 7, 8}, 1.2, ScanGeometry::parallel(5, {6, 11}, {1.1, 0.9})},
      {"cone", {6, 7, 9}, 1, ScanGeometry::cone(5, {7, 12}, {1.5, 1.3}, 20, 9)},
      {"space, parallel", {6, 7, 5}, 0.9, any_space(true)},
      {"space, diverging", {6, 7, 5}, 0.9, any_space(false)},
  };
}

Extents with(Extents front, const Extents& back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

/// Joseph's weights by their definition: hat functions of all voxels of all planes, one ray after
/// another.
Eigen::MatrixXd dense(const Scan& scan) {
  const auto d = static_cast<std::int64_t>(scan.spatial.size());
  const Extents& cells = scan.geometry.cells();
  const std::int64_t columns = cells.back();
  const std::int64_t rows = d == 2 ? 1 : cells[0];
  std::int64_t voxels = 1;
  for (const std::int64_t n : scan.spatial) voxels *= n;
  Eigen::MatrixXd a = Eigen::MatrixXd::Zero(scan.geometry.views() * rows * columns, voxels);
  for (std::int64_t ray = 0; ray < a.rows(); ++ray) {
    const auto& view = scan.geometry.view(ray / (rows * columns));
    double end[3];
    double way[3];  // x, y, z
    double norm = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      end[k] =
          view.centre[k] +
          (static_cast<double>(ray % columns) - static_cast<double>(columns - 1) / 2) * view.u[k] +
          (static_cast<double>(ray / columns % rows) - static_cast<double>(rows - 1) / 2) *
              view.v[k];
      way[k] = scan.geometry.parallel_rays() ? view.source[k] : end[k] - view.source[k];
      norm += way[k] * way[k];
    }
    std::int64_t axis = 0;  // of the image
    for (std::int64_t k = 1; k < d; ++k) {
      if (std::abs(way[d - 1 - k]) >= std::abs(way[d - 1 - axis])) axis = k;
    }
    for (std::int64_t voxel = 0; voxel < voxels; ++voxel) {
      std::int64_t rest = voxel;
      std::vector<double> position(static_cast<std::size_t>(d));  // of the voxel, by axis
      for (std::int64_t k = d; k-- > 0;) {
        const std::int64_t n = scan.spatial[static_cast<std::size_t>(k)];
        position[static_cast<std::size_t>(k)] =
            scan.voxel * (static_cast<double>(rest % n) - static_cast<double>(n - 1) / 2);
        rest /= n;
      }
      const double along = way[d - 1 - axis];
      const double t = (position[static_cast<std::size_t>(axis)] - end[d - 1 - axis]) / along;
      double weight = scan.voxel * std::sqrt(norm) / std::abs(along);
      for (std::int64_t k = 0; k < d; ++k) {
        if (k == axis) continue;
        const double off =
            end[d - 1 - k] + t * way[d - 1 - k] - position[static_cast<std::size_t>(k)];
        weight *= std::max(0.0, 1 - std::abs(off) / scan.voxel);
      }
      a(ray, voxel) = weight;
    }
  }
  return a;
}

double relative(const Tensor& a, const Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

}  // namespace

TEST_CASE("Tomography has Joseph's weights", "[tomography]") {
  for (const Scan& scan : scans()) {
    INFO(scan.what);
    const Tomography a(scan.spatial, scan.voxel, scan.geometry);
    const Eigen::MatrixXd expected = dense(scan);
    const Tensor x = at::zeros(with({1, 1}, scan.spatial), at::kDouble);
    CHECK((test::matrix_of(a, x) - expected).norm() <= 1e-12 * expected.norm());
    REQUIRE(expected.norm() > 1);
    // Column by column, the same matrix from the adjoint.
    Tensor v = at::zeros(with({1, 1, scan.geometry.views()}, scan.geometry.cells()), at::kDouble);
    double error = 0;
    for (std::int64_t ray = 0; ray < v.numel(); ++ray) {
      v.view(-1)[ray] = 1;
      const Tensor row = a.apply_adjoint(v).contiguous();
      error = std::max(error, (eigen_vector<double>(row) - expected.row(ray).transpose()).norm());
      v.view(-1)[ray] = 0;
    }
    CHECK(error <= 1e-12 * expected.norm());
  }
}

TEST_CASE("Tomography and its adjoint", "[tomography]") {
  for (const Scan& scan : scans()) {
    INFO(scan.what);
    const Tomography a(scan.spatial, scan.voxel, scan.geometry);
    const Tensor x = test::random(with({2, 3}, scan.spatial), 1);
    CHECK(test::adjoint_error(a, x) < 1e-12);
    CHECK(test::adjoint_error(a, x.to(at::kFloat)) < 1e-5);
    const Tensor y = a.apply(x);
    CHECK(y.sizes() == at::IntArrayRef(with({2, 3, scan.geometry.views()}, scan.geometry.cells())));
    CHECK(relative(a.apply(x.to(at::kFloat)).to(at::kDouble), y) < 3e-6);
    CHECK(relative(a.apply_adjoint(y.to(at::kFloat)).to(at::kDouble), a.apply_adjoint(y)) < 3e-6);
    CHECK(a.apply(x.to(at::kHalf)).scalar_type() == at::kHalf);
    // Memory in another order, and each image by itself.
    const Tensor turned = x.transpose(0, 1).contiguous().transpose(0, 1);
    CHECK(a.apply(turned).equal(y));
    CHECK(a.apply(x.narrow(0, 1, 1).narrow(1, 2, 1)).equal(y.narrow(0, 1, 1).narrow(1, 2, 1)));
  }
}

TEST_CASE("Tomography by grid_sampler is the same operator", "[tomography]") {
  for (const Scan& scan : scans()) {
    INFO(scan.what);
    const joseph::Grid grid{scan.spatial, scan.voxel};
    const Tensor x = test::random(with({2, 2}, scan.spatial), 1);
    const Tensor y = joseph::project(scan.geometry, grid, x);
    CHECK(relative(joseph::sampled_project(scan.geometry, grid, x), y) < 1e-12);
    const Tensor v = test::random(y.sizes(), 2);
    const Tensor back = joseph::project_back(scan.geometry, grid, v);
    CHECK(relative(joseph::sampled_project_back(scan.geometry, grid, v), back) < 1e-12);
    CHECK(relative(joseph::sampled_project(scan.geometry, grid, x.to(at::kFloat)).to(at::kDouble),
                   y) < 1e-5);
  }
}

TEST_CASE("Tomography gives the same bits for any number of threads", "[tomography]") {
  for (const Scan& scan : scans()) {
    INFO(scan.what);
    const Tomography a(scan.spatial, scan.voxel, scan.geometry);
    const Tensor x = test::random(with({2, 1}, scan.spatial), 1, at::kFloat);
    Tensor y;
    Tensor back;
    {
      const test::Threads one(1);
      y = a.apply(x);
      back = a.apply_adjoint(y);
    }
    const test::Threads three(3);
    CHECK(a.apply(x).equal(y));
    CHECK(a.apply_adjoint(y).equal(back));
  }
}

TEST_CASE("Tomography: columns and rows at 0 and 90 degrees", "[tomography]") {
  const Tensor x = test::random({1, 1, 6, 8}, 3);
  const Tensor y = Tomography({6, 8}, 0.5, ScanGeometry::parallel(2, 8, 0.5)).apply(x)[0][0];
  CHECK(relative(y[0], 0.5 * x[0][0].sum(0)) < 1e-14);
  CHECK(relative(y[1].narrow(0, 1, 6), 0.5 * x[0][0].sum(1)) < 1e-14);
  CHECK(y[1][0].item<double>() == Approx(0).margin(1e-14));
  CHECK(y[1][7].item<double>() == Approx(0).margin(1e-14));
}

TEST_CASE("Tomography is ASTRA's linear projector", "[tomography]") {
  // The CPU projector 'linear' of ASTRA 2.5.0, whose y points up, on the image upside down.
  const Tensor expected =
      at::tensor({0.,         0.0308076,   0.1564253,   0.31438318, -0.19838691, -0.30805075,
                  0.16067946, 0.08427235,  0.,          0.48651764, 0.7184092,   -3.5970025,
                  2.7242563,  -1.1736621,  0.36628234,  2.3775876,  -1.7333838,  0.01995318,
                  0.,         0.90690386,  0.06700763,  -0.5543989, 0.26278567,  0.4063928,
                  -0.6171274, -0.21159504, 0.,          0.577333,   -0.26394174, -0.5652737,
                  0.8168793,  0.12098825,  -0.99835026, 0.5193225,  0.28290576,  -0.26816568},
                 at::kDouble);
  const Tensor x = (1 + 1.7 * at::arange(30, at::kDouble)).sin().view({1, 1, 6, 5});
  const Tensor y = Tomography({6, 5}, 1, ScanGeometry::parallel(4, 9, 0.9)).apply(x);
  CHECK(relative(y.view(-1), expected) < 1e-6);
}

TEST_CASE("Parts of a scan", "[tomography]") {
  const ScanGeometry whole = ScanGeometry::fan(11, 9, 1, 20, 10);
  const Tensor x = test::random({1, 1, 9, 8}, 4);
  const Tensor y = Tomography({9, 8}, 1, whole).apply(x);
  for (std::int64_t part = 0; part < 4; ++part) {
    const Tomography share({9, 8}, 1, whole.interleaved(part, 4));
    CHECK(share.apply(x).equal(y.slice(2, part, std::nullopt, 4)));
  }
  const std::vector<std::int64_t> begin = {0, 3, 6, 9, 11};
  for (std::int64_t part = 0; part < 4; ++part) {
    const auto i = static_cast<std::size_t>(part);
    const Tomography share({9, 8}, 1, whole.contiguous(part, 4));
    CHECK(share.apply(x).equal(y.slice(2, begin[i], begin[i + 1])));
  }
  const ScanGeometry again = ScanGeometry::from_vectors(whole.vectors(), {9}, false);
  CHECK(Tomography({9, 8}, 1, again).apply(x).equal(y));
  const ScanGeometry cone = ScanGeometry::cone(3, {2, 4}, {1, 1}, 20, 10);
  CHECK(ScanGeometry::from_vectors(cone.vectors(), {2, 4}, false).vectors().equal(cone.vectors()));
}

TEST_CASE("Ordered subsets of a scan", "[tomography]") {
  const ScanGeometry whole = ScanGeometry::parallel(24, 14);
  std::vector<LinearPhysicsPtr> parts;
  for (std::int64_t part = 0; part < 4; ++part) {
    parts.push_back(std::make_shared<Tomography>(Extents{10, 9}, 1, whole.interleaved(part, 4)));
  }
  const auto stack = std::make_shared<StackedPhysics>(parts);
  const Tensor truth = test::random({1, 1, 10, 9}, 5).abs() + 0.1;
  const TensorList y = stack->forward(truth);
  const DataFidelity fidelity(stack, y, std::make_shared<PoissonDistance>());
  const auto error_of = [&](std::int64_t subsets) {
    const MLEM solver(fidelity, {.subsets = subsets, .stopping = {.max_iterations = 20}});
    return relative(solver.solve(at::ones_like(truth)).x, truth);
  };
  const double plain = error_of(1);
  CHECK(error_of(4) < 0.7 * plain);
}

TEST_CASE("Scans that cannot be are refused", "[tomography]") {
  const auto message_of = [](const auto& make) -> std::string {
    try {
      make();
    } catch (const error::InvalidArgument& failure) {
      return failure.what();
    }
    return "";
  };
  const auto vectors = [](const std::vector<double>& numbers) {
    return at::tensor(numbers, at::kDouble).view({1, -1});
  };
  const auto plane = [&](const std::vector<double>& numbers, bool parallel) {
    return message_of([&] { ScanGeometry::from_vectors(vectors(numbers), {5}, parallel); });
  };
  CHECK(message_of([] { ScanGeometry::parallel(0, 5); }) ==
        "scan_geometry: there are 0 views, expected 1 or more");
  CHECK(message_of([] { ScanGeometry::parallel(3, 0); }) ==
        "scan_geometry: cells is [0], expected one number, or rows and columns, each 1 or more");
  CHECK(message_of([] { ScanGeometry::fan(3, 5, -1, 10, 10); }) ==
        "scan_geometry: the size of a cell is -1, expected a finite number > 0");
  CHECK(message_of([] { ScanGeometry::fan(3, 5, 1, 0, 10); }) ==
        "scan_geometry: the distance of the source is 0, expected a finite number > 0");
  CHECK(plane({0, 0, 1, 2, 1, 0}, true) ==
        "scan_geometry: the rays of view 0 have the direction (0, 0, 0), expected one that crosses "
        "the detector");
  CHECK(plane({2, 0, 1, 2, 1, 0}, true) ==
        "scan_geometry: the rays of view 0 have the direction (2, 0, 0), expected one that crosses "
        "the detector");
  CHECK(plane({3, 2, 1, 2, 1, 0}, false) ==
        "scan_geometry: the source of view 0 is at (3, 2, 0), on its detector, expected it off the "
        "detector");
  CHECK(plane({0, 5, 1, 2, 0, 0}, false) ==
        "scan_geometry: the cells of view 0 have no extent: u is (0, 0, 0), v is (0, 0, 0), "
        "expected u other than zero");
  CHECK(plane({0, NAN, 1, 2, 1, 0}, false) ==
        "scan_geometry: the vectors has 1 of 6 values that are not finite, the first is nan at [0, "
        "1]");
  CHECK(message_of([&] {
          ScanGeometry::from_vectors(vectors({0, 0, 1, 2, 0, 0}), {5, 5}, true);
        }) ==
        "scan_geometry: the vectors are [1, 6] float64 on cpu, expected floating numbers (views, "
        "12) for cells of 2 extents");
  CHECK(message_of([] { ScanGeometry::parallel(3, 5).interleaved(1, 4); }) ==
        "scan_geometry: part 1 of 4 of a scan of 3 views, expected a part from 0 on, and no more "
        "parts than views");
  CHECK(message_of([] {
          Tomography({4, 4, 4}, 1, ScanGeometry::parallel(3, 5));
        }) ==
        "tomography: the image has the extents [4, 4, 4], expected 2, each 1 or more, for a scan "
        "in 2 dimensions");
  const Tomography a({4, 6}, 1, ScanGeometry::parallel(3, 5));
  CHECK(message_of([&] {
          a.apply(at::ones({1, 1, 6, 4}));
        }) ==
        "tomography.forward: x is [1, 1, 6, 4] float32 on cpu, expected an image of extents [4, "
        "6]");
  CHECK(message_of([&] {
          a.apply_adjoint(at::ones({1, 1, 5, 3}));
        }) ==
        "tomography.adjoint: v is [1, 1, 5, 3] float32 on cpu, expected floating values (B, C, 3, "
        "5)");
}
