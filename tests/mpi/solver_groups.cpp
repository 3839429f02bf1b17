// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <memory>
#include <vector>

#include "catch.hpp"
#include "distributed_parts.hpp"
#include "failures.hpp"
#include "tessera/comm/image_space.hpp"
#include "tessera/comm/larger_group.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/solver/pnp.hpp"
#include "toys.hpp"

using namespace tessera;

namespace {

const Tensor whole = test::indexed({2, 1, 6, 5}).abs() + 0.1;

/// This rank's rows of an image of 6; ranks beyond 6 are not used here.
Tensor rows_of_this_rank(const Tensor& image) {
  const std::int64_t rows = 6 / test::world()->size();
  return image.narrow(2, rows * test::world()->rank(), rows);
}

/// x <- (x + goal) / 2, on the part of the image that this rank has.
class Approach : public Solver {
 public:
  Approach(Tensor goal, const ImageSpace& space)
      : Solver({.max_iterations = 1000, .relative_change = 1e-3}),
        goal_(std::move(goal)),
        space_(&space) {}
  std::string name() const override { return "approach"; }

 private:
  void do_step(SolverState& state, StepTimes& /*times*/) const override {
    state.x = 0.5 * (state.x + goal_);
  }
  Communicator& do_communicator() const override { return space_->communicator(); }
  const ImageSpace& do_space() const override { return *space_; }

  Tensor goal_;
  const ImageSpace* space_;
};

/// A prior whose images are shared out.
class Elsewhere : public test::Shrink {
 public:
  Elsewhere() : Shrink(1.0), space_(test::world()) {}
  const ImageSpace& space() const override { return space_; }

 private:
  ImageSpace space_;
};

/// A diagonal operator on the part of the image that this rank has.
class Diagonal : public LinearOperator {
 public:
  Diagonal(Tensor diagonal, const ImageSpace& space)
      : diagonal_(std::move(diagonal)), space_(&space) {}
  std::string name() const override { return "diagonal"; }
  const ImageSpace& space() const override { return *space_; }
  Communicator& communicator() const override { return space_->communicator(); }

 private:
  Tensor do_apply(const Tensor& x) const override { return diagonal_ * x; }
  Tensor do_apply_adjoint(const Tensor& v) const override { return diagonal_ * v; }

  Tensor diagonal_;
  const ImageSpace* space_;
};

/// Ranks 0 and 1, 2 and 3, ...
CommunicatorPtr pair_of_this_rank(int shift = 0) {
  return test::world()->split((test::world()->rank() + shift) / 2, test::world()->rank());
}

}  // namespace

TEST_CASE("Inner products of images are per image, in float64, over all of their parts") {
  const ImageSpace shared(test::world());
  const Tensor other = whole.flip(3);
  const std::vector<double> products =
      shared.dot_each(rows_of_this_rank(whole), rows_of_this_rank(other));
  REQUIRE(products.size() == 2);
  for (std::int64_t i = 0; i < 2; ++i) {
    const double expected = (whole[i] * other[i]).sum().item<double>();
    CHECK(products[static_cast<std::size_t>(i)] == Approx(expected).epsilon(1e-14));
    CHECK(ImageSpace::whole().dot_each(whole, other)[static_cast<std::size_t>(i)] ==
          Approx(expected).epsilon(1e-14));
  }
  CHECK(ImageSpace::whole().communicator().size() == 1);
  // Squares that float32 can neither hold nor add up.
  const Tensor large = at::full({1, 1, 1000, 1000}, 3e19, at::kFloat);
  const double exact = 1e6 * std::pow(large.flatten()[0].item<double>(), 2);
  CHECK(ImageSpace::whole().dot_each(large, large).front() == Approx(exact).epsilon(1e-12));
}

TEST_CASE("A solver on parts of an image stops where one on the whole image does") {
  const ImageSpace shared(test::world());
  // The first row begins where it ends: a rank that has it alone would stop at once.
  Tensor start = at::zeros_like(whole);
  start.narrow(2, 0, 1).copy_(whole.narrow(2, 0, 1));
  const SolveResult expected = Approach(whole, ImageSpace::whole()).solve(start);
  const SolveResult result =
      Approach(rows_of_this_rank(whole), shared).solve(rows_of_this_rank(start));
  CHECK(expected.reason == StopReason::relative_change);
  CHECK(result.reason == StopReason::relative_change);
  CHECK(result.iterations == expected.iterations);
  CHECK(result.relative_change == Approx(expected.relative_change).epsilon(1e-12));
}

