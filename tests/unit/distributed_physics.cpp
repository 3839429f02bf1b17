// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros_like.h>

#include "catch.hpp"
#include "distributed_parts.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/distributed_nonlinear_physics.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/distributed/shard.hpp"

using namespace tessera;
using test::relative_error;

namespace {

std::vector<LinearPhysicsPtr> operators(std::int64_t count) {
  std::vector<LinearPhysicsPtr> list;
  for (std::int64_t i = 0; i < count; ++i)
    list.push_back(std::make_shared<test::ShiftAndSample>(i));
  return list;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const error::Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("alone, a distributed physics is the stack of its operators") {
  const Tensor x = test::indexed({2, 3, 8, 9});
  const DistributedPhysics physics(operators(5), self_communicator());
  CHECK(physics.operator_count() == 5);
  CHECK(physics.held() == std::vector<std::int64_t>{0, 1, 2, 3, 4});
  const TensorList y = physics.forward(x);
  REQUIRE(y.size() == 5);
  Tensor expected = at::zeros_like(x);
  for (std::int64_t i = 0; i < 5; ++i) {
    const test::ShiftAndSample one(i);
    CHECK(at::equal(y[static_cast<std::size_t>(i)], one.apply(x)));
    expected += one.apply_adjoint(one.apply(x));
  }
  CHECK(relative_error(physics.adjoint(y), expected) < 1e-14);
  CHECK(relative_error(physics.normal(x), expected) < 1e-14);
}

TEST_CASE("a subset has the operators of its indices, and its own mean") {
  const Tensor x = test::indexed({1, 2, 8, 9});
  const auto all = operators(5);
  const DistributedPhysics physics(all, self_communicator(),
                                   {.reduction = OperatorReduction::mean});
  const DistributedPhysics some = physics.subset({3, 0, 4});
  const TensorList y = some.forward(x);
  REQUIRE(y.size() == 3);
  CHECK(at::equal(y[0], all[3]->forward(x).front()));
  CHECK(at::equal(y[2], all[4]->forward(x).front()));
  CHECK(some.measurement_weight() == Approx(1.0 / 3));
  CHECK(message_of([&] { physics.subset({}); }).find("there are 0 operators") != std::string::npos);
  CHECK(message_of([&] { physics.subset({0, 5}); }).find("item is 5") != std::string::npos);
}

TEST_CASE("an adjoint does not write into what an operator returned") {
  class Identity : public LinearOperator {
   public:
    std::string name() const override { return "identity"; }

   private:
    Tensor do_apply(const Tensor& x) const override { return x; }
    Tensor do_apply_adjoint(const Tensor& v) const override { return v; }
  };
  const DistributedPhysics physics({std::make_shared<Identity>(), std::make_shared<Identity>()},
                                   self_communicator(), {.reduction = OperatorReduction::mean});
  const Tensor x = test::indexed({1, 1, 4, 5});
  const Tensor copy = x.clone();
  CHECK(relative_error(physics.adjoint(physics.forward(x)), copy) < 1e-15);
  CHECK(at::equal(x, copy));
}

TEST_CASE("sum and mean are adjoint to their inner product of measurements") {
  const Tensor x = test::indexed({2, 2, 7, 9});
  for (const OperatorReduction reduction : {OperatorReduction::sum, OperatorReduction::mean}) {
    const DistributedPhysics physics(operators(3), self_communicator(), {.reduction = reduction});
    const TensorList y = physics.forward(x);
    TensorList v;
    double inner = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      v.push_back(test::indexed(y[i].sizes(), 1.0 + static_cast<double>(i)));
      inner += (y[i] * v[i]).sum().item<double>();
    }
    const double other = (x * physics.adjoint(v)).sum().item<double>();
    CHECK(physics.sum(inner) == Approx(other).epsilon(1e-13));
    CHECK(at::equal(y[1], test::ShiftAndSample(1).apply(x)));  // measurements stay what they are
  }
}

TEST_CASE("select, gather and scatter, alone") {
  const DistributedPhysics physics(operators(3), self_communicator());
  const Tensor x = test::indexed({1, 1, 4, 5});
  const TensorList y = physics.forward(x);
  for (const TensorList& other : {physics.select(y), physics.gather(y), physics.scatter(y)}) {
    REQUIRE(other.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) CHECK(at::equal(other[i], y[i]));
  }
  CHECK(message_of([&] { physics.gather({y[0]}); }).find("got 1 measurements, expected 3") !=
        std::string::npos);
  CHECK(message_of([&] { physics.scatter(y, 1); }).find("root is 1") != std::string::npos);
}

TEST_CASE("a shard has its operators by their place and by their index, and adds them up") {
  const Shard<LinearPhysics> shard("shard", operators(3), self_communicator(),
                                   {.reduction = OperatorReduction::mean});
  CHECK(shard.count() == 3);
  CHECK(shard.held() == std::vector<std::int64_t>{0, 1, 2});
  CHECK(shard.weight() == 1.0 / 3);
  CHECK(&shard.at(1) == shard.operators()[1].get());
  CHECK(message_of([&] { shard.at(3); }) == "Shard.at: operator is 3, expected one in [0, 3)");
  const Tensor x = test::indexed({1, 1, 4, 5});
  const TensorList y = shard.each([&](const LinearPhysics& one) { return one.forward(x).front(); });
  REQUIRE(y.size() == 3);
  CHECK(at::equal(y[2], operators(3)[2]->forward(x).front()));
  const Tensor sum = shard.sum_each(
      "sum", 0.5, [&](const LinearPhysics& one, std::size_t i) { return one.adjoint({y[i]}); });
  Tensor expected = at::zeros_like(x);
  for (std::size_t i = 0; i < 3; ++i)
    expected += 0.5 * shard.at(static_cast<std::int64_t>(i)).adjoint({y[i]});
  CHECK(relative_error(sum, expected) < 1e-15);
  CHECK(message_of([&] { shard.sum("sum", 1.0, [](Tensor&) {}); }) == "sum: no rank has an image");
}

TEST_CASE("what a distributed physics is not made of") {
  const CommunicatorPtr self = self_communicator();
  const auto shared = std::make_shared<DistributedPhysics>(operators(2), self);
  CHECK(message_of([&] { DistributedPhysics({nullptr}, self); }) ==
        "DistributedPhysics: operator 0 is null");
  CHECK(message_of([&] { DistributedPhysics({shared}, self); }).find("is a stack of 2 operators") !=
        std::string::npos);
  CHECK(message_of([&] {
          DistributedPhysics(std::vector<LinearPhysicsPtr>{}, self);
        }).find("0 operators") != std::string::npos);
  CHECK(message_of([&] {
          DistributedPhysics(operators(2), nullptr);
        }).find("communicator is null") != std::string::npos);
  CHECK(message_of([&] {
          DistributedPhysics(operators(2), self, {.partition = Partition::block(3, 1)});
        }).find("shares 3 operators over 1 ranks, expected 2 operators over 1 ranks") !=
        std::string::npos);
  const DistributedPhysics physics(operators(2), self);
  CHECK_THROWS_AS(physics.adjoint({test::indexed({1, 1, 4, 5})}), error::ShapeMismatch);
  // Operators that disagree about the image.
  const Tensor v = test::indexed({1, 1, 4, 5});
  CHECK_THROWS_AS(physics.adjoint({v, v}), error::ShapeMismatch);
}

TEST_CASE("non-linear operators: value and gradient agree") {
  const DistributedNonlinearPhysics physics(
      3, [](std::int64_t index) { return std::make_unique<test::Saturating>(index); },
      self_communicator());
  const Tensor x = test::indexed({2, 1, 4, 5});
  const Tensor direction = test::indexed({2, 1, 4, 5}, 1.0);
  const auto value = [&](const Tensor& at) {
    double sum = 0;
    for (const Tensor& y : physics.forward(at)) sum += 0.5 * (y * y).sum().item<double>();
    return physics.sum(sum);
  };
  const Tensor gradient = physics.vjp(x, physics.forward(x));
  const double h = 1e-5;
  const double slope = (value(x + h * direction) - value(x - h * direction)) / (2 * h);
  CHECK((gradient * direction).sum().item<double>() == Approx(slope).epsilon(1e-7));
}
