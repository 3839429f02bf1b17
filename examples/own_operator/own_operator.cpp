// A forward model of one's own: three functions, and everything else works with it.
#include <ATen/ops/arange.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randn_like.h>
#include <ATen/ops/sin.h>

#include <cmath>
#include <cstdio>

#include "tessera/tessera.hpp"

using tessera::Tensor;

namespace {

/// Means of 2x2 pixels: what a detector with pixels of twice the size sees.
class Binning : public tessera::LinearOperator {
 public:
  std::string name() const override { return "binning"; }

 private:
  Tensor do_apply(const Tensor& x) const override { return at::avg_pool2d(x, {2, 2}); }
  Tensor do_apply_adjoint(const Tensor& v) const override {
    return 0.25 * v.repeat_interleave(2, -2).repeat_interleave(2, -1);
  }
};

/// |<A x, v> - <x, A^T v>| / (||A x|| ||v||): rounding, or the adjoint is none.
double adjoint_error(const tessera::LinearOperator& a, const Tensor& x) {
  const Tensor forward = a.apply(x);
  const Tensor v = at::randn_like(forward);
  const Tensor difference = (forward * v).sum() - (x * a.apply_adjoint(v)).sum();
  return (difference.abs() / (forward.norm() * v.norm())).item<double>();
}

}  // namespace

int main() {
  const Tensor ramp = at::arange(64, at::kDouble);
  const Tensor truth = 0.5 + 0.5 * at::sin(0.01 * ramp.view({1, 1, -1, 1}) * ramp);
  const auto binning = std::make_shared<Binning>();
  binning->set_noise(std::make_shared<tessera::GaussianNoise>(0.01, /*seed=*/1));

  const double error = adjoint_error(*binning, at::randn({1, 3, 64, 64}, at::kDouble));
  std::printf("dot test %.1e, norm %.4f (0.5)\n", error, std::sqrt(binning->norm_squared(truth)));

  // Twice the resolution from the bins: smooth where the data say nothing.
  const tessera::TensorList y = binning->measure(truth);
  const tessera::L2 fidelity(binning, y, truth);
  const auto prior = tessera::PlugAndPlay::fixed(std::make_shared<tessera::TotalVariation>(), 0.01);
  const auto result = tessera::PnP(fidelity, prior, {.step = 4, .stopping = {.max_iterations = 50}})
                          .solve(4 * fidelity.adjoint_of_data());
  std::printf("bins %.2f dB, restored %.2f dB\n",
              tessera::psnr(4 * fidelity.adjoint_of_data(), truth).item<double>(),
              tessera::psnr(result.x, truth).item<double>());
  return error < 1e-12 ? 0 : 1;
}