TEST_CASE("Conjugate gradients and norms on parts of an image are those of the whole image") {
  const ImageSpace shared(test::world());
  // A rank's rows alone have another norm, another residual and another end.
  const Tensor diagonal = test::indexed({1, 1, 6, 5}).abs() + 0.5;
  const Diagonal all(diagonal, ImageSpace::whole());
  const Diagonal part(rows_of_this_rank(diagonal), shared);
  const ConjugateGradientOptions loose{.tolerance = 1e-3, .max_iterations = 100};
  const ConjugateGradientResult expected = all.normal_solution(whole, 0.1, loose);
  const ConjugateGradientResult result = part.normal_solution(rows_of_this_rank(whole), 0.1, loose);
  REQUIRE(result.images.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(result.images[i].iterations == expected.images[i].iterations);
    CHECK(result.images[i].relative_residual ==
          Approx(expected.images[i].relative_residual).epsilon(1e-6));
  }
  CHECK((result.x - rows_of_this_rank(expected.x)).abs().max().item<double>() < 1e-10);
  CHECK(shared.largest_each(rows_of_this_rank(whole), 1).front() == whole.max().item<double>());
  CHECK(shared.numel(rows_of_this_rank(whole)) ==
        whole.numel() / 6 * (6 / test::world()->size()) * test::world()->size());
  const double norm = diagonal.square().max().item<double>();
  const double found = part.norm_squared(rows_of_this_rank(whole));
  CHECK(found > 0.99 * norm);
  CHECK(found < 1.021 * norm);
}

TEST_CASE("A fidelity and a prior that keep images in two spaces are refused") {
  const test::Halfway fidelity(whole);
  const Elsewhere prior;
  CHECK_THROWS_WITH(PnP(fidelity, prior).solve(whole), test::contains("images in two spaces"));
}

TEST_CASE("Of two groups the one that holds the other decides") {
  Communicator& world = *test::world();
  const CommunicatorPtr self = self_communicator();
  const CommunicatorPtr pair = pair_of_this_rank();
  CHECK(&larger_group(world, world, "test") == &world);
  CHECK(&larger_group(*self, *self, "test") == self.get());
  if (world.size() > 1) {
    CHECK(&larger_group(world, *self, "test") == &world);
    CHECK(&larger_group(*self, world, "test") == &world);
  }
  if (world.size() > 2) {
    CHECK(&larger_group(world, *pair, "test") == &world);
    CHECK(&larger_group(*pair, world, "test") == &world);
    const CommunicatorPtr shifted = pair_of_this_rank(1);  // 0, 1 and 2, ...: overlaps the pairs
    const auto both = [&] { larger_group(*pair, *shifted, "test"); };
    CHECK_THROWS_WITH(both(), test::contains("test: two groups of ranks work on one image"));
    CHECK_THROWS_AS(both(), error::InvalidArgument);
  }
  const CommunicatorPtr same = world.split(0, world.rank());
  CHECK(&larger_group(world, *same, "test") == &world);
  CHECK(&larger_group(*same, world, "test") == same.get());
  test::check_in_step();
}

TEST_CASE("Ranks whose operators are shared in groups stop together with those of the prior") {
  const auto physics = std::make_shared<DistributedPhysics>(
      2, [](std::int64_t i) { return std::make_unique<test::ShiftAndSample>(i); },
      pair_of_this_rank());
  const Tensor truth = test::sine_image(2, 20, 23);
  const L2 fidelity(physics, physics->forward(truth), truth);
  TilingOptions tiling;
  tiling.tiling = Tiling::fixed;
  tiling.patch = {7};
  tiling.overlap = 2;
  tiling.blend = 4;
  const auto prior =
      PlugAndPlay::fixed(std::make_shared<TiledDenoiser>(std::make_shared<test::LocalDenoiser>(),
                                                         test::world(), tiling),
                         0.1);
  struct StopOnLast : Observer {
    Verdict on_iteration(const Iteration& iteration) override {
      const bool is_last = test::world()->rank() == test::world()->size() - 1;
      return is_last && iteration.index == 2 ? Verdict::stop : Verdict::proceed;
    }
  } observer;
  const PnPOptions options{.step = 0.02, .stopping = {.max_iterations = 6}};
  const SolveResult result = PnP(fidelity, prior, options).solve(at::zeros_like(truth), observer);
  CHECK(result.iterations == 3);
  CHECK(result.reason == StopReason::observer);
}
