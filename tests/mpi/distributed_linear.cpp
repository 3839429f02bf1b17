// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/equal.h>

#include <chrono>
#include <thread>

#include "catch.hpp"
#include "distributed_parts.hpp"
#include "failures.hpp"
#include "full_convolution.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/distributed/distributed_nonlinear_physics.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/distributed/operator_costs.hpp"
#include "tessera/fidelity/clipped_l2.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/algebra.hpp"
#include "tessera/physics/check_adjoint.hpp"
#include "tessera/physics/masking.hpp"
#include "tessera/physics/stacked.hpp"
#include "world.hpp"

using namespace tessera;
using test::relative_error;

// What is computed from the operators, on any number of ranks as by the stack on one.
namespace {

template <typename Operator>
StackedPhysics stack_of(std::int64_t count) {
  return {count, [](std::int64_t i) { return std::make_shared<Operator>(i); }};
}

/// Whether this number of operators is tested with what takes many collectives, which are slow for
/// many ranks on few cores, and show nothing else there.
bool is_tested_at_length(std::int64_t count) {
  return count == 3 && test::world()->size() <= 3;
}

/// The same number, to the bit, on every rank.
void check_same_on_all_ranks(double number) {
  std::vector<double> all(static_cast<std::size_t>(test::world()->size()));
  const std::vector<std::int64_t> counts(all.size(), 1);
  test::world()->all_gather(&number, all.data(), counts, DataType::f64);
  for (const double other : all) CHECK(other == number);
}

}  // namespace

TEST_CASE("the norm without a spectrum: an upper bound, the same on every number of ranks") {
  const Tensor x = test::indexed({1, 2, 6, 9});
  for (const std::int64_t count : {1, 3, 7}) {
    const DistributedPhysics physics(stack_of<test::ShiftAndSample>(count), test::world());
    CHECK_FALSE(physics.has_normal_filter(x));
    const double norm = physics.norm_squared(x);
    check_same_on_all_ranks(norm);
    const double serial = stack_of<test::ShiftAndSample>(count).norm_squared(x);
    CHECK(norm == Approx(serial).epsilon(1e-12));
    // ||A^T A x|| <= ||A||^2 ||x|| for every x.
    const Tensor image = physics.normal(x);
    CHECK(image.norm().item<double>() <= norm * x.norm().item<double>());
  }
}

TEST_CASE("Toeplitz normal operators add up over ranks, and only among themselves") {
  const Tensor x = test::indexed({2, 3, 5, 9});
  for (const std::int64_t count : {1, 3, 7}) {
    const StackedPhysics stack = stack_of<test::FullConvolution>(count);
    const DistributedPhysics physics(stack, test::world());
    REQUIRE(physics.has_normal_filter(x));
    CHECK_FALSE(physics.has_exact_inverse(x));
    const NormalFilter filter = physics.normal_filter(x);
    const NormalFilter serial = stack.normal_filter(x);
    CHECK(filter.transform == Extents{10, 18});
    CHECK(relative_error(filter.spectrum, serial.spectrum) < 1e-14);
    const Tensor sharded = physics.adjoint(physics.forward(x));
    CHECK(relative_error(physics.normal(x), sharded) < 1e-12);
    if (is_tested_at_length(count)) {
      CHECK(physics.norm_squared(x) == Approx(stack.norm_squared(x)).epsilon(1e-12));
      const ConjugateGradientOptions tight{1e-13, 500};
      CHECK(relative_error(physics.solve_normal(x, 0.3, tight), stack.solve_normal(x, 0.3, tight)) <
            1e-11);
    }
    const DistributedPhysics mean(stack, test::world(), {.reduction = OperatorReduction::mean});
    CHECK(relative_error(mean.normal(x), sharded / static_cast<double>(count)) < 1e-12);
  }
  // Filters of several kinds: on one rank, or on different ones; the ranks agree that none is left.
  for (const std::int64_t count : {2, 5}) {
    std::vector<LinearPhysicsPtr> mixed;
    for (std::int64_t i = 0; i < count; ++i) mixed.push_back(std::make_shared<test::Circulant>(i));
    mixed.push_back(std::make_shared<test::FullConvolution>(0));
    const DistributedPhysics physics(mixed, test::world());
    CHECK_FALSE(physics.has_normal_filter(x));
    const StackedPhysics stack(mixed);
    CHECK(relative_error(physics.normal(x), stack.normal(x)) < 1e-12);
  }
}

