// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/complex.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <sys/resource.h>

#include <bit>
#include <csignal>
#include <filesystem>
#include <limits>

#include "catch.hpp"
#include "checkpoint_file.hpp"
#include "files.hpp"
#include "stateful_solver.hpp"
#include "tensors.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/atomic_file.hpp"
#include "tessera/io/safetensors.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/run/checkpoint.hpp"
#include "tessera/solver/pnp.hpp"
#include "toys.hpp"

using namespace tessera;
using test::contains;

namespace {

const Tensor target = test::indexed({1, 2, 3, 4}).abs() * 0.8 + 0.1;
const Tensor zero = at::zeros({1, 2, 3, 4}, at::kDouble);
const test::Halfway fidelity(target);
const test::Shrink prior(0.9);

PnPOptions pnp_options(std::int64_t iterations) {
  PnPOptions options{.step = 0.3, .relaxation = 0.7};
  options.stopping.max_iterations = iterations;
  return options;
}

/// Counts the iterations it has seen, over all runs.
class Counter : public Observer {
 public:
  Verdict on_iteration(const Iteration& iteration) override {
    ++count;
    return iteration.index + 1 == stop_at ? Verdict::stop : Verdict::proceed;
  }
  std::string save() const override { return std::to_string(count); }
  void restore(std::string_view saved) override { count = std::stoll(std::string(saved)); }
  std::int64_t count = 0;
  std::int64_t stop_at = -1;
};

/// Runs the first five of seven iterations; the checkpoint is written after the fourth and the
/// fifth.
void interrupted_run(const std::string& path, CheckpointOptions options = {.every = 4}) {
  Counter counter;
  counter.stop_at = 5;
  options.observer = &counter;
  Checkpoint checkpoint(path, self_communicator(), options);
  PnP(fidelity, prior, pnp_options(7)).solve(checkpoint.resume(zero), checkpoint);
}

/// Every byte that a program writes to files is refused beyond the first `bytes` of each file.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, SIG_DFL);
  }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("A run goes on from a checkpoint with the bits of a run of one piece",
          "[io][checkpoint]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("run.checkpoint");
  const PnP solver(fidelity, prior, pnp_options(7));
  const SolveResult whole = solver.solve(zero);
  interrupted_run(path);
  CHECK(folder.entry_count() == 1);

  Counter counter;
  Checkpoint checkpoint(path, self_communicator(), {.every = 4, .observer = &counter});
  CHECK(checkpoint.ranks_before() == 0);
  const SolverState start = checkpoint.resume(zero);
  CHECK(start.iterations == 5);
  CHECK(start.elapsed_s > 0);
  CHECK(start.relative_change > 0);
  CHECK(checkpoint.ranks_before() == 1);
  const SolveResult rest = solver.solve(start, checkpoint);
  CHECK(rest.iterations == 7);
  CHECK(rest.elapsed_s > start.elapsed_s);
  CHECK(at::equal(rest.x, whole.x));
  CHECK(counter.count == 7);

  // The last state is kept too: nothing is left to do.
  Counter late;
  Checkpoint again(path, self_communicator(), {.observer = &late});
  const SolveResult nothing = solver.solve(again.resume(zero), again);
  CHECK(nothing.iterations == 7);
  CHECK(at::equal(nothing.x, whole.x));
  CHECK(late.count == 7);
}

TEST_CASE("A checkpoint keeps a method's images, duals and numbers", "[io][checkpoint]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("run.checkpoint");
  const auto physics = std::make_shared<StackedPhysics>(std::vector<LinearPhysicsPtr>{
      std::make_shared<test::Identity>(), std::make_shared<test::Identity>()});
  const auto solver = [&](std::int64_t iterations) {
    return test::StatefulSolver(physics, {target, 2 * target}, iterations);
  };
  const CheckpointOptions options{.held = physics->held()};
  const SolveResult whole = solver(7).solve(zero);

  Checkpoint first(path, self_communicator(), options);
  const SolveResult part = solver(4).solve(zero, first);
  std::map<std::string, std::string> metadata;
  const StateDict tensors = read_safetensors(path, &metadata);
  CHECK(metadata.at("format") == "tessera checkpoint 2");
  CHECK(std::stod(metadata.at("number.step")) == part.numbers.at("step"));
  CHECK(at::equal(tensors.at("image.momentum"), part.images.at("momentum")));
  CHECK(at::equal(tensors.at("measured.dual.0"), part.measured.at("dual").at(0)));
  CHECK(at::equal(tensors.at("measured.dual.1"), part.measured.at("dual").at(1)));

  Checkpoint second(path, self_communicator(), options);
  const SolverState start = second.resume(zero);
  CHECK(start.numbers == part.numbers);
  const SolveResult rest = solver(7).solve(start, second);
  CHECK(rest.iterations == 7);
  CHECK(at::equal(rest.x, whole.x));
  CHECK(at::equal(rest.measured.at("dual").at(1), whole.measured.at("dual").at(1)));

  // Whose duals they are must be said.
  CHECK_THROWS_WITH(Checkpoint(path, self_communicator()).resume(zero),
                    contains("'dual' of operators [0, 1], and the ranks hold []") &&
                        contains("CheckpointOptions::held"));
  Checkpoint unsaid(folder.file("unsaid"), self_communicator());
  CHECK_THROWS_WITH(solver(7).solve(zero, unsaid),
                    contains("'dual' of the solver has 2 tensors, expected 0"));
}

