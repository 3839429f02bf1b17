// SPDX-License-Identifier: BSD-3-Clause
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include "distributed_parts.hpp"
#include "failures.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/distributed/boxed_stack.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/distributed/layerwise_denoiser.hpp"
#include "tessera/distributed/sharded_denoiser.hpp"
#include "tessera/distributed/slab_fourier.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/solver/pnp.hpp"
#include "world.hpp"

/// One part of a reconstruction fails on one rank: every rank throws, within five seconds, and says
/// which rank it was and why.

using namespace tessera;
namespace fs = std::filesystem;

namespace {

/// Something that fails at its second use, on one rank.
class Trap {
 public:
  Trap() = default;
  explicit Trap(int culprit) : armed_(test::world()->rank() == culprit) {}
  void use(const char* what) {
    if (armed_ && ++uses_ == 2) throw std::runtime_error(std::string(what) + " broke");
  }

 private:
  bool armed_ = false;
  int uses_ = 0;
};
using TrapPtr = std::shared_ptr<Trap>;

TrapPtr none() {
  return std::make_shared<Trap>();
}

class TrappedOperator : public LinearOperator {
 public:
  TrappedOperator(TrapPtr forward, TrapPtr adjoint)
      : forward_(std::move(forward)), adjoint_(std::move(adjoint)) {}
  std::string name() const override { return "trapped_operator"; }

 private:
  Tensor do_apply(const Tensor& x) const override {
    forward_->use("the forward model");
    return 0.5 * x;
  }
  Tensor do_apply_adjoint(const Tensor& v) const override {
    adjoint_->use("the adjoint");
    return 0.5 * v;
  }
  TrapPtr forward_;
  TrapPtr adjoint_;
};

class TrappedDistance : public Distance {
 public:
  TrappedDistance(TrapPtr value, TrapPtr gradient)
      : value_(std::move(value)), gradient_(std::move(gradient)) {}
  std::string name() const override { return "trapped_distance"; }

 private:
  double do_value(const Tensor& u, const Tensor& y) const override {
    value_->use("the value");
    return 0.5 * (u - y).square().sum().item<double>();
  }
  Tensor do_gradient(const Tensor& u, const Tensor& y) const override {
    gradient_->use("the gradient");
    return u - y;
  }
  TrapPtr value_;
  TrapPtr gradient_;
};

class TrappedDenoiser : public Denoiser {
 public:
  explicit TrappedDenoiser(TrapPtr trap) : trap_(std::move(trap)) {}
  std::string name() const override { return "trapped_denoiser"; }

 private:
  Tensor do_denoise(const Tensor& x, const NoiseLevel& /*sigma*/) const override {
    trap_->use("the denoiser");
    return 0.9 * x;
  }
  TrapPtr trap_;
};

/// Fails before or after the ranks denoise together.
class TrappedPrior : public Prior {
 public:
  TrappedPrior(const Prior& inner, TrapPtr before, TrapPtr after)
      : inner_(inner), before_(std::move(before)), after_(std::move(after)) {}
  std::string name() const override { return "trapped_prior"; }

 private:
  Tensor do_prox(const Tensor& z, double step) const override {
    before_->use("the prior");
    Tensor result = inner_.prox(z, step);
    after_->use("the prior's end");
    return result;
  }
  const Prior& inner_;
  TrapPtr before_;
  TrapPtr after_;
};

/// Where a reconstruction is to fail.
struct Traps {
  TrapPtr forward = none(), adjoint = none();
  TrapPtr value = none(), gradient = none();
  TrapPtr denoiser = none();
  TrapPtr before_prior = none(), after_prior = none();
  TrapPtr start = none(), iteration = none();
  std::string folder = {};  ///< the observer writes every iterate into it, unless empty
};

class Watcher : public Observer {
 public:
  Watcher(const Traps& traps, const DataFidelity& fidelity) : traps_(traps), fidelity_(fidelity) {}
  void on_start(const Tensor& /*x0*/) override {
    traps_.start->use("the start");
    traps_.start->use("the start");
  }
  Verdict on_iteration(const Iteration& iteration) override {
    fidelity_.value(iteration.x);
    if (!traps_.folder.empty()) write_npy(traps_.folder + "/x.npy", iteration.x);
    traps_.iteration->use("the observer");
    return Verdict::proceed;
  }