TEST_CASE("L2 of Toeplitz normal operators sends nothing once it is set up") {
  const Tensor x = test::indexed({2, 1, 5, 9});
  const StackedPhysics stack = stack_of<test::FullConvolution>(7);
  const auto physics = std::make_shared<DistributedPhysics>(stack, test::world());
  const TensorList all = stack.forward(0.7 * x);
  const L2 fidelity(physics, physics->select(all), x, {.drop_measurements = true});
  const L2 serial(std::make_shared<StackedPhysics>(stack), all, x, {.fused = false});
  CHECK(fidelity.is_fused());
  CHECK(relative_error(fidelity.gradient(x), serial.gradient(x)) < 1e-12);
  CHECK(fidelity.value(x) == Approx(serial.value(x)).epsilon(1e-10));
  CHECK(fidelity.curvature() == 1.0);
}

TEST_CASE("what was made of distributed operators is distributed") {
  const Tensor x = test::indexed({2, 2, 5, 9});
  for (const std::int64_t count : {1, 3, 7}) {
    const auto stack = std::make_shared<StackedPhysics>(stack_of<test::Circulant>(count));
    const auto physics = std::make_shared<DistributedPhysics>(*stack, test::world());
    const auto mask = std::make_shared<Masking>(test::indexed({1, 1, 5, 9}, 0.4));
    TensorList weights;
    for (std::int64_t i = 0; i < count; ++i)
      weights.push_back(test::indexed({5, 9}, static_cast<double>(i)));
    const auto check = [&](const LinearPhysicsPtr& made, const LinearPhysicsPtr& serial) {
      CHECK(made->held() == physics->held());
      CHECK_NOTHROW(check_adjoint(*made, x, 1e-12));
      const TensorList y = made->forward(x);
      const TensorList mine = physics->select(serial->forward(x));
      for (std::size_t i = 0; i < y.size(); ++i) CHECK(relative_error(y[i], mine[i]) < 1e-13);
      CHECK(relative_error(made->normal(x), serial->normal(x)) < 1e-12);
      if (is_tested_at_length(count)) {
        CHECK(made->norm_squared(x) == Approx(serial->norm_squared(x)).epsilon(1e-12));
      }
      CHECK(made->has_exact_inverse(x) == serial->has_exact_inverse(x));
    };
    check(compose(physics, mask), compose(stack, mask));
    check(weighted(physics, 0.3), weighted(stack, 0.3));
    check(weighted(physics, physics->select(weights)), weighted(stack, weights));
  }
  // Weights that do not fit on one rank alone.
  const int ranks = test::world()->size();
  const DistributedPhysics physics(stack_of<test::Circulant>(ranks), test::world());
  const bool is_last = test::world()->rank() == ranks - 1;
  const auto wrong =
      weighted(std::make_shared<DistributedPhysics>(physics), test::indexed({is_last ? 4 : 5, 9}));
  if (ranks > 1) CHECK(test::failure_of([&] { wrong->adjoint({x}); }).rank() == ranks - 1);
}

