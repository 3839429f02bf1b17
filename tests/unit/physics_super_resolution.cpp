// SPDX-License-Identifier: BSD-3-Clause
// Several frames of which every f-th pixel was measured: A^T A as matrices between aliases.
#include <ATen/ops/arange.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/roll.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <numbers>

#include "adjoint.hpp"
#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/algebra.hpp"
#include "tessera/physics/check_adjoint.hpp"
#include "tessera/physics/downsampling.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/physics/translation.hpp"

using namespace tessera;

namespace {

Tensor waves(const std::vector<std::int64_t>& shape) {
  const std::int64_t n = c10::multiply_integers(shape);
  return at::sin(at::arange(n, at::kDouble) * 1.7).view(shape);
}

std::vector<LinearPhysicsPtr> frames(std::int64_t factor, std::int64_t count, std::size_t spatial) {
  std::vector<LinearPhysicsPtr> all;
  for (std::int64_t k = 0; k < count; ++k) {
    Tensor kernel = waves({1, 1, 3, 3}).abs() + 0.1 * static_cast<double>(k + 1);
    if (spatial == 1) kernel = kernel.flatten(2);
    if (spatial == 3) kernel = kernel.unsqueeze(2).repeat({1, 1, 2, 1, 1});
    kernel = kernel / kernel.sum();
    const auto low = std::make_shared<Downsampling>(factor, kernel, BlurOptions{Padding::circular});
    std::vector<double> shift(spatial, 0.3 * static_cast<double>(k));
    shift.front() *= -2;
    all.push_back(compose(low, std::make_shared<Translation>(shift)));
  }
  return all;
}

/// A^T A from the definition, without a filter.
Tensor normal_by_parts(const std::vector<LinearPhysicsPtr>& all, const Tensor& x) {
  Tensor sum = at::zeros_like(x);
  for (const auto& each : all) sum = sum + each->adjoint(each->forward(x));
  return sum;
}

/// A^T A as a matrix, column by column, for one image of one channel.
Tensor dense_normal(const std::vector<LinearPhysicsPtr>& all,
                    const std::vector<std::int64_t>& shape) {
  TensorList columns;
  const std::int64_t n = c10::multiply_integers(shape);
  for (std::int64_t i = 0; i < n; ++i) {
    Tensor unit = at::zeros(shape, at::kDouble);
    unit.view(-1)[i] = 1.0;
    columns.push_back(normal_by_parts(all, unit).flatten());
  }
  return at::stack(columns, 1);
}

}  // namespace

TEST_CASE("Frames of every second or third pixel: gradient, norm and inverse in Fourier space",
          "[physics]") {
  struct Case {
    std::int64_t factor;
    std::int64_t count;
    std::vector<std::int64_t> shape;
  };
  for (const Case& each : std::vector<Case>{{2, 1, {1, 1, 6, 8}},
                                            {2, 5, {1, 1, 6, 8}},
                                            {3, 2, {1, 1, 9, 6}},
                                            {3, 2, {1, 1, 12}},
                                            {2, 3, {1, 1, 4, 6, 4}}}) {
    CAPTURE(each.factor, each.count, each.shape);
    const auto all = frames(each.factor, each.count, each.shape.size() - 2);
    const StackedPhysics stack(all);
    std::vector<std::int64_t> batch = each.shape;
    batch[0] = 2;
    batch[1] = 3;
    const Tensor x = waves(batch);
    CHECK(adjoint_error(stack, x) < 1e-12);
    REQUIRE(stack.has_normal_filter(x));
    CHECK(stack.normal_filter(x).factor == each.factor);
    CHECK(stack.has_exact_inverse(x));
    CHECK(test::relative_error(stack.normal(x), normal_by_parts(all, x)) < 1e-12);
    CHECK(test::relative_error(stack.normal(x.to(at::kFloat)), normal_by_parts(all, x)) < 1e-5);

    const Tensor dense = dense_normal(all, each.shape);
    CHECK(stack.norm_squared(x) ==
          Approx(at::linalg_eigvalsh(dense).max().item<double>()).epsilon(1e-12));
    const Tensor shifted = dense + 0.3 * at::eye(dense.size(0), at::kDouble);
    const Tensor solved = stack.solve_normal(x, 0.3);
    for (std::int64_t i = 0; i < 2; ++i) {
      for (std::int64_t c = 0; c < 3; ++c) {
        const Tensor expected = at::linalg_solve(shifted, x[i][c].flatten());
        CHECK(test::relative_error(solved[i][c].flatten(), expected) < 1e-11);
      }
    }
  }
}

