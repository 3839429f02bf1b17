// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/arange.h>
#include <ATen/ops/fft_fft2.h>
#include <ATen/ops/fft_ifft2.h>
#include <ATen/ops/real.h>
#include <ATen/ops/zeros.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "catch.hpp"
#include "files.hpp"
#include "restore/matrix_market.hpp"
#include "restore/pictures.hpp"
#include "restore_quality.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/metric/psnr.hpp"
#include "tessera/physics/noise.hpp"

using namespace restore;
using tessera::Tensor;

// Measurements in another unit than the image.

TEST_CASE("restore: a scan of parallel rays", "[restore]") {
  // Gaussian discs, whose line integrals are known, in units in which white is 0.02.
  constexpr int side = 32;
  constexpr int views = 40;
  const double white = 0.02;
  const test::TemporaryFolder folder;
  Tensor truth = at::zeros({side, side}, at::kDouble);
  Tensor scan = at::zeros({views, side}, at::kDouble);
  const Tensor along = at::arange(side, at::kDouble) - (side - 1) / 2.0;
  const auto bell = [](const Tensor& distance, double width) {
    return (distance / width).square().mul(-0.5).exp();
  };
  for (const auto& [x, y, width, height] : std::vector<std::array<double, 4>>{
           {-5, 3, 3, 0.8}, {6, 6, 1.5, 0.6}, {2, -7, 2, 0.5}, {-1, -1, 6, 0.2}}) {
    truth += white * height *
             (bell(along - y, width).view({-1, 1}) * bell(along - x, width).view({1, -1}));
    for (int view = 0; view < views; ++view) {
      const double angle = (10 + 180.0 * view / views) * std::acos(-1) / 180;
      scan[view] += white * height * width * std::sqrt(2 * std::acos(-1)) *
                    bell(along - (x * std::cos(angle) + y * std::sin(angle)), width);
    }
  }
  const Tensor noisy = tessera::GaussianNoise(0.002, 5).add(scan);
  tessera::write_npy(folder.file("scan.npy"), noisy);
  tessera::write_npy(folder.file("truth.npy"), truth);
  const std::string config = folder.file("c.yml");
  const auto quality_with = [&](const std::string& rest) {
    test::write_bytes(config,
                      "measurements: [scan.npy]\noperator: {tomography: {angles: {count: "
                      "40, from: 10, to: 190}}}\nimage: {white: 0.02, clamp: [0, 0.02]}\n"
                      "output: o.npy\n" +
                          rest);
    return quality_of(config, "o.npy", folder.file("truth.npy"), white);
  };
  CHECK(quality_with("prior: tv\n") > 40.5);
  CHECK(quality_with("noise: {level: 0.002}\n") > 43);
}

TEST_CASE("restore: Fourier coefficients of a picture", "[restore]") {
  const test::TemporaryFolder folder;
  const Tensor truth = read_picture(shared_file("truth.png")).values.mean(1, true) / 255;
  tessera::write_npy(folder.file("truth.npy"), truth[0][0]);
  // A third of the rows of k-space, most of them of low frequencies.
  const std::vector<int> rows = {0,  1,  2,  3,  4,  5,  7,  10, 14, 19, 24,
                                 29, 33, 38, 44, 49, 53, 57, 60, 61, 62, 63};
  Tensor mask = at::zeros({64, 64});
  for (const int row : rows) mask[row].fill_(1);
  tessera::write_npy(folder.file("mask.npy"), mask);
  const Tensor seen =
      tessera::GaussianNoise(0.01, 6).add(at::fft_fft2(truth, {}, {-2, -1}, "ortho"));
  tessera::write_npy(folder.file("k.npy"), seen[0][0].to(at::kComplexFloat));
  const double zero_filled =
      tessera::psnr(at::real(at::fft_ifft2(seen * mask, {}, {-2, -1}, "ortho")).to(at::kFloat),
                    truth)
          .item<double>();
  const std::string config = folder.file("c.yml");
  const auto quality_with = [&](const std::string& prior) {
    test::write_bytes(config,
                      "measurements: [k.npy]\noperator: {fourier: {mask: mask.npy}}\n"
                      "noise: {level: 0.01}\nimage: {white: 1, clamp: [0, 1]}\n"
                      "output: o.npy\nprior: " +
                          prior + "\n");
    return quality_of(config, "o.npy", folder.file("truth.npy"), 1);
  };
  CHECK(zero_filled < 22.5);
  CHECK(quality_with("tv") > 26.3);
  CHECK(quality_with("drunet") > 26.3);
}

TEST_CASE("restore: a list of sums of pixels", "[restore]") {
  // The sum of each row and of each column, and every other pixel: an operator of one's own.
  const test::TemporaryFolder folder;
  constexpr int side = 16;
  const Tensor truth = at::zeros({side, side}, at::kDouble);
  truth.narrow(0, 3, 6).narrow(1, 4, 9).fill_(0.8);
  std::string entries;
  int row = 0;
  int count = 0;
  const auto add_row = [&](const std::vector<int>& pixels) {
    ++row;
    for (const int pixel : pixels) {
      entries += std::to_string(row) + " " + std::to_string(pixel + 1) + " 3\n";
      ++count;
    }
  };
  for (int i = 0; i < side; ++i) {
    std::vector<int> across;
    std::vector<int> down;
    for (int j = 0; j < side; ++j) {
      across.push_back(side * i + j);
      down.push_back(side * j + i);
    }
    add_row(across);
    add_row(down);
  }
  for (int i = 0; i < side * side; i += 3) add_row({i});
  test::write_bytes(folder.file("sums.mtx"), "%%MatrixMarket matrix coordinate real general\n" +
                                                 std::to_string(row) + " 256 " +
                                                 std::to_string(count) + "\n" + entries);
  const Tensor sums =
      read_matrix_market(folder.file("sums.mtx")).to_dense().matmul(truth.flatten());
  tessera::write_npy(folder.file("sums.npy"), tessera::GaussianNoise(0.03, 8).add(sums));
  tessera::write_npy(folder.file("truth.npy"), truth);
  const std::string config = folder.file("c.yml");
  test::write_bytes(config,
                    "measurements: [sums.npy]\noperator: {matrix: {file: sums.mtx}}\n"
                    "noise: {level: 0.03}\nimage: {white: 1}\nprior: tv\noutput: o.npy\n");
  CHECK(quality_of(config, "o.npy", folder.file("truth.npy"), 1) > 54);
}