TEST_CASE("the pseudo-inverse is the least-squares solution, the mean has its own name",
          "[few_ranks]") {
  const ConjugateGradientOptions tight{1e-13, 500};
  const Tensor x = test::indexed({2, 1, 5, 9});
  for (const std::int64_t count : {3, 7}) {
    const StackedPhysics stack = stack_of<test::ShiftAndSample>(count);
    const DistributedPhysics physics(stack, test::world());
    TensorList all = stack.forward(x);
    for (std::size_t i = 0; i < all.size(); ++i)  // data that no image explains
      all[i] = all[i] + 0.1 * test::indexed(all[i].sizes(), static_cast<double>(i));
    const TensorList mine = physics.select(all);
    const Tensor solution = physics.pseudo_inverse(mine, tight);
    CHECK(relative_error(solution, stack.pseudo_inverse(all, tight)) < 1e-10);
    const Tensor back = physics.adjoint(mine);
    CHECK((physics.normal(solution) - back).norm().item<double>() <
          1e-10 * back.norm().item<double>());
    const Tensor mean = physics.mean_of_pseudo_inverses(mine, tight);
    CHECK(relative_error(mean, stack.mean_of_pseudo_inverses(all, tight)) < 1e-12);
    CHECK(relative_error(mean, solution) > 1e-3);
  }
}

TEST_CASE("proximal operators of L2, by conjugate gradients and in Fourier space", "[few_ranks]") {
  const Tensor x = test::indexed({2, 2, 5, 9});
  const auto check = [&](const auto& stack) {
    const auto physics = std::make_shared<DistributedPhysics>(stack, test::world());
    const TensorList all = stack.forward(0.7 * x);
    const L2Options options{.sigma = 0.5, .conjugate_gradient = {1e-13, 500}};
    const L2 fidelity(physics, physics->select(all), x, options);
    const L2 serial(std::make_shared<StackedPhysics>(stack), all, x, options);
    CHECK(relative_error(fidelity.prox(x, 0.3), serial.prox(x, 0.3)) < 1e-11);
    // Freed measurements change nothing where the gradient is fused.
    L2Options frugal = options;
    frugal.drop_measurements = true;
    const L2 freed(physics, physics->select(all), x, frugal);
    CHECK(relative_error(freed.gradient(x), serial.gradient(x)) < 1e-12);
    CHECK(freed.value(x) == Approx(serial.value(x)).epsilon(1e-10));
  };
  check(stack_of<test::ShiftAndSample>(3));
  check(stack_of<test::Circulant>(7));
}

TEST_CASE("the fidelity of clipped measurements is the same on every number of ranks",
          "[few_ranks]") {
  const Tensor x = test::indexed({2, 2, 5, 9});
  const auto check = [&](const auto& stack) {
    const auto physics = std::make_shared<DistributedPhysics>(stack, test::world());
    TensorList all = stack.forward(1.5 * x);
    for (Tensor& y : all) y = y.clamp(0, 1);
    const ClippedL2Options options{.sigma = 0.5, .conjugate_gradient = {1e-13, 500}};
    const ClippedL2 fidelity(physics, physics->select(all), options);
    const ClippedL2 serial(std::make_shared<StackedPhysics>(stack), all, options);
    CHECK(fidelity.value(x) == Approx(serial.value(x)).epsilon(1e-12));
    CHECK(relative_error(fidelity.gradient(x), serial.gradient(x)) < 1e-12);
    CHECK(relative_error(fidelity.prox(x, 0.3), serial.prox(x, 0.3)) < 1e-11);
  };
  check(stack_of<test::ShiftAndSample>(3));
  check(stack_of<test::Circulant>(7));
}

namespace {

/// Diagonal, and as ranks would have it whose processors round differently, only much worse: one
/// eigenvalue on the first rank, as many as there are pixels on the others.
class Disagreeing : public LinearPhysics {
 public:
  std::string name() const override { return "disagreeing"; }
  Communicator& communicator() const override { return *test::world(); }
  mutable std::int64_t applied = 0;

 private:
  TensorList do_forward(const Tensor& x) const override { return {x}; }
  Tensor do_adjoint(const TensorList& v) const override {
    ++applied;
    agree(*test::world(), "disagreeing.adjoint", nullptr);
    return communicator().is_root() ? v[0] : v[0] * (2 + test::indexed(v[0].sizes()));
  }
};

}  // namespace

