// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/cat.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include <filesystem>

#include "catch.hpp"
#include "distributed_parts.hpp"
#include "failures.hpp"
#include "files.hpp"
#include "root_folder.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/distributed/box_stream.hpp"
#include "tessera/distributed/boxed_operators.hpp"
#include "tessera/distributed/sharded_denoiser.hpp"
#include "tessera/distributed/slab_blur.hpp"
#include "tessera/fidelity/absolute_distance.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/io/safetensors.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/prior/l1_prior.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/run/checkpoint.hpp"
#include "tessera/solver/primal_dual.hpp"
#include "tessera/solver/proximal_gradient.hpp"
#include "world.hpp"

using namespace tessera;

// Checkpoints of images that no rank has whole.
namespace {

const Tensor image = test::indexed({1, 2, 24, 31}) / 1000;
constexpr std::int64_t total = 6;

BoxSpacePtr rows(const CommunicatorPtr& ranks) {
  return std::make_shared<BoxSpace>(ranks, Extents{24, 31},
                                    BoxSpaceOptions{.grid = {ranks->size(), 1}});
}

BoxSpacePtr columns(const CommunicatorPtr& ranks) {
  return std::make_shared<BoxSpace>(ranks, Extents{24, 31},
                                    BoxSpaceOptions{.grid = {1, ranks->size()}});
}

/// A method with momentum, on the boxes of `space`, for so many iterations.
SolveResult solve(const BoxSpacePtr& space, std::int64_t iterations,
                  Checkpoint* checkpoint = nullptr) {
  Tensor kernel = test::indexed({1, 1, 3, 5}) + 1;
  kernel = kernel / kernel.sum();
  const Tensor own = space->scatter(image);
  const LinearPhysicsPtr physics = boxed_blur(space, kernel);
  const L2 fidelity(physics, physics->forward(own), own);
  const auto prior = PlugAndPlay::fixed(
      std::make_shared<ShardedDenoiser>(std::make_shared<test::LocalDenoiser>(2), space,
                                        TilingOptions{.tiling = Tiling::exact}),
      NoiseLevel(0.1));
  const ProximalGradient solver(fidelity, prior,
                                {.step = 0.4, .stopping = {.max_iterations = iterations}});
  const Tensor x0 = 0.5 * own;
  return checkpoint == nullptr ? solver.solve(x0)
                               : solver.solve(checkpoint->resume(x0), *checkpoint);
}

}  // namespace

TEST_CASE("An image that is shared out comes to the first rank slab by slab, and back") {
  for (const BoxSpacePtr& space : {rows(test::world()), columns(test::world())}) {
    for (const Tensor& whole : {image, at::complex(image, -image)}) {
      for (const std::int64_t most_bytes :
           {std::int64_t{1}, 5 * 31 * whole.element_size(), slab_bytes}) {
        const Tensor own = space->scatter(whole).contiguous();
        TensorList pieces;
        stream_to_root(
            *space, own, [&](const Tensor& slab) { pieces.push_back(slab.reshape(-1)); },
            most_bytes);
        CHECK(pieces.empty() == !test::world()->is_root());
        if (test::world()->is_root()) CHECK(at::equal(at::cat(pieces), whole.flatten()));

        std::int64_t given = 0;
        Tensor back = at::empty_like(own);
        stream_from_root(
            *space, back,
            [&](Tensor& slab) {
              slab.copy_(whole.flatten().narrow(0, given, slab.numel()).view(slab.sizes()));
              given += slab.numel();
            },
            most_bytes);
        CHECK(at::equal(back, own));
      }
    }
  }
}

TEST_CASE("A slab that the first rank cannot take or give is an error on all ranks") {
  if (test::world()->size() == 1) return;
  const BoxSpacePtr space = rows(test::world());
  Tensor own = space->scatter(image).contiguous();
  std::int64_t slabs = 0;
  const auto breaks = [&slabs](const Tensor& /*slab*/) {
    if (++slabs == 4) throw std::runtime_error("disk full");
  };
  // The fourth and last of them, and one in between.
  for (const std::int64_t most_bytes : {std::int64_t{12 * 31 * 8}, std::int64_t{31 * 8}}) {
    slabs = 0;
    CHECK_THAT(test::failure_of([&] { stream_to_root(*space, own, breaks, most_bytes); }).what(),
               test::contains("disk full"));
    slabs = 0;
    CHECK_THAT(test::failure_of([&] { stream_from_root(*space, own, breaks, most_bytes); }).what(),
               test::contains("disk full"));
    test::check_in_step();
  }
}

