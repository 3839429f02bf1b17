// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include <csignal>
#include <filesystem>
#include <optional>

#include "catch.hpp"
#include "distributed_parts.hpp"
#include "failures.hpp"
#include "files.hpp"
#include "root_folder.hpp"
#include "stateful_solver.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/run/checkpoint.hpp"
#include "tessera/run/stop_on_signal.hpp"
#include "tessera/solver/pnp.hpp"
#include "toys.hpp"

using namespace tessera;

namespace {

const Tensor truth = test::sine_image(2, 20, 23);
const Tensor zero = at::zeros({1, 2, 20, 23}, at::kDouble);
constexpr std::int64_t total = 6;

/// A problem whose operators and tiles are shared among the ranks of `ranks`.
class Problem {
 public:
  explicit Problem(const CommunicatorPtr& ranks)
      : physics_(std::make_shared<DistributedPhysics>(
            5, [](std::int64_t i) { return std::make_unique<test::ShiftAndSample>(i); }, ranks)),
        fidelity_(physics_, physics_->forward(truth), truth),
        prior_(PlugAndPlay::fixed(std::make_shared<TiledDenoiser>(
                                      std::make_shared<test::LocalDenoiser>(), ranks, tiling()),
                                  0.1)),
        solver_(fidelity_, prior_, options()) {}

  const Solver& solver() const { return solver_; }

 private:
  static TilingOptions tiling() {
    TilingOptions options;
    options.tiling = Tiling::fixed;
    options.patch = {7};
    options.overlap = 2;
    options.blend = 4;
    return options;
  }
  static PnPOptions options() {
    PnPOptions options{.step = 0.02, .clamp_range = std::nullopt};
    options.stopping.max_iterations = total;
    return options;
  }

  std::shared_ptr<DistributedPhysics> physics_;
  L2 fidelity_;
  PlugAndPlay prior_;
  PnP<L2, PlugAndPlay> solver_;
};

/// Writes down which rank saw which iteration; stops, or raises a signal, after one of them.
class Diary : public Observer {
 public:
  Verdict on_iteration(const Iteration& iteration) override {
    text += std::to_string(test::world()->rank()) + ":" + std::to_string(iteration.index) + " ";
    if (iteration.index + 1 == raise_at) ::raise(SIGTERM);
    return iteration.index + 1 == stop_at ? Verdict::stop : Verdict::proceed;
  }
  std::string save() const override { return text; }
  void restore(std::string_view saved) override { text = saved; }
  std::string text;
  std::int64_t stop_at = -1;
  std::int64_t raise_at = -1;
};

std::string entry(int rank, std::int64_t index) {
  return std::to_string(rank) + ":" + std::to_string(index) + " ";
}

}  // namespace

TEST_CASE("A run on several ranks goes on from a checkpoint with the same bits") {
  const Problem problem(test::world());
  const SolveResult whole = problem.solver().solve(zero);
  REQUIRE(whole.iterations == total);
  const test::RootFolder folder;
  const std::string path = folder.file("run.checkpoint");

  Diary diary;
  diary.stop_at = test::world()->rank() == test::world()->size() - 1 ? 4 : -1;
  Checkpoint first(path, test::world(), {.every = 3, .observer = &diary});
  CHECK(problem.solver().solve(zero, first).iterations == 4);

  Diary continued;
  Checkpoint second(path, test::world(), {.every = 3, .observer = &continued});
  const SolverState start = second.resume(zero);
  CHECK(start.iterations == 4);
  CHECK(second.ranks_before() == test::world()->size());
  const SolveResult rest = problem.solver().solve(start, second);
  CHECK(rest.iterations == total);
  CHECK(at::equal(rest.x, whole.x));
  CHECK(rest.relative_change == whole.relative_change);
  std::string expected;
  for (std::int64_t i = 0; i < total; ++i) expected += entry(test::world()->rank(), i);
  CHECK(continued.text == expected);
}

