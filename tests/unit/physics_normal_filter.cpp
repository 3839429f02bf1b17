// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/physics/normal_filter.hpp"

#include <ATen/ops/fft_fftn.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/real.h>
#include <ATen/ops/zeros.h>

#include <Eigen/Eigenvalues>

#include "adjoint.hpp"
#include "catch.hpp"
#include "full_convolution.hpp"
#include "matrix_of.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/complex_channels.hpp"
#include "tessera/core/image_spec.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/algebra.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/stacked.hpp"

using tessera::Blur;
using tessera::ImageSpec;
using tessera::L2;
using tessera::LinearPhysicsPtr;
using tessera::Padding;
using tessera::StackedPhysics;
using tessera::Tensor;
using tessera::TensorList;
using test::FullConvolution;

namespace {

LinearPhysicsPtr full(std::uint64_t seed, at::IntArrayRef kernel = {3, 4}) {
  return std::make_shared<FullConvolution>(test::random(kernel, seed));
}

LinearPhysicsPtr circular(std::uint64_t seed) {
  return std::make_shared<Blur>(test::random({1, 1, 3, 4}, seed), Padding::circular);
}

double largest_eigenvalue(const tessera::LinearPhysics& physics, const Tensor& x) {
  const Eigen::MatrixXd matrix = test::matrix_of(physics, x);
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(matrix.transpose() * matrix)
      .eigenvalues()
      .maxCoeff();
}

}  // namespace

TEST_CASE("A Toeplitz normal operator is a filter on twice the extents", "[physics]") {
  for (const auto& shape : std::vector<std::vector<std::int64_t>>{{2, 3, 9, 8}, {1, 1, 5, 4}}) {
    const Tensor x = test::random(shape, 1);
    const auto physics = full(2);
    CHECK(test::adjoint_error(*physics, x) < 1e-14);
    REQUIRE(physics->has_normal_filter(x));
    CHECK_FALSE(physics->normal_filter(x).circulant);
    CHECK_FALSE(physics->has_exact_inverse(x));
    const Tensor expected = physics->adjoint(physics->forward(x));
    CHECK(test::relative_error(physics->normal(x), expected) < 1e-13);
    CHECK(physics->normal(x).is_contiguous());
    const Tensor single = x.to(at::kFloat);
    CHECK(physics->normal(single).scalar_type() == at::kFloat);
    CHECK(test::relative_error(physics->normal(single), expected) < 1e-6);
    CHECK(test::relative_error(physics->normal(x.to(at::kHalf)), expected) < 1e-2);
  }
}

TEST_CASE("The norm and the inverse of a Toeplitz normal operator are not those of its filter",
          "[physics]") {
  const Tensor x = test::random({1, 1, 6, 5}, 1);
  const auto physics = full(2);
  const double truth = largest_eigenvalue(*physics, x);
  CHECK(physics->normal_filter(x).norm_bound() > 1.05 * truth);
  CHECK(physics->norm_squared(x) >= truth);
  CHECK(physics->norm_squared(x) <= 1.02 * truth * (1 + 1e-12));
  const tessera::ConjugateGradientOptions tight{1e-13, 500};
  const Tensor solution = physics->solve_normal(x, 0.3, tight);
  CHECK(test::relative_error(physics->adjoint(physics->forward(solution)) + 0.3 * solution, x) <
        1e-11);
  const TensorList y = physics->forward(x);
  CHECK(test::relative_error(physics->pseudo_inverse(y, tight), x) < 1e-8);
}

TEST_CASE("Filters of one kind add up, others do not", "[physics]") {
  const Tensor x = test::random({2, 2, 7, 8}, 1);
  const StackedPhysics toeplitz({full(2), full(3, {2, 5}), full(4)});
  REQUIRE(toeplitz.has_normal_filter(x));
  CHECK_FALSE(toeplitz.has_exact_inverse(x));
  const Tensor expected = toeplitz.adjoint(toeplitz.forward(x));
  CHECK(test::relative_error(toeplitz.normal(x), expected) < 1e-13);
  const StackedPhysics circulant({circular(5), circular(6)});
  CHECK(circulant.has_exact_inverse(x));

  class Unknown : public FullConvolution {  // as FullConvolution, but nobody knows its filter
   public:
    using FullConvolution::FullConvolution;
    tessera::NormalFilter do_normal_filter(const Tensor& /*x*/) const override { return {}; }
  };
  const auto unknown = std::make_shared<Unknown>(test::random({3, 4}, 2));
  for (const StackedPhysics& mixed :
       {StackedPhysics({full(2), circular(5)}), StackedPhysics({circular(5), full(2)}),
        StackedPhysics({full(2), unknown}), StackedPhysics({unknown, full(2)})}) {
    CHECK_FALSE(mixed.has_normal_filter(x));
    CHECK(test::relative_error(mixed.normal(x), mixed.at(0).normal(x) + mixed.at(1).normal(x)) <
          1e-13);
  }
}

