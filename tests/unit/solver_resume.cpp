// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/equal.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <csignal>
#include <limits>

#include "catch.hpp"
#include "stateful_solver.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/prior/red.hpp"
#include "tessera/run/stop_on_signal.hpp"
#include "tessera/solver/gradient_descent.hpp"
#include "tessera/solver/hqs.hpp"
#include "tessera/solver/pnp.hpp"
#include "toys.hpp"

using namespace tessera;

namespace {

const Tensor target = test::indexed({1, 2, 3, 4}).abs() * 0.8 + 0.1;
const Tensor zero = at::zeros({1, 2, 3, 4}, at::kDouble);

class Nobody : public Observer {
 public:
  Verdict on_iteration(const Iteration& /*iteration*/) override { return Verdict::proceed; }
};

/// Remembers what it hears; stops when it has heard of `stop_at` iterations.
class Witness : public Observer {
 public:
  explicit Witness(std::int64_t stop_at = -1) : stop_at_(stop_at) {}
  void on_start(const Tensor& x0) override { start = x0; }
  Verdict on_iteration(const Iteration& iteration) override {
    indices.push_back(iteration.index);
    last = *iteration.state;
    return static_cast<std::int64_t>(indices.size()) == stop_at_ ? Verdict::stop : Verdict::proceed;
  }
  void on_end(const SolveResult& result) override { ends.push_back(result); }

  Tensor start;
  std::vector<std::int64_t> indices;
  SolverState last;
  std::vector<SolveResult> ends;

 private:
  std::int64_t stop_at_;
};

/// Keeps a text.
class Note : public Observer {
 public:
  explicit Note(std::string initial) : text(std::move(initial)) {}
  Verdict on_iteration(const Iteration& /*iteration*/) override { return Verdict::proceed; }
  std::string save() const override { return text; }
  void restore(std::string_view saved) override { text = saved; }
  std::string text;
};

/// Three iterations, then the rest from where they ended, give the bits of a run of one piece.
void check_resumes(const Solver& solver, std::int64_t total) {
  Nobody nobody;
  const SolveResult whole = solver.solve(zero, nobody);
  REQUIRE(whole.iterations == total);
  Witness first(3);
  const SolveResult part = solver.solve(zero, first);
  CHECK(part.reason == StopReason::observer);
  Witness second;
  const SolveResult rest = solver.solve(first.last, second);
  CHECK(rest.iterations == total);
  CHECK(rest.reason == whole.reason);
  CHECK(rest.relative_change == whole.relative_change);
  CHECK(rest.elapsed_s > part.elapsed_s);
  CHECK(at::equal(rest.x, whole.x));
  CHECK(at::equal(second.start, part.x));
  REQUIRE(second.indices.size() == static_cast<std::size_t>(total) - 3);
  CHECK(second.indices.front() == 3);
}

}  // namespace

TEST_CASE("A solver goes on from a saved state as if it had never stopped") {
  const test::Halfway fidelity(target);
  const test::Shrink prior(0.9);
  StoppingRules rules;
  rules.max_iterations = 7;
  SECTION("pnp with relaxation") {
    check_resumes(
        PnP(fidelity, prior, PnPOptions{.step = 0.3, .relaxation = 0.7, .stopping = rules}), 7);
  }
  SECTION("pnp that ends by a rule") {
    rules.max_iterations = 1000;
    rules.relative_change = 1e-3;
    const PnP solver(fidelity, prior, PnPOptions{.step = 0.5, .stopping = rules});
    check_resumes(solver, solver.solve(zero).iterations);
  }
  SECTION("hqs, whose schedule goes on") {
    HqsOptions options;
    options.schedule = HqsSchedule::dpir(0.1, 7);
    check_resumes(HQS(fidelity, prior, options), 7);
  }
  SECTION("gradient descent") {
    const RED red(std::make_shared<test::Dimmer>(), 0.25);
    check_resumes(
        GradientDescent(fidelity, red, GradientDescentOptions{.step = 0.3, .stopping = rules}), 7);
  }
}

TEST_CASE("A method's images, duals and numbers go on with its iterate") {
  const auto identity = std::make_shared<test::Identity>();
  const test::StatefulSolver solver(identity, {target}, 7);
  check_resumes(solver, 7);
  const SolveResult whole = solver.solve(zero);
  CHECK(whole.numbers.at("step") == Approx(0.1 / std::pow(1.1, 7)));
  Witness first(3);
  solver.solve(zero, first);
  REQUIRE(first.last.measured.at("dual").size() == 1);
  // Each of them counts: without it the run ends elsewhere.
  const auto without = [&](auto&& forget) {
    SolverState state = first.last;
    forget(state);
    Nobody nobody;
    return solver.solve(state, nobody).x;
  };
  CHECK(at::equal(without([](SolverState&) {}), whole.x));
  CHECK_FALSE(at::equal(without([](SolverState& s) { s.images.clear(); }), whole.x));
  CHECK_FALSE(at::equal(without([](SolverState& s) { s.measured.clear(); }), whole.x));
  CHECK_FALSE(at::equal(without([](SolverState& s) { s.numbers.clear(); }), whole.x));
}