TEST_CASE("A run on boxes goes on from one file, on any cuts") {
  const test::RootFolder folder;
  const std::string path = folder.file("run.checkpoint");
  const BoxSpacePtr space = rows(test::world());
  const SolveResult whole = solve(space, total);
  Checkpoint first(path, test::world(), {.every = 2, .space = space});
  const SolveResult part = solve(space, 3, &first);
  REQUIRE(!part.images.empty());  // the momentum
  const Tensor x = space->gather(part.x);
  if (test::world()->is_root()) {  // others can read it
    CHECK(at::equal(read_safetensors(path).at("x"), x));
    std::filesystem::copy(path, path + ".3");
  }

  Checkpoint second(path, test::world(), {.every = 2, .space = space});
  const SolveResult rest = solve(space, total, &second);
  CHECK(rest.iterations == total);
  CHECK(second.ranks_before() == test::world()->size());
  CHECK(at::equal(rest.x, whole.x));
  CHECK(rest.numbers == whole.numbers);

  const BoxSpacePtr others = columns(test::world());
  Checkpoint third(path + ".3", test::world(), {.space = others});
  const SolveResult turned = solve(others, total, &third);
  CHECK(test::relative_error(others->gather(turned.x), space->gather(whole.x)) < 1e-12);
  if (test::world()->is_root()) {  // alone, from what all wrote
    const BoxSpacePtr mine = rows(self_communicator());
    Checkpoint fourth(path + ".3", self_communicator(), {.space = mine});
    CHECK(test::relative_error(solve(mine, total, &fourth).x, solve(mine, total).x) < 1e-12);
  }
}

namespace {

/// Least absolute deviations with total variation by PrimalDual, of a valid blur, a frame of lower
/// resolution and a product of spectra: duals of the image's grid, and of those of measurements.
class Duals {
 public:
  explicit Duals(const BoxSpacePtr& space) : space_(space), own_(space->scatter(picture())) {
    Tensor kernel = test::indexed({1, 1, 3, 5}) + 1;
    kernel = kernel / kernel.sum();
    const auto blur = boxed_blur(space, kernel, Padding::valid);
    const auto frame = boxed_downsampling(space, 2, kernel, Padding::reflect);
    physics_ = std::make_shared<StackedPhysics>(
        std::vector<LinearPhysicsPtr>{blur, frame, slab_blur(space, kernel)});
    spaces_ = {blur->measured_space(), frame->measured_space(), space};
  }

  CheckpointOptions options() const {
    return {.every = 2, .held = physics_->held(), .space = space_, .measured_spaces = spaces_};
  }

  SolveResult solve(std::int64_t iterations, Checkpoint* checkpoint = nullptr) const {
    const DataFidelity fidelity(physics_, physics_->forward(own_),
                                std::make_shared<AbsoluteDistance>());
    const PrimalDual solver(
        fidelity, {{boxed_differences(space_), std::make_shared<GroupL1Prior>(), 0.02}}, nullptr,
        {.primal_step = 0.2, .dual_step = 0.3, .stopping = {.max_iterations = iterations}});
    const Tensor x0 = 0.5 * own_;
    return checkpoint == nullptr ? solver.solve(x0)
                                 : solver.solve(checkpoint->resume(x0), *checkpoint);
  }

  static Tensor picture() { return test::indexed({1, 2, 24, 32}) / 1000; }
  const BoxSpacePtr& measured_space(std::size_t i) const { return spaces_[i]; }

 private:
  BoxSpacePtr space_;
  Tensor own_;
  LinearPhysicsPtr physics_;
  std::vector<BoxSpacePtr> spaces_;
};

BoxSpacePtr even_boxes(const CommunicatorPtr& ranks, const Extents& grid) {
  return std::make_shared<BoxSpace>(ranks, Extents{24, 32},
                                    BoxSpaceOptions{.grid = grid, .alignment = 2});
}

}  // namespace