TEST_CASE("A run goes on on another number of ranks, equal to rounding") {
  const Problem problem(test::world());
  const SolveResult whole = problem.solver().solve(zero);
  const test::RootFolder folder;
  const std::string path = folder.file("run.checkpoint");
  Diary diary;
  diary.stop_at = 3;
  Checkpoint first(path, test::world(), {.observer = &diary});
  problem.solver().solve(zero, first);

  if (test::world()->is_root()) {  // alone
    const Problem serial(self_communicator());
    Diary continued;
    Checkpoint second(path, self_communicator(), {.observer = &continued});
    const SolverState start = second.resume(zero);
    CHECK(second.ranks_before() == test::world()->size());
    const SolveResult rest = serial.solver().solve(start, second);
    CHECK(test::relative_error(rest.x, whole.x) < 1e-14);
    CHECK(continued.text ==
          entry(0, 0) + entry(0, 1) + entry(0, 2) + entry(0, 3) + entry(0, 4) + entry(0, 5));
  }
  // And back, on more ranks than wrote it.
  Diary late;
  Checkpoint third(path, test::world(), {.observer = &late});
  const SolverState end = third.resume(zero);
  CHECK(third.ranks_before() == 1);
  CHECK(end.iterations == total);
  problem.solver().solve(end, third);
  CHECK(late.text.empty() == !test::world()->is_root());
}

/// Five operators shared among the ranks of `ranks`, and a method with momentum, duals, a number.
class StatefulProblem {
 public:
  explicit StatefulProblem(const CommunicatorPtr& ranks)
      : physics_(std::make_shared<DistributedPhysics>(
            5, [](std::int64_t i) { return std::make_unique<test::ShiftAndSample>(i); }, ranks)) {}
  test::StatefulSolver solver(std::int64_t iterations) const {
    return {physics_, physics_->forward(truth), iterations};
  }
  CheckpointOptions options() const { return {.every = 3, .held = physics_->held()}; }

 private:
  std::shared_ptr<DistributedPhysics> physics_;
};

TEST_CASE("Momentum, duals and numbers on several ranks go on with the same bits") {
  const StatefulProblem problem(test::world());
  const SolveResult whole = problem.solver(total).solve(zero);
  const test::RootFolder folder;
  const std::string path = folder.file("run.checkpoint");
  Checkpoint first(path, test::world(), problem.options());
  problem.solver(4).solve(zero, first);

  Checkpoint second(path, test::world(), problem.options());
  const SolveResult rest = problem.solver(total).solve(second.resume(zero), second);
  CHECK(rest.iterations == total);
  CHECK(at::equal(rest.x, whole.x));
  CHECK(at::equal(rest.images.at("momentum"), whole.images.at("momentum")));
  CHECK(rest.numbers == whole.numbers);
  const TensorList& duals = whole.measured.at("dual");
  REQUIRE(rest.measured.at("dual").size() == duals.size());
  for (std::size_t i = 0; i < duals.size(); ++i) {
    CHECK(at::equal(rest.measured.at("dual")[i], duals[i]));
  }
}

TEST_CASE("Duals go to the ranks that hold their operators now") {
  const StatefulProblem problem(test::world());
  const SolveResult whole = problem.solver(total).solve(zero);
  const test::RootFolder folder;
  const std::string path = folder.file("run.checkpoint");
  Checkpoint first(path, test::world(), problem.options());
  problem.solver(2).solve(zero, first);
  if (test::world()->is_root()) {  // alone: holds all five
    const StatefulProblem serial(self_communicator());
    Checkpoint second(path, self_communicator(), serial.options());
    const SolverState start = second.resume(zero);
    CHECK(start.measured.at("dual").size() == 5);
    const SolveResult rest = serial.solver(4).solve(start, second);
    CHECK(rest.iterations == 4);
  }
  // And back, among all ranks.
  Checkpoint third(path, test::world(), problem.options());
  const SolverState start = third.resume(zero);
  CHECK(start.iterations == 4);
  const SolveResult rest = problem.solver(total).solve(start, third);
  CHECK(test::relative_error(rest.x, whole.x) < 1e-14);

  Checkpoint unsaid(path, test::world());
  CHECK_THROWS_WITH(unsaid.resume(zero), test::contains("CheckpointOptions::held"));
  test::check_in_step();
}