TEST_CASE("A step that is not finite leaves the whole state as it was before it") {
  const auto identity = std::make_shared<test::Identity>();
  const Tensor infinite = at::full_like(target, std::numeric_limits<double>::infinity());
  const SolveResult result = test::StatefulSolver(identity, {infinite}, 7).solve(zero);
  CHECK(result.reason == StopReason::not_finite);
  CHECK(result.iterations == 0);
  CHECK(at::equal(result.x, zero));
  CHECK(at::equal(result.images.at("momentum"), zero));
  CHECK(at::equal(result.measured.at("dual").front(), zero));
  CHECK(result.numbers.at("step") == 0.1);
}

TEST_CASE("No iteration is done from a state in which the run had ended already") {
  const test::Halfway fidelity(target);
  const test::Shrink prior(1.0);
  PnPOptions options{.step = 0.5};
  options.stopping.max_iterations = 4;
  options.stopping.relative_change = 1e-2;
  options.stopping.time_limit_s = 100;
  Witness witness;
  SolverState state{.x = target, .iterations = 2, .elapsed_s = 3, .relative_change = 0.5};
  StopReason expected = StopReason::max_iterations;
  SECTION("the number of iterations") {
    state.iterations = 4;
  }
  SECTION("the relative change") {
    state.relative_change = 0.005;
    expected = StopReason::relative_change;
  }
  SECTION("the time") {
    state.elapsed_s = 100;
    expected = StopReason::time_limit;
  }
  const SolveResult result = PnP(fidelity, prior, options).solve(state, witness);
  CHECK(result.reason == expected);
  CHECK(result.iterations == state.iterations);
  CHECK(at::equal(result.x, target));
  CHECK(witness.indices.empty());
  REQUIRE(witness.ends.size() == 1);
  CHECK(witness.ends.front().reason == expected);
}

TEST_CASE("Observers hear of the end of a run, once, with its result") {
  const test::Halfway fidelity(target);
  const test::Shrink prior(1.0);
  const PnP solver(fidelity, prior, PnPOptions{.step = 0.5});
  Witness one(2);
  Witness other;
  ObserverList both({one, other});
  const SolveResult result = solver.solve(zero, both);
  REQUIRE(one.ends.size() == 1);
  REQUIRE(other.ends.size() == 1);
  CHECK(other.ends.front().reason == StopReason::observer);
  CHECK(other.ends.front().iterations == 2);
  CHECK(at::equal(other.ends.front().x, result.x));
  CHECK_THROWS_WITH(solver.solve(SolverState{.x = zero, .iterations = -1}, one),
                    test::contains("iterations >= 0, got -1"));
}

TEST_CASE("A list of observers saves and restores each of them") {
  Note first("abc");
  Nobody nobody;
  Note last(std::string("\0\n", 2));
  const std::string saved = ObserverList({first, nobody, last}).save();
  Note new_first("");
  Note new_last("x");
  ObserverList list({new_first, nobody, new_last});
  list.restore(saved);
  CHECK(new_first.text == "abc");
  CHECK(new_last.text == std::string("\0\n", 2));
  CHECK_THROWS_WITH(ObserverList({first, last}).restore(saved), test::contains("saved by 3"));
  for (std::size_t size = 0; size < saved.size(); ++size) {
    CHECK_THROWS_AS(list.restore(saved.substr(0, size)), error::InvalidArgument);
  }
  CHECK_THROWS_WITH(list.restore(saved.substr(0, saved.size() - 1)), test::contains("too short"));
  CHECK_THROWS_WITH(list.restore(std::string(40, '\3')), test::contains("not of this version"));
}

TEST_CASE("A signal stops a solver after the iteration that is under way") {
  const test::Halfway fidelity(target);
  const test::Shrink prior(1.0);
  const PnP solver(fidelity, prior, PnPOptions{.step = 0.5});
  const auto handler_of = [](int number) {
    struct sigaction action {};
    ::sigaction(number, nullptr, &action);
    return action.sa_handler;
  };
  const auto before = handler_of(SIGUSR1);
  for (const int number : {SIGTERM, SIGUSR1}) {
    StopOnSignal stop;
    CHECK(handler_of(SIGUSR1) != before);
    ObserverFunction third([&](const Iteration& iteration) {
      if (iteration.index == 2) ::raise(number);
    });
    ObserverList both({third, stop});
    const SolveResult result = solver.solve(zero, both);
    CHECK(result.iterations == 3);
    CHECK(result.reason == StopReason::observer);
    CHECK(stop.signal() == number);
    CHECK_THROWS_WITH(StopOnSignal(), test::contains("there is one already"));
  }
  CHECK(handler_of(SIGUSR1) == before);
  CHECK_THROWS_WITH(StopOnSignal({SIGUSR1, SIGKILL}), test::contains("cannot be caught"));
  CHECK(handler_of(SIGUSR1) == before);
  StopOnSignal stop({SIGUSR2});
  CHECK(stop.signal() == 0);
  CHECK(solver.solve(zero, stop).reason == StopReason::max_iterations);
}
