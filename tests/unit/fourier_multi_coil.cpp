// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/fourier/multi_coil_fourier.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/fft_fftn.h>
#include <ATen/ops/fft_fftshift.h>
#include <ATen/ops/fft_ifftshift.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/real.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "catch.hpp"
#include "fourier_sums.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/complex_channels.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/fourier/coil_maps.hpp"
#include "tessera/physics/fourier_sampling.hpp"
#include "tessera/physics/stacked.hpp"

using namespace tessera;

namespace {

/// The largest difference, relative to the largest value.
double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

/// m F(s x) with shifts in every call.
Tensor shifted(const Tensor& coils, const Tensor& mask, const Tensor& z, const Extents& axes) {
  return mask * at::fft_fftshift(
                    at::fft_fftn(at::fft_ifftshift(coils * z, axes), {}, axes, "ortho"), axes);
}

/// The largest eigenvalue of A^T A, from the matrix of the real and imaginary parts.
double dense_norm_squared(const LinearOperator& physics, const Tensor& x) {
  TensorList columns;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    Tensor unit = at::zeros_like(x);
    unit.view(-1)[i] = 1.0;
    columns.push_back(physics.apply_adjoint(physics.apply(unit)).flatten());
  }
  return at::linalg_eigvalsh(at::stack(columns, 1)).max().item<double>();
}

}  // namespace

TEST_CASE("MultiCoilFourier of one flat coil is the centred orthonormal transform", "[fourier]") {
  const Tensor x =
      at::tensor({1.5410, -0.2934, -2.1788, 0.5684, -1.0845, -1.3986, 0.4033, 0.8380}, at::kDouble)
          .view({1, 2, 2, 2});
  const Tensor expected = at::tensor({2.2908, -1.4290, 0.4564, -0.1814,  //
                                      0.3744, 1.8622, 0.0603, -0.6209},
                                     at::kDouble)
                              .view({1, 2, 2, 2});
  const MultiCoilFourier physics(at::ones({1, 1, 2, 2}, at::kComplexDouble),
                                 at::ones({2, 2}, at::kBool));
  CHECK((from_complex(physics.apply(x)) - expected).abs().max().item<double>() < 1e-4);
  CHECK(physics.norm_squared(x) == 1.0);
}

TEST_CASE("MultiCoilFourier equals shifts, transforms and products", "[fourier]") {
  for (const Extents& extents : std::vector<Extents>{{9}, {8}, {7, 5}, {6, 8}, {6, 5}, {3, 4, 5}}) {
    CAPTURE(extents);
    Extents maps = {1, 3};
    maps.insert(maps.end(), extents.begin(), extents.end());
    Extents pairs = maps;
    pairs[0] = 2;
    pairs[1] = 2;
    const Tensor coils = test::complex_random(maps, 1);
    const Tensor x = test::random(pairs, 2);
    const Extents axes = spatial_axes(extents.size());
    for (const Tensor& mask : {test::random(extents, 3), test::random(extents, 3) > 0}) {
      const MultiCoilFourier centred(coils, mask);
      CHECK(distance(centred.apply(x), shifted(coils, mask, to_complex(x), axes)) < 1e-13);
      CHECK(adjoint_error(centred, x) < 1e-13);
      CHECK(adjoint_error(centred, x.to(at::kFloat)) < 1e-5);
      CHECK(centred.apply(x.to(at::kFloat)).scalar_type() == at::kComplexFloat);
      const MultiCoilFourier real(coils, mask, {.complex_pairs = false});
      const Tensor one = x.narrow(1, 0, 1);
      CHECK(distance(real.apply(one), shifted(coils, mask, one, axes)) < 1e-13);
      CHECK(adjoint_error(real, one) < 1e-13);
      const MultiCoilFourier plain(coils, mask, {.centred = false});
      CHECK(distance(plain.apply(x),
                     mask * at::fft_fftn(coils * to_complex(x), {}, axes, "ortho")) < 1e-13);
      CHECK(adjoint_error(plain, x) < 1e-13);
    }
  }
}