TEST_CASE("Duals of a run on boxes are kept in one file, and cut anew") {
  const test::RootFolder folder;
  const std::string path = folder.file("run.checkpoint");
  const std::int64_t ranks = test::world()->size();
  const BoxSpacePtr space = even_boxes(test::world(), {ranks, 1});
  const Duals duals(space);
  const SolveResult whole = duals.solve(total);
  Checkpoint first(path, test::world(), duals.options());
  const SolveResult part = duals.solve(3, &first);
  TensorList measured;
  for (std::size_t i = 0; i < 3; ++i) {
    measured.push_back(duals.measured_space(i)->gather(part.measured.at("dual")[i]));
  }
  if (test::world()->is_root()) {
    const StateDict file = read_safetensors(path);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(at::equal(file.at("measured.dual." + std::to_string(i)), measured[i]));
    }
    CHECK(file.at("measured.dual.0").sizes() == at::IntArrayRef({1, 2, 22, 28}));
    CHECK(file.at("measured.dual.1").sizes() == at::IntArrayRef({1, 2, 12, 16}));
    std::filesystem::copy(path, path + ".3");
  }

  Checkpoint second(path, test::world(), duals.options());
  const SolveResult rest = duals.solve(total, &second);
  CHECK(rest.iterations == total);
  CHECK(at::equal(rest.x, whole.x));
  CHECK(at::equal(rest.images.at("dual 0"), whole.images.at("dual 0")));
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(at::equal(rest.measured.at("dual")[i], whole.measured.at("dual")[i]));
  }

  const BoxSpacePtr others = even_boxes(test::world(), {1, ranks});
  const Duals turned(others);
  Checkpoint third(path + ".3", test::world(), turned.options());
  CHECK(test::relative_error(others->gather(turned.solve(total, &third).x),
                             space->gather(whole.x)) < 1e-12);
  if (test::world()->is_root()) {  // alone, from what all wrote
    const Duals mine(even_boxes(self_communicator(), {1, 1}));
    Checkpoint fourth(path + ".3", self_communicator(), mine.options());
    CHECK(test::relative_error(mine.solve(total, &fourth).x, mine.solve(total).x) < 1e-12);
  }
}

TEST_CASE("Duals on boxes without the spaces of measurements are an error on all ranks") {
  const test::RootFolder folder;
  const std::string path = folder.file("run.checkpoint");
  const Duals duals(even_boxes(test::world(), {test::world()->size(), 1}));
  CheckpointOptions options = duals.options();
  Checkpoint written(path, test::world(), options);
  duals.solve(2, &written);

  const std::vector<BoxSpacePtr> spaces = std::exchange(options.measured_spaces, {});
  const char* expected = "measured_spaces has 0 entries, expected one for each";
  Checkpoint nowhere(folder.file("other.checkpoint"), test::world(), options);
  CHECK_THROWS_WITH(duals.solve(2, &nowhere), test::contains(expected));
  Checkpoint unread(path, test::world(), options);
  CHECK_THROWS_WITH(duals.solve(4, &unread), test::contains(expected));

  options.measured_spaces = {spaces[0], spaces[1]};
  CHECK_THROWS_WITH(Checkpoint(path, test::world(), options),
                    test::contains("measured_spaces has 2 entries, expected one for each of 3"));
  options.measured_spaces = {spaces[0], spaces[1], nullptr};
  CHECK_THROWS_AS(Checkpoint(path, test::world(), options), error::InvalidArgument);

  options.measured_spaces = {spaces[1], spaces[0], spaces[2]};
  Checkpoint swapped(path, test::world(), options);
  CHECK_THROWS_WITH(duals.solve(4, &swapped), test::contains("'dual' of operator 0") &&
                                                  test::contains("expected (B, C, ...) of extents "
                                                                 "[12, 16]"));
  test::check_in_step();
}

TEST_CASE("A checkpoint of boxes that cannot be written, read or used is an error on all ranks") {
  const test::RootFolder folder;
  const std::string path = folder.file("run.checkpoint");
  const BoxSpacePtr space = rows(test::world());
  if (test::world()->size() == 1) return;
  Checkpoint nowhere("/no/such/folder/run", test::world(), {.space = space});
  CHECK_THAT(test::failure_of([&] { solve(space, 2, &nowhere); }).what(),
             test::contains("cannot write /no/such/folder/run"));

  Checkpoint written(path, test::world(), {.space = space});
  solve(space, 2, &written);
  const auto larger = std::make_shared<BoxSpace>(test::world(), Extents{24, 32});
  Checkpoint other(path, test::world(), {.space = larger});
  const Tensor x0 =
      at::zeros({1, 2, larger->local().extents()[0], larger->local().extents()[1]}, at::kDouble);
  CHECK_THAT(
      test::failure_of([&] { other.resume(x0); }).what(),
      test::contains("is [1, 2, 24, 31] float64") && test::contains("expected [1, 2, 24, 32]"));
  if (test::world()->is_root()) std::filesystem::resize_file(path, 4096);
  Checkpoint truncated(path, test::world(), {.space = space});
  CHECK_THAT(test::failure_of([&] { truncated.resume(space->scatter(image)); }).what(),
             test::contains("Nothing can be resumed from this file"));
  test::check_in_step();
}
