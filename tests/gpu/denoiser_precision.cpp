// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/Context.h>
#include <c10/core/InferenceMode.h>

#include <cstdio>

#include "catch.hpp"
#include "networks.hpp"
#include "runner.hpp"
#include "tensors.hpp"
#include "tessera/denoiser/dncnn.hpp"
#include "tessera/denoiser/drunet.hpp"

/// Networks on a GPU, in each precision, against float64 on the processor. Needs a build with
/// TESSERA_CUDA=ON.

using namespace tessera;

namespace {

struct Precision {
  GpuPrecision precision;
  const char* name;
  double bound;  // of the relative error, root mean square
};

const Precision precisions[] = {{GpuPrecision::half, "half", 5e-3},
                                {GpuPrecision::bfloat16, "bfloat16", 4e-2},
                                {GpuPrecision::tf32, "tf32", 3e-3},
                                {GpuPrecision::float32, "float32", 1e-5}};

template <typename Net>
void check_precisions(const StateDict& weights) {
  const c10::InferenceMode inference;
  const Tensor x = test::sine_image(3, 96, 72);
  const Tensor exact = Net(weights).denoise(x, 0.07);
  const Tensor image = x.to(at::kFloat).to(at::kCUDA);
  const bool tf32_before = at::globalContext().allowTF32CuDNN();
  for (const Precision& each : precisions) {
    NetworkOptions options;
    options.gpu_precision = each.precision;
    const Tensor result = Net(weights, options).denoise(image, 0.07);
    CHECK(result.scalar_type() == at::kFloat);
    CHECK(result.is_cuda());
    const double error = test::relative_error(result.cpu(), exact);
    WARN(each.name << ": relative error " << error << ", bound " << each.bound);
    CHECK(error < each.bound);
    CHECK(error > 0);
  }
  CHECK(at::globalContext().allowTF32CuDNN() == tf32_before);
}

}  // namespace

TEST_CASE("DRUNet on a GPU is as accurate as each precision promises") {
  check_precisions<DRUNet>(test::sine_weights(test::drunet_keys(3, {16, 24, 32, 40}, 2)));
}

TEST_CASE("DnCNN on a GPU is as accurate as each precision promises") {
  check_precisions<DnCNN>(test::sine_weights(test::dncnn_keys(3, 16, 6, true)));
}

TEST_CASE("A GPU's derivatives are computed in the image's own type") {
  const DRUNet net(test::sine_weights(test::drunet_keys(3, {8, 16}, 1)));
  Tensor image = test::sine_image(3, 64, 64).requires_grad_();
  net.denoise(image, 0.07).sum().backward();
  Tensor on_gpu = image.detach().to(at::kFloat).to(at::kCUDA).requires_grad_();
  net.denoise(on_gpu, 0.07).sum().backward();
  CHECK(test::relative_error(on_gpu.grad().cpu(), image.grad()) < 2e-3);
}

int main(int argc, char** argv) {
  if (!at::globalContext().hasCUDA()) {
    std::printf("skipped: no CUDA device, or a build without TESSERA_CUDA=ON\n");
    return 77;
  }
  return test::run(argc, argv);
}
