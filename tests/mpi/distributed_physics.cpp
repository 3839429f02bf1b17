// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/equal.h>

#include <tuple>

#include "catch.hpp"
#include "distributed_parts.hpp"
#include "failures.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/distributed_nonlinear_physics.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/check_adjoint.hpp"
#include "world.hpp"

using namespace tessera;
using test::relative_error;

// Run on 1 to 8 ranks: with one, three and seven operators, some ranks hold none.
namespace {

using Shape = std::vector<std::int64_t>;

template <typename Operator>
std::vector<LinearPhysicsPtr> operators(std::int64_t count) {
  std::vector<LinearPhysicsPtr> list;
  for (std::int64_t i = 0; i < count; ++i) list.push_back(std::make_shared<Operator>(i));
  return list;
}

std::vector<Shape> image_shapes() {
  return {{1, 3, 13, 9}, {2, 1, 6, 7, 9}};
}

double tolerance(at::ScalarType type) {
  return type == at::kDouble ? 1e-12 : 1e-6;
}

/// Local <u, v>, as a double.
double inner(const TensorList& u, const TensorList& v) {
  double sum = 0;
  for (std::size_t i = 0; i < u.size(); ++i)
    sum += (u[i].to(at::kDouble) * v[i].to(at::kDouble)).sum().item<double>();
  return sum;
}

}  // namespace

TEST_CASE("a distributed physics computes what the serial one does") {
  constexpr auto sum = OperatorReduction::sum;
  constexpr auto mean = OperatorReduction::mean;
  const Shape picture = {1, 3, 13, 9};
  const Shape volume = {2, 1, 6, 7, 9};
  // Every two of the four settings in every pair of their values: many ranks on few cores take long
  // for all combinations.
  const std::vector<std::tuple<std::int64_t, at::ScalarType, Shape, OperatorReduction>> cases = {
      {1, at::kDouble, picture, sum},  {1, at::kFloat, volume, mean},
      {3, at::kDouble, volume, mean},  {3, at::kFloat, picture, sum},
      {7, at::kDouble, picture, mean}, {7, at::kFloat, volume, sum}};
  for (const auto& [count, type, shape, reduction] : cases) {
    const DistributedPhysics serial(operators<test::ShiftAndSample>(count), self_communicator(),
                                    {.reduction = reduction});
    const DistributedPhysics physics(operators<test::ShiftAndSample>(count), test::world(),
                                     {.reduction = reduction});
    const Tensor x = test::indexed(shape, 0, type);
    const TensorList y = serial.forward(x);
    const TensorList mine = physics.forward(x);
    REQUIRE(mine.size() == physics.held().size());
    for (std::size_t i = 0; i < mine.size(); ++i) {
      CHECK(at::equal(mine[i], y[static_cast<std::size_t>(physics.held()[i])]));
    }
    INFO(count << " operators, images of " << shape.size() << " axes");
    CHECK(relative_error(physics.adjoint(mine), serial.adjoint(y)) < tolerance(type));
    CHECK(relative_error(physics.normal(x), serial.normal(x)) < tolerance(type));
    const L2 fidelity(std::make_shared<DistributedPhysics>(physics), mine, x);
    const L2 serial_fidelity(std::make_shared<DistributedPhysics>(serial), y, x);
    const Tensor other = test::indexed(shape, 2.0, type);
    CHECK(fidelity.value(other) == Approx(serial_fidelity.value(other)).epsilon(1e-6));
    CHECK(relative_error(fidelity.gradient(other), serial_fidelity.gradient(other)) <
          tolerance(type));
  }
}

TEST_CASE("the distributed adjoint is the adjoint") {
  for (const std::int64_t count : {1, 3, 7}) {
    for (const Shape& shape : image_shapes()) {
      const OperatorReduction reduction =
          (shape.size() == 4) == (count == 3) ? OperatorReduction::sum : OperatorReduction::mean;
      const DistributedPhysics physics(operators<test::ShiftAndSample>(count), test::world(),
                                       {.reduction = reduction});
      const Tensor x = test::indexed(shape);
      const TensorList y = physics.forward(x);
      TensorList v;
      for (std::size_t i = 0; i < y.size(); ++i) {
        v.push_back(test::indexed(y[i].sizes(), 1.0 + static_cast<double>(physics.held()[i])));
      }
      CHECK(physics.sum(inner(y, v)) ==
            Approx((x * physics.adjoint(v)).sum().item<double>()).epsilon(1e-12));
      CHECK(tessera::adjoint_error(physics, x) < 1e-13);
    }
  }
}

