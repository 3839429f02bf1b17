// SPDX-License-Identifier: BSD-3-Clause
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <fstream>
#include <string>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "catch.hpp"
#include "engine.hpp"
#include "networks.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/denoiser/drunet.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"

using namespace test;
using tessera::DRUNet;

namespace {

/// A line of /proc/self/status, in bytes; 0 where there is none.
double status_bytes(const std::string& name) {
  std::ifstream status("/proc/self/status");
  std::string word;
  double kilobytes = 0;
  while (status >> word) {
    if (word == name + ":" && status >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TESSERA_TEST_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TESSERA_TEST_SANITIZED
#endif
#endif

/// Makes the peak start again at the present size; false where the system cannot, and under
/// sanitizers, which keep freed memory.
bool reset_peak() {
#ifdef TESSERA_TEST_SANITIZED
  return false;
#else
#ifdef __GLIBC__
  malloc_trim(0);  // else freed memory that the process still has would serve again
#endif
  std::ofstream("/proc/self/clear_refs") << "5" << std::flush;
  const double now = status_bytes("VmRSS");
  return now > 0 && status_bytes("VmHWM") < 1.02 * now;
#endif
}

tessera::StateDict random_weights(const KeyShapes& keys) {
  tessera::StateDict weights;
  for (const auto& [key, shape] : keys) weights[key] = kernel(shape, weights.size() + 1);
  return weights;
}

/// Growth of the process's peak while an image of this size is denoised, in bytes.
double measured(const tessera::Denoiser& denoiser, std::int64_t height, std::int64_t width) {
  const Tensor x = noise({1, 3, height, width}, 1);
  if (!reset_peak()) return 0;
  const double before = status_bytes("VmRSS");
  denoiser.denoise(x, 0.1);
  return status_bytes("VmHWM") - before;
}

}  // namespace

TEST_CASE("Memory: the estimate is within a tenth of what the process takes") {
  const c10::InferenceMode inference;
  const auto widths =
      GENERATE(std::vector<std::int64_t>{64, 128, 256}, std::vector<std::int64_t>{16, 32, 64, 128});
  const DRUNet net(random_weights(drunet_keys(3, widths, 1)));
  net.denoise(noise({1, 3, 64, 64}, 1), 0.1);  // transforms the weights
  const std::int64_t height = 1200;
  const std::int64_t width = 808;
  const double estimate = 4 * net.memory_estimate({1, 3, height, width}).value();
  // The system may drop pages of the program's files meanwhile, which hides growth: a few attempts.
  double bytes = 0;
  for (int attempt = 0; attempt < 5 && !(bytes > 0.9 * estimate); ++attempt) {
    bytes = measured(net, height, width);
    if (bytes == 0) {
      WARN("this system does not tell a process's peak memory");
      return;
    }
  }
  INFO(widths[0] << ": measured " << bytes / 1e6 << " MB, estimate " << estimate / 1e6 << " MB");
  CHECK(bytes > 0.9 * estimate);
  CHECK(bytes < 1.1 * estimate);
}

TEST_CASE("Memory: a limit makes TiledDenoiser choose tiles that keep it") {
  const c10::InferenceMode inference;
  const auto net = std::make_shared<const DRUNet>(random_weights(drunet_keys(3, {32, 64, 128}, 1)));
  net->denoise(noise({1, 3, 64, 64}, 1), 0.1);
  const std::int64_t height = 1024;
  const std::int64_t width = 1200;
  const double whole = 4 * net->memory_estimate({1, 3, height, width}).value();
  tessera::TilingOptions options;
  options.context = 16;
  options.blend = 8;
  const tessera::TiledDenoiser untiled(net, tessera::self_communicator(), options);
  CHECK(untiled.plan({1, 3, height, width}).tiles().size() == 1);
  options.memory_limit_bytes = whole / 4;
  const tessera::TiledDenoiser tiled(net, tessera::self_communicator(), options);
  CHECK(tiled.plan({1, 3, height, width}).tiles().size() > 4);

  const double images = 4.0 * 3 * static_cast<double>(height * width);  // result, sums, weights
  // Pages of the program's files that come back meanwhile look like growth: the best of a few.
  double bytes = measured(tiled, height, width);
  if (bytes == 0) return;
  for (int attempt = 1; attempt < 5 && bytes > options.memory_limit_bytes + 4 * images; ++attempt) {
    bytes = std::min(bytes, measured(tiled, height, width));
  }
  INFO("measured " << bytes / 1e6 << " MB, limit " << options.memory_limit_bytes / 1e6
                   << " MB and images of " << images / 1e6 << " MB");
  CHECK(bytes < options.memory_limit_bytes + 4 * images);
  CHECK(bytes < 0.7 * whole);
}