TEST_CASE("MultiCoilFourier of moving frames transforms each by itself", "[fourier]") {
  const Tensor coils = test::complex_random({1, 3, 1, 5, 6}, 1);
  const Tensor mask = test::random({4, 1, 6}, 3) > 0;  // columns, others in each frame
  const Tensor x = test::random({2, 2, 4, 5, 6}, 3);
  const MultiCoilFourier physics(coils, mask, {.transformed_axes = 2});
  CHECK(physics.extents() == Extents{4, 5, 6});
  const Tensor y = physics.apply(x);
  REQUIRE(y.sizes() == at::IntArrayRef({2, 3, 4, 5, 6}));
  CHECK(distance(y, shifted(coils, mask, to_complex(x), {3, 4})) < 1e-13);
  const MultiCoilFourier frame(coils.squeeze(2), mask[2]);
  CHECK(distance(y.select(2, 2), frame.apply(x.select(2, 2))) < 1e-13);
  CHECK(adjoint_error(physics, x) < 1e-13);
  // Maps of a batch of their own, a mask of the last axis alone.
  const MultiCoilFourier each(test::complex_random({2, 3, 5, 6}, 4), mask[0][0]);
  CHECK(adjoint_error(each, x.select(2, 0)) < 1e-13);
}

TEST_CASE("MultiCoilFourier knows a bound of its norm, and the norm where nothing is masked",
          "[fourier]") {
  const Tensor coils = test::complex_random({1, 3, 5, 4}, 1);
  const Tensor x = test::random({1, 2, 5, 4}, 2);
  for (const bool pairs : {true, false}) {
    const Tensor image = pairs ? x : x.narrow(1, 0, 1);
    const MultiCoilFourier whole(coils, at::ones({5, 4}, at::kDouble) * -0.7,
                                 {.complex_pairs = pairs});
    CHECK(whole.norm_squared(image) == Approx(dense_norm_squared(whole, image)).epsilon(1e-12));
    CHECK(whole.norm_squared_bound() == whole.norm_squared(image));
    const MultiCoilFourier some(coils, test::random({5, 4}, 3), {.complex_pairs = pairs});
    const double truth = dense_norm_squared(some, image);
    CHECK(some.norm_squared_bound() >= truth);
    CHECK(some.norm_squared(image) >= truth);
    CHECK(some.norm_squared(image) <= 1.02 * truth * (1 + 1e-9));
  }
}

TEST_CASE("Slices of the coils, stacked or distributed, are all of them", "[fourier]") {
  const Tensor coils = test::complex_random({1, 5, 6, 7}, 1);
  const Tensor mask = test::random({6, 7}, 2) > 0;
  const Tensor x = test::random({2, 2, 6, 7}, 3);
  const MultiCoilFourier whole(coils, mask);
  const Tensor y = whole.apply(x);
  const auto slice = [&](std::int64_t i) -> std::unique_ptr<LinearPhysics> {
    return std::make_unique<MultiCoilFourier>(coils.narrow(1, 2 * i, i == 2 ? 1 : 2), mask);
  };
  const StackedPhysics stack(3, slice);
  const DistributedPhysics shared(3, slice, self_communicator());
  for (const LinearPhysics* parts :
       {static_cast<const LinearPhysics*>(&stack), static_cast<const LinearPhysics*>(&shared)}) {
    const TensorList each = parts->forward(x);
    REQUIRE(each.size() == 3);
    CHECK(distance(each[0], y.narrow(1, 0, 2)) < 1e-14);
    CHECK(distance(each[2], y.narrow(1, 4, 1)) < 1e-14);
    CHECK(distance(parts->adjoint(each), whole.apply_adjoint(y)) < 1e-14);
  }
}

TEST_CASE("With enough coils a half of k-space is enough", "[fourier]") {
  const Tensor x = test::random({2, 2, 8, 6}, 1);
  const Tensor coils = test::complex_random({1, 4, 8, 6}, 2);
  Tensor mask = at::zeros({8, 1}, at::kBool);
  for (std::int64_t row = 0; row < 8; row += 2) mask[row].fill_(true);
  const auto physics = std::make_shared<MultiCoilFourier>(coils, mask);
  const Tensor y = physics->apply(x);
  CHECK(test::relative_error(physics->pseudo_inverse({y}, {.tolerance = 1e-12}), x) < 1e-9);
  const L2 fidelity(physics, {y}, x);
  CHECK(fidelity.value(x) < 1e-24);
}