TEST_CASE("A filter of complex images has all frequencies", "[physics]") {
  // Circular convolution by a complex kernel, from the definition.
  class Rotated : public tessera::LinearOperator {
   public:
    std::string name() const override { return "rotated"; }

   private:
    Tensor do_apply(const Tensor& x) const override {  // z(n) + (1 + 2 i) z(n - 1)
      const Tensor z = tessera::to_complex(x);
      return z + c10::complex<double>(1, 2) * z.roll({1}, {2});
    }
    Tensor do_apply_adjoint(const Tensor& v) const override {
      return tessera::from_complex(v + c10::complex<double>(1, -2) * v.roll({-1}, {2}));
    }
    tessera::NormalFilter do_normal_filter(const Tensor& x) const override {
      const std::int64_t n = x.size(2);
      Tensor kernel = at::zeros({1, 1, n}, at::kComplexDouble);
      kernel[0][0][0].fill_(6);
      kernel[0][0][1].fill_(c10::complex<double>(1, 2));
      kernel[0][0][n - 1].fill_(c10::complex<double>(1, -2));
      tessera::NormalFilter filter =
          tessera::NormalFilter::on_extents_of(x, at::real(at::fft_fftn(kernel, {}, {2})));
      filter.pairs = true;
      return filter;
    }
  };
  const Tensor x = test::random({2, 4, 7}, 1);
  const auto physics = std::make_shared<Rotated>();
  CHECK(test::adjoint_error(*physics, x) < 1e-14);
  CHECK(test::relative_error(physics->normal(x), physics->adjoint(physics->forward(x))) < 1e-13);
  REQUIRE(physics->has_exact_inverse(x));
  const Tensor solution = physics->solve_normal(x, 0.3);
  CHECK(test::relative_error(physics->normal(solution) + 0.3 * solution, x) < 1e-12);
  const tessera::NormalFilter twice = physics->normal_filter(x) + physics->normal_filter(x);
  CHECK(test::relative_error(twice.apply(x), 2 * physics->normal(x)) < 1e-13);
  CHECK(physics->normal(x.to(at::kHalf)).scalar_type() == at::kHalf);
  const Tensor line = test::random({1, 1, 7}, 3);
  const LinearPhysicsPtr real = std::make_shared<Blur>(line, Padding::circular);
  CHECK_FALSE((physics->normal_filter(x) + real->normal_filter(x)).defined());
  // Over ranks, and no product with a transfer function of real images.
  const tessera::DistributedPhysics shared({physics, physics}, tessera::self_communicator());
  REQUIRE(shared.normal_filter(x).pairs);
  CHECK(test::relative_error(shared.normal(x), 2 * physics->normal(x)) < 1e-13);
  const auto product = tessera::compose(physics, real);
  CHECK_FALSE(product->has_normal_filter(x));
  CHECK(test::relative_error(product->normal(x), product->adjoint(product->forward(x))) < 1e-13);
}

TEST_CASE("L2 is fused for Toeplitz normal operators", "[fidelity]") {
  const Tensor x = test::random({2, 2, 7, 8}, 1);
  const auto physics =
      std::make_shared<StackedPhysics>(std::vector<LinearPhysicsPtr>{full(2), full(3, {2, 5})});
  const TensorList y = physics->forward(test::random({2, 2, 7, 8}, 4));
  const L2 fused(physics, y, x, {.sigma = 0.5, .conjugate_gradient = {1e-13, 500}});
  const L2 plain(physics, y, x, {.sigma = 0.5, .fused = false});
  CHECK(fused.is_fused());
  CHECK(fused.value(x) == Approx(plain.value(x)).epsilon(1e-12));
  CHECK(test::relative_error(fused.gradient(x), plain.gradient(x)) < 1e-12);
  const Tensor u = fused.prox(x, 0.3);
  CHECK(test::relative_error(u + 0.3 * plain.gradient(u), x) < 1e-10);
}

TEST_CASE("A filter that does not fit its images is refused", "[physics]") {
  class Wrong : public FullConvolution {
   public:
    Wrong(bool circulant, std::vector<std::int64_t> transform)
        : FullConvolution(0), circulant_(circulant), transform_(std::move(transform)) {}

   private:
    tessera::NormalFilter do_normal_filter(const Tensor& x) const override {
      return {at::ones({1, 1, 1, 1}, x.options()), transform_, circulant_};
    }
    bool circulant_;
    std::vector<std::int64_t> transform_;
  };
  const Tensor x = test::random({1, 1, 6, 5}, 1);
  CHECK_NOTHROW(Wrong(false, {11, 9}).normal_filter(x));
  CHECK_THROWS_WITH(Wrong(false, {11, 8}).normal_filter(x),
                    test::contains("the filter's transform is [11, 8]"));
  CHECK_THROWS_AS(Wrong(true, {12, 10}).normal(x), tessera::error::ShapeMismatch);
  CHECK_THROWS_AS(Wrong(true, {6}).has_normal_filter(x), tessera::error::ShapeMismatch);
}

TEST_CASE("An ImageSpec is what images alike have in common", "[core]") {
  const Tensor x = test::random({2, 3, 7, 5}, 1).to(at::kFloat);
  const ImageSpec spec = ImageSpec::of(x);
  CHECK(spec == ImageSpec{{2, 3, 7, 5}, at::kFloat, at::kCPU});
  CHECK(tessera::describe(spec) == "[2, 3, 7, 5] float32 on cpu");
  const std::hash<ImageSpec> hash;
  CHECK(hash(spec) == hash(ImageSpec::of(0 * x)));
  for (const ImageSpec& other :
       {ImageSpec::of(x.to(at::kDouble)), ImageSpec::of(x.transpose(2, 3)), ImageSpec::of(x[0]),
        ImageSpec{{2, 3, 7, 5}, at::kFloat, at::kMeta}}) {
    CHECK_FALSE(other == spec);
    CHECK(hash(other) != hash(spec));
  }
  tessera::check_like(spec.placeholder(), x, "the placeholder");
  CHECK(spec.placeholder().storage().nbytes() == 4);

  // What is kept by one: the spectra of a blur for two sizes and two dtypes of images.
  const auto blur = circular(3);
  CHECK(blur->norm_squared(spec) == blur->norm_squared(x));
  CHECK(full(3)->norm_squared(spec) == full(3)->norm_squared(x));
  const TensorList y = blur->forward(x);
  CHECK(L2(blur, y, spec).gradient(0.5 * x).equal(L2(blur, y, x).gradient(0.5 * x)));
}