TEST_CASE("iterations whose scalars differ from rank to rank end on all ranks together",
          "[few_ranks]") {
  const Tensor x = test::indexed({1, 1, 4, 5});
  const Disagreeing physics;
  const auto check = [&](const auto& call) {
    physics.applied = 0;
    call();
    CHECK(physics.applied > 0);
    check_same_on_all_ranks(static_cast<double>(physics.applied));
  };
  const ConjugateGradientOptions options{1e-6, 40, Unconverged::accept};
  check([&] { physics.solve_normal(x, 0.1, options); });
  check([&] { physics.pseudo_inverse({x}, options); });
  check([&] { physics.norm_squared(x); });
}

TEST_CASE("the distributed vector-Jacobian product is the derivative's adjoint", "[few_ranks]") {
  for (const std::int64_t count : {1, 3, 7}) {
    for (const OperatorReduction reduction : {OperatorReduction::sum, OperatorReduction::mean}) {
      const DistributedNonlinearPhysics physics(
          count, [](std::int64_t index) { return std::make_unique<test::Saturating>(index); },
          test::world(), {.reduction = reduction});
      for (const auto& shape :
           std::vector<std::vector<std::int64_t>>{{2, 3, 5, 7}, {1, 1, 3, 4, 5}}) {
        const Tensor x = test::indexed(shape);
        const Tensor direction = test::indexed(shape, 1.0);
        const double h = 1e-5;
        const TensorList ahead = physics.forward(x + h * direction);
        const TensorList behind = physics.forward(x - h * direction);
        TensorList v;
        double along = 0;
        for (std::size_t i = 0; i < ahead.size(); ++i) {
          v.push_back(test::indexed(shape, 2.0 + static_cast<double>(physics.held()[i])));
          along += ((ahead[i] - behind[i]) / (2 * h) * v[i]).sum().template item<double>();
        }
        CHECK((physics.vjp(x, v) * direction).sum().item<double>() ==
              Approx(physics.sum(along)).epsilon(1e-7));
      }
    }
  }
}

TEST_CASE("operators are shared out by their measured costs") {
  /// Slow if its index is 2.
  class Sleeper : public LinearOperator {
   public:
    explicit Sleeper(std::int64_t index) : index_(index) {}
    std::string name() const override { return "sleeper"; }

   private:
    Tensor do_apply(const Tensor& x) const override {
      std::this_thread::sleep_for(std::chrono::milliseconds(index_ == 2 ? 400 : 1));
      return x;
    }
    Tensor do_apply_adjoint(const Tensor& v) const override { return v; }
    std::int64_t index_;
  };
  std::vector<std::int64_t> made;
  const auto make = [&](std::int64_t index) {
    made.push_back(index);
    return std::make_unique<Sleeper>(index);
  };
  const Tensor x = test::indexed({1, 1, 4, 5});
  const int ranks = test::world()->size();
  const std::vector<double> costs = measured_costs(4, make, x, *test::world());
  CHECK(made == Partition::round_robin(4, ranks).of(test::world()->rank()));
  REQUIRE(costs.size() == 4);
  for (const double cost : costs) check_same_on_all_ranks(cost);
  CHECK(costs[2] >= 0.4);
  CHECK(costs[2] > costs[0] + costs[1] + costs[3]);
  const Partition partition = Partition::by_cost(costs, ranks);
  if (ranks > 1) CHECK(partition.of(partition.owner(2)).size() == 1);
  const DistributedPhysics physics(4, make, test::world(), {.partition = partition});
  CHECK(relative_error(physics.adjoint(physics.forward(x)), 4 * x) < 1e-14);
  if (ranks > 1) {
    CHECK(test::failure_of([&] {
            measured_costs(4, make, test::world()->is_root() ? Tensor() : x, *test::world());
          }).rank() == 0);
    CHECK_THAT(
        test::failure_of([&] {
          measured_costs(3 + test::world()->rank(), make, x, *test::world());
        }).what(),
        test::contains("measured_costs: the number of operators is 3 on rank 0 and 4 on rank 1"));
  }
}