TEST_CASE("The file of a checkpoint gives back every bit of a state", "[io][checkpoint]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("run.checkpoint");
  using Limits = std::numeric_limits<double>;
  tessera::detail::CheckpointFile file;
  file.state = {.x = zero,
                .images = {{"w.1", target}, {"", zero.to(at::kFloat)}},
                .numbers = {{"third", 1.0 / 3},
                            {"zero", -0.0},
                            {"tiny", -Limits::denorm_min()},
                            {"large", Limits::max()},
                            {"inf", Limits::infinity()},
                            {"nan", Limits::quiet_NaN()}},
                .iterations = 3};
  file.measured["a.b"][7] = at::complex(target, -target);
  file.measured["a.b"][11] = target.narrow(3, 0, 1);
  file.observers = {"one", ""};
  tessera::detail::write_checkpoint(path, file);
  const tessera::detail::CheckpointFile read = tessera::detail::read_checkpoint(path);
  REQUIRE(read.state.numbers.size() == file.state.numbers.size());
  for (const auto& [name, value] : file.state.numbers) {
    INFO(name);
    CHECK(std::bit_cast<std::uint64_t>(read.state.numbers.at(name)) ==
          std::bit_cast<std::uint64_t>(value));
  }
  CHECK(read.state.relative_change == Limits::infinity());
  CHECK(at::equal(read.state.images.at("w.1"), target));
  CHECK(read.state.images.at("").scalar_type() == at::kFloat);
  REQUIRE(read.measured.at("a.b").size() == 2);
  CHECK(at::equal(read.measured.at("a.b").at(7), file.measured["a.b"][7]));
  CHECK(at::equal(read.measured.at("a.b").at(11), file.measured["a.b"][11]));
  CHECK(read.observers == file.observers);
}

TEST_CASE("A checkpoint of another format is refused, and named", "[io][checkpoint]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("run.checkpoint");
  interrupted_run(path);
  std::map<std::string, std::string> metadata;
  const StateDict tensors = read_safetensors(path, &metadata);
  const auto resume_as = [&](const std::string& format) {
    metadata["format"] = format;
    write_safetensors(path, tensors, metadata);
    Checkpoint(path, self_communicator()).resume(zero);
  };
  CHECK_THROWS_WITH(resume_as("tessera checkpoint 1"), contains("was written by tessera 0.1") &&
                                                           contains("can finish it") &&
                                                           contains("remove it to start anew"));
  CHECK_THROWS_WITH(resume_as("tessera checkpoint 3"),
                    contains("is a 'tessera checkpoint 3', this version of tessera reads "
                             "'tessera checkpoint 2'"));
  CHECK_THROWS_WITH(resume_as("pt"), contains("is no 'tessera checkpoint 2'"));
}

TEST_CASE("A checkpoint is written every so many iterations", "[io][checkpoint]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("run.checkpoint");
  std::vector<std::int64_t> seen;
  Checkpoint checkpoint(path, self_communicator(), {.every = 3});
  ObserverFunction look([&](const Iteration& iteration) {
    std::map<std::string, std::string> metadata;
    if (!std::filesystem::exists(path)) return;
    CHECK(at::equal(read_safetensors(path, &metadata).at("x"), iteration.x) ==
          (iteration.index % 3 == 2));
    seen.push_back(std::stoll(metadata.at("iterations")));
  });
  ObserverList both({checkpoint, look});
  PnP(fidelity, prior, pnp_options(7)).solve(zero, both);
  CHECK(seen == std::vector<std::int64_t>{3, 3, 3, 6, 6});
  std::map<std::string, std::string> metadata;
  read_safetensors(path, &metadata);
  CHECK(metadata.at("iterations") == "7");
  CHECK_THROWS_WITH(Checkpoint(path, self_communicator(), {.every = 0}),
                    contains("every is 0, expected at least 1"));
}

