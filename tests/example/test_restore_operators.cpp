// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/fft_fft2.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <string>

#include "catch.hpp"
#include "restore/config.hpp"
#include "restore/facts.hpp"
#include "restore/loaded_measurement.hpp"
#include "restore/operators.hpp"
#include "restore_workplace.hpp"
#include "tessera/io/npy.hpp"

using namespace restore;
using tessera::Tensor;

TEST_CASE("restore: an operator does to an image what its words say", "[restore]") {
  const Workplace workplace;
  const auto made = [&](const std::string& file, const std::string& steps) {
    const Config config =
        parse_config(of_file(file) + "operator: " + steps + "\n", workplace.file("c.yml"));
    const Measurement& measurement = config.measurements.front();
    const LoadedMeasurement loaded = load(measurement);
    tessera::Extents shape = {1, 1};
    shape.insert(shape.end(), loaded.image.begin(), loaded.image.end());
    return make_operator(measurement, loaded, at::zeros(shape, at::kDouble));
  };
  SECTION("identity") {
    const Tensor x = at::arange(64, at::kDouble).view({1, 1, 8, 8});
    CHECK(at::allclose(made("grey.png", "identity")->forward(x).front(), x));
  }
  SECTION("a pixel is the mean of factor x factor") {
    const Tensor x = at::arange(576, at::kDouble).square().view({1, 1, 24, 24});
    const Tensor y = made("grey.png", "{down_sampling: {factor: 3}}")->forward(x).front();
    const Tensor means = x.view({1, 1, 8, 3, 8, 3}).mean(at::IntArrayRef({3, 5}));
    CHECK(at::allclose(y, means));
  }
  SECTION("or the first of them") {
    const Tensor x = at::arange(256, at::kDouble).view({1, 1, 16, 16});
    const Tensor y =
        made("grey.png", "{down_sampling: {factor: 2, average: false}}")->forward(x).front();
    CHECK(at::allclose(y, x.slice(2, 0, 16, 2).slice(3, 0, 16, 2)));
  }
  SECTION("a shift is down and right, in pixels of the measurement") {
    Tensor x = at::zeros({1, 1, 16, 16}, at::kDouble);
    x.narrow(2, 4, 2).narrow(3, 6, 2).fill_(1);
    const Tensor y =
        made("grey.png", "{down_sampling: {factor: 2, shift: [1, 2]}}")->forward(x).front();
    CHECK(y[0][0][3][5].item<double>() == Approx(1));
    CHECK(y.sum().item<double>() == Approx(1));
  }
  SECTION("a matrix has a row for each value") {
    const Tensor x = at::arange(64, at::kDouble).view({1, 1, 8, 8});
    const Tensor y = made("two.npy", "{matrix: {file: rows.mtx}}")->forward(x).front();
    CHECK(at::equal(y, at::tensor({0.0, -126.0}, at::kDouble).view({1, 2})));
    const tessera::LinearPhysicsPtr scaled = made("two.npy", "{matrix: {file: rows.mtx}}");
    const Tensor back = scaled->adjoint({at::ones({1, 2}, at::kDouble)});
    CHECK(back.flatten()[0].item<double>() == 1.5);
    CHECK(back.flatten()[63].item<double>() == -2);
  }
  SECTION("a symmetric one has its other half") {
    const Tensor x = at::arange(64, at::kDouble).view({1, 1, 4, 4, 4});
    Tensor expected = at::zeros({1, 64}, at::kDouble);
    expected[0][2] = 2 * 2;
    expected[0][8] = 5 * 1;
    expected[0][1] = 5 * 8;
    CHECK(at::equal(
        made("grey.png", "{matrix: {file: mirrored.mtx, shape: [4, 4, 4]}}")->forward(x).front(),
        expected));
  }
  SECTION("rays of a scan") {
    // Along the columns, along the rows, and back along the columns.
    tessera::write_npy(workplace.file("scan.npy"), at::zeros({3, 8}));
    const Tensor x = at::arange(64, at::kDouble).square().view({1, 1, 8, 8});
    const Tensor y =
        made("scan.npy", "{tomography: {angles: [0, 90, 180]}}")->forward(x).front()[0][0];
    CHECK(at::allclose(y[0], x[0][0].sum(0)));
    CHECK(at::allclose(y[1], x[0][0].sum(1)));
    CHECK(at::allclose(y[2], x[0][0].sum(0).flip(0)));
  }
  SECTION("a detector may be coarser than the image, and its image no square") {
    tessera::write_npy(workplace.file("scan.npy"), at::zeros({2, 4}));
    CHECK(made("scan.npy", "{tomography: {angles: {count: 2}, spacing: 2}}")
              ->forward(at::ones({1, 1, 8, 8}, at::kDouble))
              .front()
              .sizes() == at::IntArrayRef({1, 1, 2, 4}));
    const Tensor y = made("scan.npy", "{tomography: {angles: {count: 2}, shape: [6, 4]}}")
                         ->forward(at::ones({1, 1, 6, 4}, at::kDouble))
                         .front();
    CHECK(at::allclose(y[0][0][0], at::full({4}, 6.0, at::kDouble)));
  }
  SECTION("Fourier coefficients where a mask is") {
    const Tensor x = at::arange(64, at::kDouble).view({1, 1, 8, 8});
    Tensor mask = at::ones({8, 8});
    mask[2][3] = 0;
    tessera::write_npy(workplace.file("holes.npy"), mask);
    const Tensor y = made("k.npy", "{fourier: {mask: holes.npy}}")->forward(x).front();
    CHECK(at::allclose(y, at::fft_fft2(x, {}, {-2, -1}, "ortho") * mask));
  }
  SECTION("steps act in their order") {
    const Tensor x = at::ones({1, 1, 10, 10}, at::kDouble);
    const Tensor y =
        made("grey.png", "[{blur: {kernel: psf.npy, border: valid}}, {mask: {file: mask.npy}}]")
            ->forward(x)
            .front();
    CHECK(y.sizes() == at::IntArrayRef({1, 1, 8, 8}));
  }
}

TEST_CASE("restore: what a last mask hides does not matter", "[restore]") {
  const Workplace workplace;
  Tensor mask = at::ones({8, 8});
  mask[1][2] = 0;
  tessera::write_npy(workplace.file("hole.npy"), mask);
  const Config config =
      parse_config(of_file("nan.npy") + "operator: {mask: {file: hole.npy}}\nnoise: {level: 0.1}\n",
                   workplace.file("c.yml"));
  const LoadedMeasurement loaded = load(config.measurements.front());
  CHECK(loaded.picture.values[0][0][1][2].item<float>() == 0);
  CHECK(facts_of(config.measurements.front(), loaded).values == 63);
}
