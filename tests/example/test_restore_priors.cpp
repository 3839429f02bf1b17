// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>

#include <cstdint>
#include <string>

#include "catch.hpp"
#include "files.hpp"
#include "restore/pictures.hpp"
#include "restore/plan.hpp"
#include "restore/run.hpp"
#include "restore_quality.hpp"
#include "restore_workplace.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/denoiser/inflate_2d.hpp"
#include "tessera/io/default_weights.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/io/safetensors.hpp"
#include "tessera/io/state_dict.hpp"
#include "tessera/physics/noise.hpp"

using namespace restore;
using restoration::SolverKind;
using tessera::Tensor;

TEST_CASE("restore: wavelets are a prior of pictures and volumes", "[restore]") {
  const test::TemporaryFolder folder;
  const std::string config = folder.file("c.yml");
  test::write_bytes(config, "measurements: [" + shared_file("photo.png") +
                                "]\noperator: {blur: {kernel: " + shared_file("psf.tif") +
                                ", normalise: true}}\noutput: o.png\nprior: wavelet\n");
  // Measured 24.28 dB.
  CHECK(quality_of(config, "o.png", "truth.png", 255) > 25.4);
}

TEST_CASE("restore: a learned sum of potentials is a prior of pictures and volumes", "[restore]") {
  const Workplace workplace;
  const Plan plan = workplace.plan(with("noise: {level: 5.1}\nprior: ridge"));
  CHECK(plan.method.prior == restoration::PriorKind::ridge);
  CHECK(plan.method.solver == SolverKind::proximal_gradient);
  CHECK(plan.method.denoiser_sigma == Approx(0.02));
  CHECK(plan.rule == WeightRule::risk);
  CHECK(table_of(plan).find("prior          ridge of grey images") != std::string::npos);
  CHECK(table_of(workplace.plan(of_file("stack.tif") +
                                "noise: {level: 1}\nimage: {white: 319}\nprior: ridge\n"))
            .find("ridge of volumes") != std::string::npos);

  const test::TemporaryFolder folder;
  const std::string config = folder.file("c.yml");
  test::write_bytes(config, "measurements: [" + shared_file("photo.png") +
                                "]\noperator: {blur: {kernel: " + shared_file("psf.tif") +
                                ", normalise: true}}\nnoise: {level: 3}\noutput: o.png\n" +
                                "prior: ridge\n");
  // Measured 24.28 dB.
  CHECK(quality_of(config, "o.png", "truth.png", 255) > 27.7);

  const Tensor cells = read_picture(shared_file("cells.npy")).values / 255;
  tessera::write_npy(folder.file("noisy.npy"), tessera::GaussianNoise(0.05, 9).add(cells)[0][0]);
  test::write_bytes(config,
                    "measurements: [noisy.npy]\nnoise: {level: 0.05}\nimage: {white: 1}\n"
                    "output: o.npy\nprior: {name: ridge, weight: 1}\n");
  // Measured 26.0 dB.
  CHECK(quality_of(config, "o.npy", "cells.npy", 1, 255) > 31.8);
}

TEST_CASE("restore: a network for pictures denoises volumes, whole and in tiles", "[restore]") {
  // 40 slices are more than a tile has.
  const Tensor slices = at::linspace(-1, 1, 40, at::kDouble).view({40, 1, 1});
  const Tensor rows = at::linspace(-1, 1, 32, at::kDouble).view({32, 1});
  const Tensor columns = at::linspace(-1, 1, 36, at::kDouble);
  const Tensor radii = (slices.square() + rows.square() + columns.square()).sqrt();
  const Tensor truth = 0.2 + 0.6 * (radii < 0.7).to(at::kDouble);
  const std::int64_t depth = GENERATE(16, 40);
  const test::TemporaryFolder folder;
  const Tensor clean = truth.narrow(0, 0, depth);
  tessera::write_npy(folder.file("y.npy"), tessera::GaussianNoise(0.1, 7).add(clean));
  test::write_bytes(folder.file("c.yml"),
                    "measurements: [y.npy]\nnoise: {level: 0.1}\noutput: o.npy\n"
                    "prior: drunet\nsolver: {iterations: 4}\n");
  const RunOrders orders{.config = folder.file("c.yml"), .threads = 2, .quiet = true};
  REQUIRE(run(orders, tessera::self_communicator()) == 0);
  const Tensor restored = tessera::read_npy(folder.file("o.npy"));
  CHECK(restored.sizes() == clean.sizes());
  CHECK((restored - clean).square().mean().sqrt().item<double>() < 0.06);
}

TEST_CASE("restore: a network for volumes of one's own is taken as it is", "[restore]") {
  const test::TemporaryFolder folder;
  const Tensor clean = at::full({8, 16, 24}, 0.5, at::kDouble);
  tessera::write_npy(folder.file("y.npy"), tessera::GaussianNoise(0.1, 7).add(clean));
  tessera::write_safetensors(folder.file("own.safetensors"),
                             tessera::inflate_2d(tessera::read_state_dict(
                                 tessera::default_weights(tessera::DefaultWeights::drunet_grey))));
  const auto restored_with = [&](const std::string& prior) {
    test::write_bytes(folder.file("c.yml"),
                      "measurements: [y.npy]\nnoise: {level: 0.1}\noutput: o.npy\nprior: " + prior +
                          "\nsolver: {iterations: 2}\n");
    const RunOrders orders{.config = folder.file("c.yml"), .threads = 1, .quiet = true};
    REQUIRE(run(orders, tessera::self_communicator()) == 0);
    return tessera::read_npy(folder.file("o.npy"));
  };
  CHECK(at::equal(restored_with("{name: drunet, weights: own.safetensors}"),
                  restored_with("drunet")));
}