 private:
  const Traps& traps_;
  const DataFidelity& fidelity_;
};

/// Four iterations on all ranks, with an operator and a tile for each.
void reconstruct(const Traps& traps) {
  const CommunicatorPtr ranks = test::world();
  const Tensor truth = test::indexed({1, 1, 24, 20});
  const auto physics = std::make_shared<DistributedPhysics>(
      ranks->size(),
      [&](std::int64_t) { return std::make_unique<TrappedOperator>(traps.forward, traps.adjoint); },
      ranks);
  const DataFidelity fidelity(physics, TensorList(physics->held().size(), truth),
                              std::make_shared<TrappedDistance>(traps.value, traps.gradient));
  const PlugAndPlay denoising = PlugAndPlay::fixed(
      std::make_shared<TiledDenoiser>(std::make_shared<TrappedDenoiser>(traps.denoiser), ranks,
                                      TilingOptions{.context = 1, .blend = 2}),
      0.1);
  const TrappedPrior prior(denoising, traps.before_prior, traps.after_prior);
  const PnP<DataFidelity, TrappedPrior> solver(fidelity, prior,
                                               {.step = 0.5, .stopping = {.max_iterations = 4}});
  Watcher watcher(traps, fidelity);
  solver.solve(at::zeros_like(truth), watcher);
}

/// The same, of an image that ranks share out.
void reconstruct_on_boxes(const Traps& traps) {
  const auto space = std::make_shared<BoxSpace>(test::world(), Extents{24, 20});
  const Tensor truth = space->scatter(test::indexed({1, 1, 24, 20}));
  const auto trapped = std::make_shared<BoxedOperator>(
      space, std::make_shared<TrappedOperator>(traps.forward, traps.adjoint), Halo{{0, 0}, {0, 0}},
      Padding::constant);
  const auto physics = std::make_shared<BoxedStack>(
      std::vector<BoxedOperatorPtr>{boxed_blur(space, test::indexed({1, 1, 3, 3}) / 9), trapped});
  const DataFidelity fidelity(physics, {truth, truth},
                              std::make_shared<TrappedDistance>(traps.value, traps.gradient));
  const PlugAndPlay denoising = PlugAndPlay::fixed(
      std::make_shared<ShardedDenoiser>(std::make_shared<TrappedDenoiser>(traps.denoiser), space,
                                        TilingOptions{.context = 1, .blend = 2}),
      0.1);
  const PnP<DataFidelity, PlugAndPlay> solver(fidelity, denoising,
                                              {.step = 0.5, .stopping = {.max_iterations = 4}});
  Watcher watcher(traps, fidelity);
  solver.solve(at::zeros_like(truth), watcher);
}

/// A network that denoises box by box, with an exchange before and one after the trap.
class TrappedNetwork : public LayerwiseNetwork {
 public:
  explicit TrappedNetwork(TrapPtr trap) : trap_(std::move(trap)) {}
  std::string name() const override { return "trapped_network"; }
  Tensor denoise_box(const Tensor& x, const NoiseLevel& /*sigma*/,
                     const BoxPyramid& boxes) const override {
    for (int layer = 0; layer < 2; ++layer) {
      boxes.with_halo(x, 1, 1);
      trap_->use("the layer");
    }
    boxes.with_halo(x, 1, 1);
    return x;
  }

 private:
  Tensor do_denoise(const Tensor& x, const NoiseLevel& /*sigma*/) const override { return x; }
  TrapPtr trap_;
};

/// Fails with `text` on each rank in turn.
void check_fails(const std::string& text, const std::function<void(int culprit)>& action) {
  const int last = test::world()->size() - 1;
  for (const int culprit : {0, last}) {
    CAPTURE(text, culprit);
    const error::RankFailure failure = test::failure_of([&] { action(culprit); });
    CHECK(failure.rank() == culprit);
    CHECK_THAT(
        failure.what(),
        test::contains(text) && Catch::Matchers::EndsWith("(rank " + std::to_string(culprit) +
                                                          " of " + std::to_string(last + 1) + ")"));
    test::check_in_step();
  }
}

/// The same, for a trap in a reconstruction.
void check_fails(const std::string& text, TrapPtr Traps::*place,
                 const std::function<void(const Traps&)>& run = reconstruct) {
  check_fails(text, [&](int culprit) {
    Traps traps;
    traps.*place = std::make_shared<Trap>(culprit);
    run(traps);
  });
}

/// All ranks, with no memory left for data collectives.
class OutOfMemory final : public Communicator {
 public:
  int rank() const override { return test::world()->rank(); }
  int size() const override { return test::world()->size(); }
  std::string name() const override { return "out_of_memory"; }
  Communicator& control() override { return *test::world(); }
  [[noreturn]] void abort(int code) override {
    for (;;) test::world()->abort(code);
  }

