// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/full.h>

#include "catch.hpp"
#include "networks.hpp"
#include "tessera/comm/counting.hpp"
#include "tessera/denoiser/dncnn.hpp"
#include "tessera/denoiser/drunet.hpp"
#include "tessera/distributed/boxed_operator.hpp"
#include "tessera/distributed/gathered_denoiser.hpp"
#include "tessera/distributed/layerwise_denoiser.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/solver/pnp.hpp"
#include "world.hpp"

using namespace tessera;
using test::relative_error;

// Networks that ranks compute layer by layer, each on its box, beside the same on the whole image.
namespace {

constexpr std::int64_t blocks = 2;
constexpr std::int64_t depth = 5;

LayerwiseNetworkPtr drunet(std::int64_t channels = 3, std::int64_t dimensions = 2,
                           NetworkOptions options = {}) {
  return std::make_shared<DRUNet>(
      test::sine_weights(test::drunet_keys(channels, {4, 6, 8, 8}, blocks, dimensions)), options);
}

std::shared_ptr<const DnCNN> dncnn(bool has_bias, NetworkOptions options = {},
                                   std::int64_t layers = depth) {
  return std::make_shared<DnCNN>(test::sine_weights(test::dncnn_keys(3, 6, layers, has_bias)),
                                 options);
}

BoxSpacePtr shared_out(const Tensor& image, std::int64_t alignment, Extents grid = {}) {
  return std::make_shared<BoxSpace>(test::world(), image.sizes().slice(2).vec(),
                                    BoxSpaceOptions{std::move(grid), alignment});
}

/// The image denoised by boxes, against the same whole.
double error_of(const LayerwiseNetworkPtr& network, const BoxSpacePtr& space, const Tensor& image,
                double level = 0.1) {
  const LayerwiseDenoiser layerwise(network, space);
  const Tensor own = layerwise.denoise(space->scatter(image), level);
  return relative_error(space->gather(own), network->denoise(image, level));
}

/// A column of boxes, and a row.
std::vector<Extents> thin_grids() {
  const auto ranks = static_cast<std::int64_t>(test::world()->size());
  return {{}, {ranks, 1}, {1, ranks}};
}

}  // namespace

TEST_CASE("DRUNet layer by layer on boxes is DRUNet on the whole image") {
  // As it is; extended to multiples of 8, and to multiples of 16, beyond what the cuts know of.
  for (const Extents& shape : {Extents{2, 3, 64, 72}, {1, 3, 70, 77}, {1, 3, 37, 33}}) {
    const Tensor image = test::indexed(shape);
    for (const Extents& grid : thin_grids()) {  // up to boxes of one pixel of the coarsest scale
      CAPTURE(shape, grid);
      CHECK(error_of(drunet(), shared_out(image, 8, grid), image) < 1e-12);
    }
  }
  const Tensor volume = test::indexed({1, 1, 40, 17, 33});
  CHECK(error_of(drunet(1, 3), shared_out(volume, 8), volume) < 1e-12);
}

TEST_CASE("DnCNN layer by layer on boxes is DnCNN on the whole image") {
  const Tensor image = test::indexed({2, 3, 29, 37});
  for (const bool has_bias : {false, true}) {
    for (const Extents& grid : thin_grids()) {
      CHECK(error_of(dncnn(has_bias), shared_out(image, 1, grid), image) < 1e-12);
    }
  }
}

TEST_CASE("single precision on boxes is as exact as on the whole image") {
  NetworkOptions reference;
  reference.engine = Engine::reference;
  const NetworkOptions automatic;
  const Tensor image = test::indexed({2, 3, 70, 77}, 0, at::kFloat);
  CHECK(error_of(drunet(3, 2, reference), shared_out(image, 8), image) < 1e-6);
  CHECK(error_of(dncnn(true, reference), shared_out(image, 1), image) < 1e-6);
  // With the engine, which computes windows of any extents; an even and an odd number of layers.
  for (const Extents& grid : thin_grids()) {
    CHECK(error_of(drunet(3, 2, automatic), shared_out(image, 8, grid), image) < 1e-6);
    CHECK(error_of(dncnn(true, automatic), shared_out(image, 1, grid), image) < 1e-6);
    CHECK(error_of(dncnn(false, automatic, depth + 1), shared_out(image, 1, grid), image) < 1e-6);
  }
  // Of volumes, along any axis; the engine computes windows there too, whose tiles begin elsewhere,
  // and a volume's sums of three times as many products round more.
  const auto ranks = static_cast<std::int64_t>(test::world()->size());
  const Tensor volume = test::indexed({2, 1, 37, 33, 40}, 0, at::kFloat);
  for (const Extents& grid : {Extents{ranks, 1, 1}, {1, ranks, 1}, {1, 1, ranks}}) {
    CHECK(error_of(drunet(1, 3, automatic), shared_out(volume, 8, grid), volume) < 5e-6);
  }
  // Features of 16 bits travel too.
  NetworkOptions half;
  half.compute_type = at::kBFloat16;
  CHECK(error_of(drunet(3, 2, half), shared_out(image, 8), image) < 2e-2);
}

TEST_CASE("a map of noise levels is shared out as the image is") {
  const Tensor image = test::indexed({1, 3, 70, 77});
  const Tensor levels = 0.2 + 0.1 * test::indexed({1, 1, 70, 77}, 2);
  const BoxSpacePtr space = shared_out(image, 8);
  const auto network = drunet();
  const LayerwiseDenoiser layerwise(network, space);
  const Tensor own = layerwise.denoise(space->scatter(image), NoiseLevel(space->scatter(levels)));
  CHECK(relative_error(space->gather(own), network->denoise(image, NoiseLevel(levels))) < 1e-12);
}