TEST_CASE("Coil maps are estimated from the centre of k-space", "[fourier]") {
  // Smooth maps on a smooth, positive object: both are seen whole by a few frequencies.
  const std::int64_t n = 33;
  const Tensor t = at::arange(n, at::kDouble) * (2 * 3.14159265358979 / static_cast<double>(n));
  const Tensor rows = t.view({-1, 1});
  const Tensor columns = t.view({1, -1});
  const Tensor object = 2 + at::cos(rows) * at::cos(columns);
  const Tensor one = at::complex(1.5 + at::cos(rows + columns), at::sin(rows) * columns.cos());
  const Tensor two =
      at::complex(0.3 * columns.sin() + 0 * rows, 1.2 + 0.5 * at::sin(rows - columns));
  const Tensor maps = at::stack({one, two}).unsqueeze(0);
  const Tensor sum = (maps * maps.conj()).sum(1, true).abs().sqrt();
  const MultiCoilFourier physics(maps, at::ones({n, n}, at::kBool), {.complex_pairs = false});
  const Tensor kspace = physics.apply(object.view({1, 1, n, n}));
  const Tensor found = estimate_coil_maps(kspace, {15, 15});
  // The window blurs: within a few parts in a hundred.
  CHECK(distance(found, maps / sum) < 0.1);
  CHECK(distance((found * found.conj()).sum(1).abs(), at::ones({1, n, n}, at::kDouble)) < 1e-13);
  // Nothing beyond the centre is read.
  Tensor cut = at::zeros_like(kspace);
  cut.narrow(2, 9, 15).narrow(3, 9, 15).copy_(kspace.narrow(2, 9, 15).narrow(3, 9, 15));
  CHECK(distance(estimate_coil_maps(cut, {15, 15}), found) < 1e-14);
  cut[0][0][8][16].fill_(9);
  CHECK(distance(estimate_coil_maps(cut, {15, 15}), found) < 1e-14);
  cut[0][0][9][16].fill_(9);
  CHECK(distance(estimate_coil_maps(cut, {15, 15}), found) > 1e-4);
  CHECK(estimate_coil_maps(at::zeros_like(kspace), {4}).abs().max().item<double>() == 0);
  CHECK_THROWS_WITH(estimate_coil_maps(kspace, {34, 3}),
                    test::contains("estimate_coil_maps: the centre is [34, 3]"));
  CHECK_THROWS_AS(estimate_coil_maps(at::real(kspace), {3, 3}), error::ShapeMismatch);
}

TEST_CASE("MultiCoilFourier says what does not fit", "[fourier]") {
  const Tensor coils = test::complex_random({2, 3, 5, 6}, 1);
  const MultiCoilFourier physics(coils, at::ones({5, 6}, at::kDouble));
  CHECK_THROWS_WITH(physics.apply(test::random({2, 2, 6, 5}, 1)),
                    test::contains("multi_coil_fourier.forward: x is [2, 2, 6, 5]") &&
                        test::contains("of extents [5, 6]"));
  CHECK_THROWS_WITH(physics.apply(test::random({1, 2, 5, 6}, 1)),
                    test::contains("a batch of 2 as the maps"));
  CHECK_THROWS_WITH(physics.apply(test::random({2, 1, 5, 6}, 1)), test::contains("re and im"));
  CHECK_THROWS_AS(physics.apply(test::random({2, 2, 5, 6}, 1, at::kHalf)), error::ShapeMismatch);
  CHECK_THROWS_WITH(physics.apply_adjoint(test::complex_random({2, 4, 5, 6}, 1)),
                    test::contains("coefficients of 3 coils"));
  CHECK_THROWS_AS(physics.apply_adjoint(test::random({2, 3, 5, 6}, 1)), error::ShapeMismatch);
  CHECK_THROWS_WITH(MultiCoilFourier(coils, at::ones({5, 7}, at::kDouble)),
                    test::contains("the mask is [5, 7] float64"));
  CHECK_THROWS_AS(MultiCoilFourier(coils, at::ones({1, 5, 6}, at::kDouble)), error::ShapeMismatch);
  CHECK_THROWS_AS(MultiCoilFourier(coils, at::ones({5, 6}, at::kLong)), error::ShapeMismatch);
  CHECK_THROWS_AS(MultiCoilFourier(at::real(coils), at::ones({5, 6}, at::kDouble)),
                  error::ShapeMismatch);
  CHECK_THROWS_AS(MultiCoilFourier(coils / 0.0, at::ones({5, 6}, at::kDouble)),
                  error::InvalidArgument);
  CHECK_THROWS_WITH(MultiCoilFourier(coils, at::ones({5, 6}, at::kDouble), {.transformed_axes = 3}),
                    test::contains("transformed_axes is 3"));
}