 private:
  void do_all_reduce(void*, std::int64_t, DataType, Reduction) override { throw std::bad_alloc(); }
  void do_broadcast(void*, std::int64_t, DataType, int) override { throw std::bad_alloc(); }
  void do_all_gather(const void*, void*, std::span<const std::int64_t>, DataType) override {
    throw std::bad_alloc();
  }
  void do_reduce_scatter(const void*, void*, std::span<const std::int64_t>, DataType,
                         Reduction) override {
    throw std::bad_alloc();
  }
  void do_exchange(std::span<const Message>, std::span<const Message>, DataType) override {
    throw std::bad_alloc();
  }
  void do_barrier() override { throw std::bad_alloc(); }
  CommunicatorPtr do_split(int, int) override { throw std::bad_alloc(); }
};

/// A folder of this rank's own.
fs::path own_folder() {
  const fs::path folder =
      fs::temp_directory_path() / ("tessera_faults_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  return folder;
}

}  // namespace

TEST_CASE("a reconstruction without a fault ends well") {
  reconstruct({});
  const fs::path folder = own_folder();
  Traps traps;
  traps.folder = folder.string();
  reconstruct(traps);
  CHECK(fs::exists(folder / "x.npy"));
  fs::remove_all(folder);
}

TEST_CASE("an operator that fails on one rank fails on all") {
  check_fails("the forward model broke", &Traps::forward);
  check_fails("the adjoint broke", &Traps::adjoint);
}

TEST_CASE("what fails on one rank of an image in boxes fails on all") {
  reconstruct_on_boxes({});
  check_fails("the forward model broke", &Traps::forward, reconstruct_on_boxes);
  check_fails("the adjoint broke", &Traps::adjoint, reconstruct_on_boxes);
  check_fails("the denoiser broke", &Traps::denoiser, reconstruct_on_boxes);
}

TEST_CASE("exchanges, transforms and layers that fail on one rank fail on all") {
  const auto space = std::make_shared<BoxSpace>(test::world(), Extents{24, 20});
  const Tensor own = space->scatter(test::indexed({1, 1, 24, 20}));
  const auto is = [](int culprit) { return test::world()->rank() == culprit; };
  BoxesOfRanks wanted(static_cast<std::size_t>(test::world()->size()), {whole_box({24, 20})});
  const BoxExchange exchange(test::world(), one_each(space->boxes()), wanted);
  check_fails("BoxExchange.forward: tensor 0 is",
              [&](int culprit) { exchange.forward({is(culprit) ? own.narrow(3, 1, 1) : own}); });
  check_fails("BoxExchange.adjoint: got 0 tensors", [&](int culprit) {
    exchange.adjoint(is(culprit) ? TensorList{} : exchange.forward({own}));
  });
  const SlabFourier fourier(space);
  check_fails("expected extents [",
              [&](int culprit) { fourier.forward(is(culprit) ? own.narrow(3, 1, 1) : own); });
  const Tensor slab = fourier.forward(own);
  check_fails("SlabFourier",
              [&](int culprit) { fourier.inverse(is(culprit) ? slab.unsqueeze(0) : slab); });
  check_fails("layerwise(trapped_network).denoise: the layer broke", [&](int culprit) {
    LayerwiseDenoiser(std::make_shared<TrappedNetwork>(std::make_shared<Trap>(culprit)), space)
        .denoise(own, 0.1);
  });
}

TEST_CASE("a factory that fails on one rank fails on all") {
  check_fails("DistributedPhysics: no such kernel", [](int culprit) {
    DistributedPhysics(
        test::world()->size(),
        [&](std::int64_t index) -> std::unique_ptr<LinearPhysics> {
          if (index == culprit) throw std::runtime_error("no such kernel");
          return std::make_unique<test::Circulant>(index);
        },
        test::world());
  });
}

TEST_CASE("a fidelity that fails on one rank fails on all") {
  check_fails("the gradient broke", &Traps::gradient);
  check_fails("the value broke", &Traps::value);
}

TEST_CASE("a denoiser or a prior that fails on one rank fails on all") {
  check_fails("the denoiser broke", &Traps::denoiser);
  check_fails("the prior broke", &Traps::before_prior);
  check_fails("the prior's end broke", &Traps::after_prior);
}

TEST_CASE("an observer that fails on one rank fails on all") {
  check_fails("the start broke", &Traps::start);
  check_fails("the observer broke", &Traps::iteration);
}

TEST_CASE("a file that cannot be written on one rank fails on all") {
  const fs::path folder = own_folder();
  check_fails("pnp.solve: ", [&](int culprit) {
    Traps traps;
    const bool broken = test::world()->rank() == culprit;
    traps.folder = (broken ? folder / "not" / "there" : folder).string();
    reconstruct(traps);
  });
  check_fails("there/x.npy", [&](int culprit) {
    guarded(*test::world(), "output", [&] {
      const bool broken = test::world()->rank() == culprit;
      write_npy((broken ? folder / "not" / "there" : folder).string() + "/x.npy",
                test::indexed({2, 3}));
    });
  });
  fs::remove_all(folder);
}

TEST_CASE("a file that is damaged on one rank fails on all") {
  const fs::path folder = own_folder();
  const std::string path = (folder / "y.npy").string();
  check_fails("y.npy", [&](int culprit) {
    write_npy(path, test::indexed({1, 1, 24, 20}));
    if (test::world()->rank() == culprit) fs::resize_file(path, fs::file_size(path) / 2);
    const auto physics = std::make_shared<DistributedPhysics>(
        test::world()->size(),
        [&](std::int64_t) { return std::make_unique<TrappedOperator>(none(), none()); },
        test::world());
    const TensorList y =
        guarded(*test::world(), "measurements", [&] { return TensorList{read_npy(path)}; });
    L2(physics, y, y.front());
  });
  fs::remove_all(folder);
}

TEST_CASE("the lowest of several failed ranks is named, wherever each of them failed") {
  const int last = test::world()->size() - 1;
  const error::RankFailure failure = test::failure_of([&] {
    Traps traps;
    traps.adjoint = std::make_shared<Trap>(0);
    traps.gradient = std::make_shared<Trap>(last);
    reconstruct(traps);
  });
  CHECK(failure.rank() == 0);
  CHECK_THAT(failure.what(), test::contains("the adjoint broke"));
  test::check_in_step();
}

TEST_CASE("memory that runs out between an agreement and its collective is no agreed failure") {
  const auto shared = std::make_shared<OutOfMemory>();
  const Tensor x = test::indexed({1, 1, 24, 20});
  const DistributedPhysics physics(
      shared->size(), [](std::int64_t index) { return std::make_unique<test::Circulant>(index); },
      shared);
  CHECK_THROWS_AS(physics.adjoint(physics.forward(x)), error::Communication);
  CHECK_THROWS_AS(physics.has_normal_filter(x), error::Communication);
  const TiledDenoiser tiles(std::make_shared<test::LocalDenoiser>(1), shared, {.context = 1});
  CHECK_THROWS_WITH(tiles.denoise(x, 0.1), test::contains("tiled(local).denoise: "));
  CHECK_THROWS_AS(tiles.denoise(x, 0.1), error::Communication);
  test::check_in_step();
}

TEST_CASE("a rank that wants to stop stops all, whether the operators are shared or the prior") {
  class StopOnLast : public Observer {
   public:
    Verdict on_iteration(const Iteration& iteration) override {
      const bool is_last = test::world()->rank() == test::world()->size() - 1;
      return is_last && iteration.index == 1 ? Verdict::stop : Verdict::proceed;
    }
  };
  const Tensor truth = test::indexed({1, 1, 24, 20});
  const PlugAndPlay prior = PlugAndPlay::fixed(
      std::make_shared<TiledDenoiser>(std::make_shared<test::LocalDenoiser>(1), test::world(),
                                      TilingOptions{.context = 1, .blend = 2}),
      0.1);
  const auto alone = std::make_shared<TrappedOperator>(none(), none());
  const auto shared = std::make_shared<DistributedPhysics>(
      1, [&](std::int64_t) { return std::make_unique<TrappedOperator>(none(), none()); },
      test::world());
  for (const LinearPhysicsPtr& physics : {LinearPhysicsPtr(alone), LinearPhysicsPtr(shared)}) {
    const L2 fidelity(physics, physics->forward(truth), truth);
    const PnP<L2, PlugAndPlay> solver(fidelity, prior,
                                      {.step = 0.5, .stopping = {.max_iterations = 5}});
    StopOnLast observer;
    const SolveResult result = solver.solve(at::zeros_like(truth), observer);
    CHECK(result.iterations == 2);
    CHECK(result.reason == StopReason::observer);
    test::check_in_step();
  }
}

TEST_CASE("a start that is not finite on one rank is refused on all") {
  const int last = test::world()->size() - 1;
  const Tensor truth = test::indexed({1, 1, 24, 20});
  const auto shared = std::make_shared<DistributedPhysics>(
      2, [&](std::int64_t) { return std::make_unique<TrappedOperator>(none(), none()); },
      test::world());
  const L2 fidelity(shared, shared->forward(truth), truth);
  const PlugAndPlay prior = PlugAndPlay::fixed(std::make_shared<test::LocalDenoiser>(1), 0.1);
  Tensor x0 = truth.clone();
  if (test::world()->rank() == last) x0[0][0][23][19] = std::nan("");
  const error::RankFailure failure = test::failure_of([&] { PnP(fidelity, prior).solve(x0); });
  CHECK(failure.rank() == last);
  CHECK_THAT(failure.what(), test::contains("x0 has 1 of 480 values that are not finite") &&
                                 test::contains("at [0, 0, 23, 19]"));
  test::check_in_step();
}