TEST_CASE("value and gradient of a distributed fidelity agree by finite differences",
          "[few_ranks]") {
  for (const OperatorReduction reduction : {OperatorReduction::sum, OperatorReduction::mean}) {
    const auto physics =
        std::make_shared<DistributedPhysics>(operators<test::ShiftAndSample>(3), test::world(),
                                             DistributedPhysicsOptions{.reduction = reduction});
    const Tensor x = test::indexed({1, 2, 5, 7});
    const Tensor direction = test::indexed({1, 2, 5, 7}, 1.0);
    const L2 fidelity(physics, physics->forward(0.9 * x + 0.1), x, {.sigma = 0.5});
    const double h = 1e-4;
    const double slope =
        (fidelity.value(x + h * direction) - fidelity.value(x - h * direction)) / (2 * h);
    CHECK((fidelity.gradient(x) * direction).sum().item<double>() == Approx(slope).epsilon(1e-7));
  }
}

TEST_CASE("circular operators share one spectrum") {
  for (const std::int64_t count : {1, 3, 7}) {
    for (const Shape& shape : image_shapes()) {
      const DistributedPhysics serial(operators<test::Circulant>(count), self_communicator());
      const DistributedPhysics physics(operators<test::Circulant>(count), test::world());
      const Tensor x = test::indexed(shape);
      REQUIRE(physics.has_normal_filter(x));
      CHECK(relative_error(physics.normal_filter(x).spectrum, serial.normal_filter(x).spectrum) <
            1e-14);
      const Tensor sharded = physics.adjoint(physics.forward(x));
      CHECK(relative_error(physics.normal(x), sharded) < 1e-12);
      const Tensor single = x.to(at::kFloat);
      CHECK(relative_error(physics.normal(single), sharded) < 1e-6);
      CHECK(physics.norm_squared(x) == Approx(serial.norm_squared(x)).epsilon(1e-12));
    }
  }
  const DistributedPhysics mean(operators<test::Circulant>(3), test::world(),
                                {.reduction = OperatorReduction::mean});
  const Tensor image = test::indexed({1, 2, 6, 9});
  CHECK(relative_error(mean.normal(image), mean.adjoint(mean.forward(image))) < 1e-12);
  // One operator without a spectrum on one rank: no rank has one.
  std::vector<LinearPhysicsPtr> mixed = operators<test::Circulant>(3);
  mixed.push_back(std::make_shared<test::ShiftAndSample>(0));
  CHECK_FALSE(
      DistributedPhysics(mixed, test::world()).has_normal_filter(test::indexed({1, 1, 8, 9})));
}

TEST_CASE("a factory is called on the owner alone") {
  std::vector<std::int64_t> made;
  const int ranks = test::world()->size();
  const DistributedPhysics physics(7,
                                   [&](std::int64_t index) {
                                     made.push_back(index);
                                     return std::make_unique<test::ShiftAndSample>(index);
                                   },
                                   test::world(), {.partition = Partition::round_robin(7, ranks)});
  CHECK(made == Partition::round_robin(7, ranks).of(test::world()->rank()));
  CHECK(made == physics.held());
  const DistributedPhysics serial(operators<test::ShiftAndSample>(7), self_communicator());
  const Tensor x = test::indexed({2, 1, 5, 9});
  CHECK(relative_error(physics.adjoint(physics.forward(x)), serial.adjoint(serial.forward(x))) <
        1e-13);
}

TEST_CASE("measurements are gathered and scattered whatever their shapes") {
  for (const std::int64_t count : {1, 3, 7}) {
    // Not contiguous: the order of ranks is not that of the operators.
    const DistributedPhysics physics(
        operators<test::ShiftAndSample>(count), test::world(),
        {.partition = Partition::round_robin(count, test::world()->size())});
    const Tensor x = test::indexed({2, 2, 5, 9});
    TensorList all;
    for (std::int64_t i = 0; i < count; ++i) {
      all.push_back(test::ShiftAndSample(i).apply(x).to(i % 3 == 2 ? at::kFloat : at::kDouble));
    }
    const TensorList mine = physics.select(all);
    const TensorList gathered = physics.gather(mine);
    REQUIRE(gathered.size() == all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      CHECK(gathered[i].scalar_type() == all[i].scalar_type());
      CHECK(at::equal(gathered[i], all[i]));
    }
    const int root = test::world()->size() - 1;
    const TensorList scattered =
        physics.scatter(test::world()->rank() == root ? all : TensorList(), root);
    REQUIRE(scattered.size() == mine.size());
    for (std::size_t i = 0; i < mine.size(); ++i) CHECK(at::equal(scattered[i], mine[i]));
  }
}

TEST_CASE("non-linear operators are shared out too") {
  for (const std::int64_t count : {1, 3, 7}) {
    const auto make = [](std::int64_t index) { return std::make_unique<test::Saturating>(index); };
    const DistributedNonlinearPhysics serial(count, make, self_communicator());
    const DistributedNonlinearPhysics physics(count, make, test::world());
    const Tensor x = test::indexed({2, 1, 4, 5});
    CHECK(relative_error(physics.vjp(x, physics.forward(x)), serial.vjp(x, serial.forward(x))) <
          1e-13);
    const TensorList gathered = physics.gather(physics.forward(x));
    for (std::size_t i = 0; i < gathered.size(); ++i)
      CHECK(at::equal(gathered[i], serial.forward(x)[i]));
  }
}