TEST_CASE("A step that ranks found together is kept with the run") {
  const auto physics = std::make_shared<DistributedPhysics>(
      5, [](std::int64_t i) { return std::make_unique<test::ShiftAndSample>(i); }, test::world());
  const L2 fidelity(physics, physics->forward(truth), truth);
  const test::Shrink prior(0.9);
  const auto solver = [&](std::int64_t iterations) {
    return PnP(fidelity, prior, PnPOptions{.stopping = {.max_iterations = iterations}});
  };
  const SolveResult whole = solver(total).solve(zero);
  CHECK(whole.numbers.at("step") == 1 / physics->norm_squared(truth));
  const test::RootFolder folder;
  const std::string path = folder.file("run.checkpoint");
  Checkpoint first(path, test::world());
  solver(3).solve(zero, first);
  Checkpoint second(path, test::world());
  const SolverState start = second.resume(zero);
  CHECK(start.numbers == whole.numbers);
  CHECK(at::equal(solver(total).solve(start, second).x, whole.x));
}

TEST_CASE("A signal that reaches one rank stops all, after one more write") {
  const Problem problem(test::world());
  const test::RootFolder folder;
  const std::string path = folder.file("run.checkpoint");
  const int culprit = test::world()->size() - 1;
  Diary diary;
  diary.raise_at = test::world()->rank() == culprit ? 2 : -1;
  Checkpoint checkpoint(path, test::world(), {.every = 100, .observer = &diary});
  StopOnSignal stop;
  ObserverList both({checkpoint, stop});
  const SolveResult result = problem.solver().solve(zero, both);
  CHECK(result.iterations == 2);
  CHECK(result.reason == StopReason::observer);
  CHECK((stop.signal() != 0) == (test::world()->rank() == culprit));
  if (folder.exists()) CHECK(std::filesystem::exists(path));
  Checkpoint next(path, test::world());
  CHECK(next.resume(zero).iterations == 2);
}

TEST_CASE("A checkpoint that the first rank cannot write or read is an error on all ranks") {
  const Problem problem(test::world());
  const test::RootFolder folder;
  const std::string path = folder.file("run.checkpoint");
  if (test::world()->size() == 1) return;

  SECTION("no such folder") {
    Checkpoint checkpoint("/no/such/folder/run", test::world());
    const auto failure = test::failure_of([&] { problem.solver().solve(zero, checkpoint); });
    CHECK_THAT(failure.what(), test::contains("cannot write /no/such/folder/run"));
    CHECK(failure.rank() == 0);
  }
  SECTION("the folder goes away during the run") {
    Checkpoint checkpoint(path, test::world(), {.every = 2});
    ObserverFunction vandal([&](const Iteration& iteration) {
      if (folder.exists() && iteration.index == 2) {
        std::filesystem::remove_all(std::filesystem::path(path).parent_path());
      }
    });
    ObserverList both({vandal, checkpoint});
    const auto failure = test::failure_of([&] { problem.solver().solve(zero, both); });
    CHECK_THAT(failure.what(), test::contains("cannot write"));
  }
  SECTION("an observer that fails on the last rank while the others write") {
    Diary diary;
    class Broken : public Diary {
      std::string save() const override { throw std::runtime_error("nothing to save"); }
    } broken;
    const bool breaks = test::world()->rank() == test::world()->size() - 1;
    Checkpoint checkpoint(path, test::world(), {.every = 2, .observer = breaks ? &broken : &diary});
    const auto failure = test::failure_of([&] { problem.solver().solve(zero, checkpoint); });
    CHECK_THAT(failure.what(), test::contains("nothing to save"));
    CHECK(failure.rank() == test::world()->size() - 1);
  }
  SECTION("another configuration") {
    Checkpoint checkpoint(path, test::world(), {.configuration = {{"step", "0.1"}}});
    problem.solver().solve(zero, checkpoint);
    Checkpoint other(path, test::world(), {.configuration = {{"step", "0.2"}}});
    const auto failure = test::failure_of([&] { other.resume(zero); });
    CHECK_THAT(failure.what(), test::contains("step was 0.1 and is 0.2"));
  }
  test::check_in_step();
}
