// SPDX-License-Identifier: BSD-3-Clause
// Numbers of BART 0.8.00 (Debian package bart, single precision), files written by test::indexed
// with rows as BART's first axis and columns as its second. BART is not needed to run this.
#include <ATen/ops/arange.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <complex>
#include <numbers>

#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/core/complex_channels.hpp"
#include "tessera/fourier/multi_coil_fourier.hpp"
#include "tessera/fourier/multi_coil_nonuniform_fourier.hpp"
#include "tessera/fourier/nonuniform_fourier.hpp"

using namespace tessera;

namespace {

using Complex = std::complex<double>;

Tensor complex_indexed(at::IntArrayRef shape, double phase) {
  return at::complex(test::indexed(shape, phase), test::indexed(shape, phase + 1));
}

/// Files x (8, 8) and sens (8, 8, 1, 3).
const Tensor image = complex_indexed({1, 1, 8, 8}, 2);
const Tensor maps = complex_indexed({1, 3, 8, 8}, 0);

struct Sample {
  std::vector<std::int64_t> index;
  Complex expected;
};

/// The largest difference at `samples`, relative to the largest value of z.
double difference(const Tensor& z, const std::vector<Sample>& samples) {
  double largest = 0;
  for (const Sample& sample : samples) {
    Tensor value = z;
    for (const std::int64_t i : sample.index) value = value[i];
    largest = std::max(largest, std::abs(static_cast<Complex>(value.item<c10::complex<double>>()) -
                                         sample.expected));
  }
  return largest / z.abs().max().item<double>();
}

/// The file p3, (3, 1, 70), in samples of k-space: 2.5 sin(1.7 m + 1), 2.3 sin(2.3 m + 3), 0.
Tensor points() {
  const Tensor m = at::arange(70, at::kDouble);
  return at::stack({2.5 * at::sin(1.7 * m + 1), 2.3 * at::sin(2.3 * m + 3)}, 1) *
         (2 * std::numbers::pi / 8);
}

}  // namespace

TEST_CASE("MultiCoilFourier equals BART", "[fourier]") {
  const Tensor mask = at::tensor({1, 0, 1, 1, 1, 0, 1, 0}, at::kDouble).view({8, 1});
  const MultiCoilFourier physics(maps, mask);
  // bart fmac x sens cx; bart fft -u 3 cx ksp; bart fmac ksp pat y
  const Tensor y = physics.apply(from_complex(image));
  CHECK(difference(y, {{{0, 0, 0, 0}, {0.014308, 0.095551}},
                       {{0, 1, 4, 3}, {-0.268288, -0.057581}},
                       {{0, 2, 3, 7}, {0.071992, 0.062361}}}) < 1e-6);
  // bart fft -u -i 3 y zi; bart fmac -C -s 8 zi sens zf
  const Tensor back = physics.apply_adjoint(y);
  CHECK(difference(to_complex(back), {{{0, 0, 0, 0}, {2.453115, -0.564109}},
                                      {{0, 0, 3, 5}, {-1.641780, -2.192440}},
                                      {{0, 0, 7, 7}, {2.720927, 0.545569}}}) < 1e-6);
  // bart pics -w 1 -l2 -r 0.05 -i 200 -p pat y sens rec
  const Tensor solved = physics.solve_normal(back, 0.05, {.tolerance = 1e-10});
  CHECK(difference(to_complex(solved), {{{0, 0, 0, 0}, {0.706199, 0.028836}},
                                        {{0, 0, 3, 5}, {-0.535724, -0.991341}},
                                        {{0, 0, 7, 7}, {0.684768, 0.019490}}}) < 1e-5);
}

TEST_CASE("MultiCoilFourier of odd extents equals BART", "[fourier]") {
  const MultiCoilFourier physics(at::ones({1, 1, 7, 5}, at::kComplexDouble),
                                 at::ones({7, 5}, at::kBool));
  // bart fft -u 3
  const Tensor y = physics.apply(from_complex(complex_indexed({1, 1, 7, 5}, 2)));
  CHECK(difference(y, {{{0, 0, 0, 0}, {-0.014112, 0.228437}},
                       {{0, 0, 3, 2}, {-0.151925, -0.099732}},
                       {{0, 0, 6, 4}, {0.983660, 0.408027}}}) < 1e-6);
}

// nufft -s is the sum itself, without the factor 1 / sqrt(N) of the interpolated one, which is
// right to 1e-3. Of odd extents the origin is elsewhere in BART.
TEST_CASE("NonuniformFourier equals BART", "[fourier]") {
  const NonuniformFourier physics({8, 8}, points(), {.tolerance = 1e-9, .complex_pairs = true});
  // bart nufft -s p3 x q
  const Tensor y = physics.apply(from_complex(image));
  CHECK(difference(y, {{{0, 0, 0}, {1.392420, 1.176977}},
                       {{0, 0, 31}, {0.622834, -1.346419}},
                       {{0, 0, 69}, {0.067571, -0.355043}}}) < 1e-6);
  // bart nufft -s -a -d 8:8:1 p3 q a
  const Tensor back = to_complex(physics.apply_adjoint(y));
  CHECK(difference(back, {{{0, 0, 0, 0}, {25.875759, -18.706955}},
                          {{0, 0, 3, 5}, {-71.912025, -97.300987}},
                          {{0, 0, 7, 7}, {39.255577, 26.702072}}}) < 1e-6);
}

// BART's interpolation is right to 1e-3, and its operator is divided by sqrt(N).
TEST_CASE("MultiCoilNonuniformFourier equals BART", "[fourier]") {
  const MultiCoilNonuniformFourier physics(
      maps, points(),
      {.tolerance = 1e-9, .complex_pairs = true, .weights = at::ones({70}, at::kDouble) / 64});
  // bart nufft -P p3 cx Yw
  const Tensor y = physics.apply(from_complex(image));
  CHECK(difference(y, {{{0, 0, 0}, {-0.172434, 0.191399}},
                       {{0, 1, 31}, {0.876009, -0.476016}},
                       {{0, 2, 69}, {0.090822, 0.092867}}}) < 3e-3);
  // bart pics -w 1 -l2 -r 0.05 -i 300 -t p3 Yw sens recB
  const Tensor solved = physics.solve_normal(physics.apply_adjoint(y), 0.05, {.tolerance = 1e-9});
  CHECK(difference(to_complex(solved), {{{0, 0, 0, 0}, {0.897210, 0.014892}},
                                        {{0, 0, 3, 5}, {-0.331719, -0.926026}},
                                        {{0, 0, 7, 7}, {0.809128, -0.098986}}}) < 3e-3);
}