TEST_CASE("an operator has one index on all ranks, and is where it says") {
  const std::int64_t count = 2 * test::world()->size();
  const DistributedPhysics physics(operators<test::Circulant>(count), test::world());
  const int rank = test::world()->rank();
  for (std::int64_t index = 0; index < count; ++index) {
    const int owner = physics.partition().owner(index);
    if (owner == rank) {
      const std::int64_t first = physics.held().front();
      CHECK(&physics.at(index) ==
            physics.operators()[static_cast<std::size_t>(index - first)].get());
    } else {
      CHECK_THROWS_WITH(
          physics.at(index),
          test::contains("Shard.at: operator " + std::to_string(index) + " is on rank " +
                         std::to_string(owner) + ", not on this one"));
    }
  }
}

TEST_CASE("an operator that fails on one rank fails on all") {
  const int ranks = test::world()->size();
  if (ranks == 1) return;
  std::vector<int> owners = {0, ranks - 1};
  const Partition partition = Partition::explicit_owners(owners, ranks);
  const DistributedPhysics physics(
      {std::make_shared<test::ShiftAndSample>(0), std::make_shared<test::FailingOperator>()},
      test::world(), {.partition = partition});
  const Tensor x = test::indexed({1, 1, 4, 5});
  const TensorList v(physics.held().size(), x);
  const error::RankFailure failure = test::failure_of([&] { physics.adjoint(v); });
  CHECK(failure.rank() == ranks - 1);
  CHECK(std::string(failure.what()).find("the operator broke") != std::string::npos);

  const error::RankFailure made = test::failure_of([&] {
    DistributedPhysics(2,
                       [](std::int64_t index) -> std::unique_ptr<LinearPhysics> {
                         if (index == 1) throw std::runtime_error("no such file");
                         return std::make_unique<test::ShiftAndSample>(index);
                       },
                       test::world(), {.partition = partition});
  });
  CHECK(made.rank() == ranks - 1);
  CHECK(std::string(made.what()).find("no such file") != std::string::npos);
}

TEST_CASE("what differs between ranks is noticed on all") {
  const int ranks = test::world()->size();
  const int rank = test::world()->rank();
  if (ranks == 1) return;
  // As many images as ranks, of which one is larger.
  std::vector<LinearPhysicsPtr> list;
  for (int i = 0; i < ranks; ++i) list.push_back(std::make_shared<test::Circulant>(0));
  const DistributedPhysics physics(list, test::world());
  const Tensor v = test::indexed({1, 1, 4, rank == ranks - 1 ? 7 : 5});
  CHECK_THROWS_AS(physics.adjoint({v}), error::ShapeMismatch);
  CHECK_THROWS_AS(physics.has_normal_filter(v), error::ShapeMismatch);
  const Tensor w = test::indexed({1, 1, 4, 5}, 0, rank == 0 ? at::kFloat : at::kDouble);
  CHECK_THROWS_AS(physics.adjoint({w}), error::ShapeMismatch);
  // A call that is wrong on one rank alone.
  const TensorList wrong(rank == 0 ? 2 : 1, test::indexed({1, 1, 4, 5}));
  CHECK(test::failure_of([&] { physics.adjoint(wrong); }).rank() == 0);
  CHECK(test::failure_of([&] { physics.gather(wrong); }).rank() == 0);

  const Partition mine = Partition::explicit_owners(std::vector<int>(3, rank), ranks);
  const auto complaint = [](const auto& action) {
    return std::string(test::failure_of(action).what());
  };
  CHECK_THAT(complaint([&] {
               DistributedPhysics(operators<test::Circulant>(3), test::world(),
                                  {.partition = mine});
             }),
             test::contains("DistributedPhysics: the list of owners is [0, 0, 0] on rank 0 and "
                            "[1, 1, 1] on rank 1, expected the same on all ranks"));
  CHECK_THAT(complaint([&] {
               DistributedPhysics(operators<test::Circulant>(rank == 0 ? 3 : 4), test::world());
             }),
             test::contains("the number of operators is 3 on rank 0 and 4 on rank 1"));
  CHECK_THAT(complaint([&] {
               DistributedPhysics(
                   operators<test::Circulant>(3), test::world(),
                   {.reduction = rank == 0 ? OperatorReduction::mean : OperatorReduction::sum});
             }),
             test::contains("the reduction is mean on rank 0 and sum on rank 1"));
  CHECK_THAT(
      complaint([&] { physics.scatter(TensorList(static_cast<std::size_t>(ranks), w), rank); }),
      test::contains("distributed_physics.scatter: root is 0 on rank 0 and 1 on rank 1"));
}