TEST_CASE("Without a checkpoint a run begins anew", "[io][checkpoint]") {
  const test::TemporaryFolder folder;
  Checkpoint checkpoint(folder.file("none"), self_communicator());
  const SolverState start = checkpoint.resume(target);
  CHECK(start.iterations == 0);
  CHECK(at::equal(start.x, target));
  CHECK(checkpoint.ranks_before() == 0);
}

TEST_CASE("A checkpoint of another run is refused, naming what differs", "[io][checkpoint]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("run.checkpoint");
  const std::map<std::string, std::string> configuration = {
      {"noise", "0.1"}, {"step", "0.3"}, {"weights", "a"}};
  interrupted_run(path, {.every = 4, .configuration = configuration});
  const auto resume = [&](std::map<std::string, std::string> now, const Tensor& x0) {
    return Checkpoint(path, self_communicator(), {.configuration = std::move(now)}).resume(x0);
  };
  CHECK(resume(configuration, zero).iterations == 5);
  CHECK_THROWS_WITH(resume({{"noise", "0.2"}, {"step", "0.3"}, {"size", "512"}}, zero),
                    contains("run.checkpoint belongs to another run: noise was 0.1 and is 0.2, "
                             "size was not given and is 512, weights was a and is not given."));
  CHECK_THROWS_AS(resume({}, zero), error::InvalidArgument);
  CHECK_THROWS_AS(resume(configuration, zero.to(at::kFloat)), error::ShapeMismatch);
  CHECK_THROWS_WITH(resume(configuration, zero.narrow(3, 0, 2)), contains("run.checkpoint"));
}

TEST_CASE("A damaged checkpoint is refused, whichever byte it is", "[io][checkpoint]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("run.checkpoint");
  interrupted_run(path, {.every = 4, .configuration = {{"noise", "0.1"}}});
  const std::string good = test::read_bytes(path);
  const auto resume = [&] {
    return Checkpoint(path, self_communicator(), {.configuration = {{"noise", "0.1"}}})
        .resume(zero);
  };
  REQUIRE(resume().iterations == 5);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    test::write_bytes(path, bad);
    INFO("byte " << i << " of " << good.size());
    REQUIRE_THROWS_AS(resume(), error::Io);
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    test::write_bytes(path, good.substr(0, size));
    INFO("cut to " << size << " of " << good.size() << " bytes");
    REQUIRE_THROWS_AS(resume(), error::Io);
  }
  CHECK_THROWS_WITH(resume(), contains("run.checkpoint") && contains("remove it to start anew"));
  write_safetensors(path, {{"x", zero}});
  CHECK_THROWS_WITH(resume(), contains("is no 'tessera checkpoint 2'"));
}

TEST_CASE("A checkpoint that cannot be written ends the run and leaves the old one as it was",
          "[io][checkpoint]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("run.checkpoint");
  interrupted_run(path);
  const std::string before = test::read_bytes(path);
  const PnP solver(fidelity, prior, pnp_options(7));
  Checkpoint checkpoint(path, self_communicator(), {.every = 1});
  const SolverState start = checkpoint.resume(zero);
  {
    const FileSizeLimit disk_is_full(100);
    CHECK_THROWS_AS(solver.solve(start, checkpoint), error::Io);
  }
  CHECK(test::read_bytes(path) == before);
  CHECK(folder.entry_count() == 1);

  Checkpoint nowhere(folder.file("missing/run.checkpoint"), self_communicator());
  Counter counter;
  ObserverList both({counter, nowhere});
  CHECK_THROWS_WITH(solver.solve(zero, both), contains("missing/run.checkpoint"));
  CHECK(counter.count == 0);  // said before the first iteration, not after hours
}

TEST_CASE("What killed writers left behind is removed, and nothing else", "[io][checkpoint]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("run.checkpoint");
  const std::vector<std::string> kept = {"run.checkpoint", "run.checkpoint.0123abcd.tmp2",
                                         "run.checkpoint.0123abcx.tmp", "run.0123abcd.tmp",
                                         "other.checkpoint.0123abcd.tmp"};
  for (const std::string& name : kept) test::write_bytes(folder.file(name), "x");
  test::write_bytes(folder.file("run.checkpoint.0123abcd.tmp"), "x");
  AtomicFile::remove_leftovers(path);
  for (const std::string& name : kept) CHECK(std::filesystem::exists(folder.file(name)));
  CHECK(folder.entry_count() == kept.size());
  AtomicFile::remove_leftovers(folder.file("missing/x"));  // nothing to do

  test::write_bytes(folder.file("run.checkpoint.fedc3210.tmp"), "x");
  std::filesystem::remove(path);
  interrupted_run(path);
  CHECK(folder.entry_count() == kept.size());
}
