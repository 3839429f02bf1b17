// SPDX-License-Identifier: BSD-3-Clause
// A program with its own operator, compiled by hand: tessera's headers, LibTorch, Eigen and fmt, no
// library of tessera.
#include <ATen/ops/arange.h>
#include <ATen/ops/sin.h>

#include <cstdio>
#include <tessera/tessera.hpp>

using tessera::Tensor;

namespace {

class Halving : public tessera::LinearOperator {
 public:
  std::string name() const override { return "halving"; }

 private:
  Tensor do_apply(const Tensor& x) const override { return 0.5 * x; }
  Tensor do_apply_adjoint(const Tensor& v) const override { return 0.5 * v; }
};

}  // namespace

int main() {
  const tessera::CommunicatorPtr ranks = tessera::self_communicator();
  const Tensor ramp = at::arange(64, at::kDouble);
  const Tensor truth = 0.5 + 0.4 * at::sin(0.02 * ramp.view({1, 1, -1, 1}) * ramp);

  const std::vector<tessera::LinearPhysicsPtr> operators = {
      std::make_shared<Halving>(), std::make_shared<tessera::Blur>(tessera::gaussian_kernel(1, 2))};
  const tessera::StackedPhysics stack(operators);
  const auto physics = std::make_shared<tessera::DistributedPhysics>(stack, ranks);
  const tessera::L2 fidelity(physics, physics->forward(truth), truth);
  const auto denoiser = std::make_shared<tessera::TiledDenoiser>(
      std::make_shared<tessera::TotalVariation>(), ranks, tessera::TilingOptions{.ranks = 2});

  const auto fixed = tessera::PlugAndPlay::fixed(denoiser, 0.002);
  const tessera::PnP pnp(
      fidelity, fixed,
      {.step = 1 / physics->norm_squared(truth), .stopping = {.max_iterations = 30}});
  const auto matched = tessera::PlugAndPlay::matched(denoiser);
  const tessera::HQS hqs(fidelity, matched, {.schedule = tessera::HqsSchedule::dpir(0.005, 8)});
  const double by_pnp = tessera::psnr(pnp.solve(truth * 0).x, truth).item<double>();
  const double by_hqs = tessera::psnr(hqs.solve(truth * 0).x, truth).item<double>();
  std::printf("by hand: PnP %.1f dB, HQS %.1f dB\n", by_pnp, by_hqs);
  return by_pnp > 33 && by_hqs > 33 ? 0 : 1;
}