TEST_CASE("ranks exchange once per residual block and once per single convolution") {
  const auto counting = std::make_shared<CountingCommunicator>(test::world());
  const bool alone = counting->size() == 1;
  const Tensor image = test::indexed({1, 3, 64, 72});
  const auto space =
      std::make_shared<BoxSpace>(counting, Extents{64, 72}, BoxSpaceOptions{.alignment = 8});
  const auto exchanges_of = [&](const LayerwiseNetworkPtr& network, at::ScalarType type) {
    const LayerwiseDenoiser layerwise(network, space);
    counting->reset();
    layerwise.denoise(space->scatter(image).to(type), 0.1);
    CHECK(counting->data().calls == counting->data(Collective::exchange).calls);
    return counting->data(Collective::exchange).calls;
  };
  // Four scales: seven stages of blocks, head and tail, nothing for the six steps between scales.
  CHECK(exchanges_of(drunet(), at::kDouble) == (alone ? 0 : 7 * blocks + 2));
  CHECK(exchanges_of(drunet(), at::kFloat) == (alone ? 0 : 7 * blocks + 2));
  const auto network = dncnn(true);
  CHECK(exchanges_of(network, at::kDouble) == (alone ? 0 : depth));
  // The engine takes the inner layers in pairs.
  const bool has_engine = !network->engine_summary().empty();
  CHECK(exchanges_of(network, at::kFloat) ==
        (alone ? 0 : (has_engine ? 2 + (depth - 1) / 2 : depth)));
}

TEST_CASE("plug and play with a network on boxes is that on the whole image") {
  const Tensor image = 0.5 + 0.3 * test::indexed({1, 3, 40, 77});
  const BoxSpacePtr space = shared_out(image, 8);
  const Tensor kernel = gaussian_kernel(1.2, 0.8, 30);
  const auto whole = std::make_shared<Blur>(kernel, Padding::reflect);
  const TensorList y = whole->forward(image);
  const L2 of_whole(whole, y, image);
  const L2 of_boxes(boxed_blur(space, kernel, Padding::reflect), {space->scatter(y.front())},
                    space->scatter(image));

  const auto network = drunet();
  const PlugAndPlay prior = PlugAndPlay::fixed(network, NoiseLevel(0.1));
  const PlugAndPlay of_layers =
      PlugAndPlay::fixed(std::make_shared<LayerwiseDenoiser>(network, space), NoiseLevel(0.1));
  PnPOptions pnp{.step = 0.4};
  pnp.stopping.max_iterations = 4;
  const Tensor expected = PnP(of_whole, prior, pnp).solve(y.front()).x;
  const SolveResult reached = PnP(of_boxes, of_layers, pnp).solve(space->scatter(y.front()));
  CHECK(relative_error(space->gather(reached.x), expected) < 1e-12);
}

TEST_CASE("an image that every rank has whole is denoised by boxes and gathered") {
  const Tensor image = test::indexed({2, 3, 41, 77});  // the last boxes are extended
  const LayerwiseNetworkPtr network = drunet();
  const BoxSpacePtr space = shared_out(image, 8);
  const GatheredDenoiser gathered(std::make_shared<LayerwiseDenoiser>(network, space), space);
  const Tensor expected = network->denoise(image, 0.1);
  CHECK(relative_error(gathered.denoise(image, 0.1), expected) < 1e-12);
  const Tensor map = at::full({2, 1, 41, 77}, 0.2, image.options());
  map.slice(3, 30, 60).fill_(0.05);
  CHECK(relative_error(gathered.denoise(image, NoiseLevel(map)),
                       network->denoise(image, NoiseLevel(map))) < 1e-12);
  CHECK_THROWS_WITH(gathered.denoise(image.narrow(3, 0, 76), 0.1),
                    test::contains("expected extents [41, 77], those of the space"));
  CHECK_THROWS_WITH(GatheredDenoiser(nullptr, space), test::contains("is null"));
}

TEST_CASE("boxes and images that a network cannot take are refused on every rank") {
  const auto ranks = static_cast<std::int64_t>(test::world()->size());
  const Tensor image = test::indexed({1, 3, 41, 41});
  CHECK_THROWS_WITH(LayerwiseDenoiser(nullptr, shared_out(image, 8)), test::contains("is null"));
  const LayerwiseDenoiser layerwise(drunet(), shared_out(image, 8));
  CHECK_THROWS_WITH(layerwise.denoise(test::indexed({1, 3, 7, 7}), 0.1),
                    test::contains("those of the box [0, "));
  if (ranks == 1) return;  // a single box has no cuts, and no other rank to wait for
  CHECK_THROWS_WITH(LayerwiseDenoiser(drunet(), shared_out(image, 1)),
                    test::contains("make the space with BoxSpaceOptions{.alignment = 8}"));
  // Where one rank fails, nobody waits in the first exchange.
  const std::int64_t channels = test::world()->rank() == 1 ? 1 : 3;
  const Tensor own = test::indexed({1, channels, 41, 41});
  CHECK_THROWS_WITH(layerwise.denoise(shared_out(own, 8)->scatter(own), 0.1),
                    test::contains("expected 3 channels"));
}
