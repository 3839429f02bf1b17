// SPDX-License-Identifier: BSD-3-Clause
// The same restoration alone and shared out over ranks; the results agree, and the solver knows of
// no rank.
//   mpiexec -n 4 four_ranks
// The ranks of a machine share its cores, so that their threads do not get in each other's way;
// OMP_NUM_THREADS=2 mpiexec ... gives each rank two.
#include <ATen/ops/arange.h>
#include <ATen/ops/sin.h>

#include <cstdio>

#include "tessera/comm/mpi.hpp"
#include "tessera/tessera.hpp"

using tessera::Tensor;

namespace {

// Eight blurs along different directions; the noise of each is a stream of its own.
std::unique_ptr<tessera::LinearPhysics> make_operator(std::int64_t index) {
  auto blur = std::make_unique<tessera::Blur>(
      tessera::gaussian_kernel(3.0, 1.0, 22.5 * static_cast<double>(index)));
  blur->set_noise(
      std::make_shared<tessera::GaussianNoise>(0.02, /*seed=*/42, std::nullopt, /*stream=*/index));
  return blur;
}

Tensor restore(const tessera::LinearPhysicsPtr& physics, tessera::DenoiserPtr denoiser,
               const Tensor& truth) {
  const tessera::L2 fidelity(physics, physics->measure(truth), truth);
  const auto prior = tessera::PlugAndPlay::fixed(std::move(denoiser), 0.02);
  return tessera::PnP(fidelity, prior, {.step = 0.1}).solve(fidelity.adjoint_of_data() / 8.0).x;
}

int run(const tessera::CommunicatorPtr& ranks) {
  const Tensor ramp = at::arange(256, at::kDouble);
  const Tensor truth = 0.5 + 0.5 * at::sin(0.002 * ramp.view({1, 1, -1, 1}) * ramp);
  const auto denoiser = std::make_shared<tessera::TotalVariation>();

  const auto shared = std::make_shared<tessera::DistributedPhysics>(8, make_operator, ranks);
  const Tensor x =
      restore(shared, std::make_shared<tessera::TiledDenoiser>(denoiser, ranks), truth);

  const auto self = tessera::self_communicator();
  const auto alone = std::make_shared<tessera::DistributedPhysics>(8, make_operator, self);
  tessera::TilingOptions same_tiles;
  same_tiles.ranks = ranks->size();  // a plan, not the ranks, decides about the result
  const Tensor serial =
      restore(alone, std::make_shared<tessera::TiledDenoiser>(denoiser, self, same_tiles), truth);

  const double difference = (x - serial).abs().max().item<double>();
  if (ranks->is_root())
    std::printf("%d ranks, largest difference from one: %.1e\n", ranks->size(), difference);
  return difference < 1e-12 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return tessera::run_with_mpi(argc, argv, "four_ranks", run);
}