TEST_CASE("Frames: a fidelity is fused, and weights and kernels of each channel are kept",
          "[physics]") {
  const Tensor x = waves({2, 3, 8, 6});
  const StackedPhysics stack(frames(2, 4, 2));
  const L2 fused(std::make_shared<StackedPhysics>(frames(2, 4, 2)), stack.forward(x + 0.1), x);
  const L2 plain(std::make_shared<StackedPhysics>(frames(2, 4, 2)), stack.forward(x + 0.1), x,
                 {.fused = false});
  CHECK(test::relative_error(fused.gradient(x), plain.gradient(x)) < 1e-11);
  CHECK(fused.value(x) == Approx(plain.value(x)).epsilon(1e-11));
  CHECK(test::relative_error(fused.prox(x, 0.7), plain.prox(x, 0.7)) < 1e-11);

  const Tensor kernels = waves({1, 3, 3, 3}).abs();
  const auto each = std::make_shared<Downsampling>(2, kernels, BlurOptions{Padding::circular});
  const auto halved = weighted(each, 0.5);
  REQUIRE(each->has_normal_filter(x));
  CHECK(test::relative_error(halved->normal(x), 0.25 * each->adjoint(each->forward(x))) < 1e-12);
  const Tensor solution = each->solve_normal(x, 0.1);
  CHECK(test::relative_error(each->adjoint(each->forward(solution)) + 0.1 * solution, x) < 1e-11);
  // Frames of two factors have no filter, and a mixture is solved as before.
  const auto third = std::make_shared<Downsampling>(3, gaussian_kernel(1.0, 1.0).to(at::kDouble),
                                                    BlurOptions{Padding::circular});
  const StackedPhysics mixed(std::vector<LinearPhysicsPtr>{each, third});
  const Tensor large = waves({1, 3, 12, 6});
  CHECK_FALSE(mixed.has_normal_filter(large));
  CHECK(test::relative_error(mixed.normal(large), normal_by_parts({each, third}, large)) < 1e-12);
  CHECK_FALSE(each->has_normal_filter(waves({1, 3, 7, 6})));
  CHECK_THROWS_AS(each->forward(waves({1, 3, 7, 6})), error::ShapeMismatch);
}

TEST_CASE("Frames: the norm of the published operator", "[physics]") {
  // 5x5 Gaussian of standard deviation 1, every second pixel: ||S B||^2 = 0.250269, eight of them
  // 2.002153 (from the taps, by hand).
  const Tensor tap = at::tensor({.05449, .24420, .40262, .24420, .05449}, at::kDouble);
  const Tensor kernel = (tap.view({5, 1}) * tap).view({1, 1, 5, 5});
  const auto frame = std::make_shared<Downsampling>(2, kernel, BlurOptions{Padding::circular});
  const Tensor x = at::zeros({1, 3, 64, 64}, at::kDouble);
  CHECK(frame->norm_squared(x) == Approx(0.250269).epsilon(1e-4));
  CHECK(StackedPhysics(std::vector<LinearPhysicsPtr>(8, frame)).norm_squared(x) ==
        Approx(2.002153).epsilon(1e-4));
}

TEST_CASE("Translation: whole pixels roll, parts of a pixel are exact for waves", "[physics]") {
  const Tensor x = waves({2, 3, 7, 6});
  CHECK(test::relative_error(Translation({2, -1}).apply(x), at::roll(x, {2, -1}, {2, 3})) < 1e-12);
  for (const std::vector<std::int64_t>& shape :
       std::vector<std::vector<std::int64_t>>{{1, 1, 9}, {2, 3, 7, 6}, {1, 2, 4, 5, 3}}) {
    const Translation part(std::vector<double>(shape.size() - 2, 0.37));
    CHECK(adjoint_error(part, waves(shape)) < 1e-12);
    CHECK(test::relative_error(part.normal(waves(shape)),
                               part.apply_adjoint(part.apply(waves(shape)))) < 1e-12);
  }
  const Tensor t = 2 * std::numbers::pi * at::arange(16, at::kDouble) / 16;
  const Tensor wave = (at::cos(3 * t) + at::sin(t)).view({1, 1, 16});
  const Tensor moved = t - 2 * std::numbers::pi * 0.25 / 16;
  CHECK(test::relative_error(Translation({0.25}).apply(wave),
                             (at::cos(3 * moved) + at::sin(moved)).view({1, 1, 16})) < 1e-13);
  CHECK(Translation({0.5, 0.5}).apply(x.to(at::kFloat)).scalar_type() == at::kFloat);
  // Kept phases are those of the size and precision: a second call gives the same bits.
  const Translation kept({0.3, -1.6});
  for (const auto& shape : std::vector<std::vector<std::int64_t>>{{2, 3, 7, 6}, {1, 1, 6, 7}}) {
    for (const auto type : {at::kDouble, at::kFloat, at::kDouble}) {
      const Tensor image = waves(shape).to(type);
      const Tensor transfer = kept.transfer_function(image);
      CHECK(transfer.data_ptr() == kept.transfer_function(image).data_ptr());
      CHECK(kept.apply(image).equal(Translation({0.3, -1.6}).apply(image)));
      CHECK(kept.apply(image).equal(kept.apply(image)));
    }
  }
  CHECK_THROWS_AS(Translation({}), error::InvalidArgument);
  CHECK_THROWS_AS(Translation({std::nan("")}), error::InvalidArgument);
  CHECK_THROWS_WITH(Translation({1.0}).apply(x), test::contains("expected 1 spatial dimensions"));
}
