// SPDX-License-Identifier: BSD-3-Clause
// DRUNet on a GPU in each precision, beside LibTorch's own operations in the same precision: times,
// peak memory, and how far the values are from float64 on the processor. Prints JSON.
//
//   gpu_figures --size 512 --rounds 10 --device cuda
//
// Exit code 1 if values are further off than tests/gpu/denoiser_precision.cpp allows. --device cpu
// runs the program where there is no GPU: every precision is float32 then.
#include <ATen/Context.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "../bench/eager_drunet.hpp"
#include "../bench/times.hpp"
#include "networks.hpp"
#include "tessera/denoiser/drunet.hpp"
#include "tessera/run/memory.hpp"

namespace {

using bench::seconds;
using bench::Times;
using tessera::GpuPrecision;
using tessera::Tensor;

constexpr double level = 0.05;

struct Options {
  std::int64_t size = 512;
  int rounds = 10;
  std::vector<std::int64_t> widths = {64, 128, 256, 512};
  std::int64_t blocks = 4;
  std::string device = "cuda";
};

struct Precision {
  GpuPrecision precision;
  const char* name;
  at::ScalarType type;  // of LibTorch's operations
  double bound;         // of the relative error, root mean square
};

const Precision precisions[] = {{GpuPrecision::half, "half", at::kHalf, 5e-3},
                                {GpuPrecision::bfloat16, "bfloat16", at::kBFloat16, 4e-2},
                                {GpuPrecision::tf32, "tf32", at::kFloat, 3e-3},
                                {GpuPrecision::float32, "float32", at::kFloat, 1e-5}};

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || stop != text.data() + text.size() || value < 1 || value > 1 << 16)
    throw std::invalid_argument(fmt::format("'{}' is no number from 1 to 65536", text));
  return value;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (i + 1 == argc) throw std::invalid_argument(fmt::format("{} needs a value", name));
    const std::string value = argv[i + 1];
    if (name == "--size") {
      options.size = number(value);
    } else if (name == "--rounds") {
      options.rounds = static_cast<int>(number(value));
    } else if (name == "--blocks") {
      options.blocks = number(value);
    } else if (name == "--width") {
      const std::int64_t width = number(value);
      options.widths = {width, 2 * width, 4 * width, 8 * width};
    } else if (name == "--device" && (value == "cuda" || value == "cpu")) {
      options.device = value;
    } else {
      throw std::invalid_argument(
          fmt::format("{} {}: expected --size, --rounds, --blocks or --width with a number, or "
                      "--device cuda or cpu",
                      name, value));
    }
  }
  return options;
}

/// Uniform in +-1 / sqrt(fan-in), LibTorch's default.
tessera::StateDict random_weights(const Options& options) {
  tessera::StateDict weights;
  for (const auto& [key, shape] : test::drunet_keys(3, options.widths, options.blocks)) {
    const double bound = 1 / std::sqrt(static_cast<double>(shape[1] * shape[2] * shape[3]));
    weights[key] = (at::rand(shape) * 2 - 1) * bound;
  }
  return weights;
}

struct Measurement {
  Times times;
  double peak_mb = 0;
  double error = 0;  // relative, root mean square, against `exact`
  std::string json() const {
    return fmt::format(
        "{{\"min_s\": {:.5f}, \"median_s\": {:.5f}, \"peak_mb\": {:.1f}, \"relative_error\": "
        "{:.3g}}}",
        times.all.front(), times.median(), peak_mb, error);
  }
};

/// `denoise` on the device of `x`: once to warm up, then `rounds` times.
template <typename Denoise>
Measurement measured(const Denoise& denoise, const Tensor& x, int rounds) {
  Measurement measurement;
  tessera::reset_memory_peak(x.device());
  denoise();
  tessera::synchronize(x);
  measurement.peak_mb = tessera::memory_use(x.device()).peak_mb;
  for (int round = 0; round < rounds; ++round) {
    measurement.times.add(seconds([&] {
      denoise();
      tessera::synchronize(x);
    }));
  }
  return measurement;
}

tessera::StateDict moved(const tessera::StateDict& weights, const Tensor& x, at::ScalarType type) {
  tessera::StateDict result;
  for (const auto& [key, weight] : weights) result[key] = weight.to(x.device(), type);
  return result;
}

int run(const Options& options) {
  const at::Device device(options.device);
  const bool on_gpu = !device.is_cpu();
  const tessera::StateDict weights = random_weights(options);
  const Tensor image = at::rand({1, 3, options.size, options.size});
  // The values are checked on a part of the image: float64 on the processor is slow.
  const Tensor part = image.slice(2, 0, 128).slice(3, 0, 128).contiguous();
  const Tensor exact = tessera::DRUNet(weights).denoise(part.to(at::kDouble), level);
  const Tensor x = image.to(device);
  const Tensor small = part.to(device);
  bool is_good = true;
  fmt::print("{{\"device\": \"{}\", \"size\": {}, \"rounds\": {}", options.device, options.size,
             options.rounds);
  for (const Precision& each : precisions) {
    tessera::NetworkOptions network;
    network.gpu_precision = each.precision;
    const tessera::DRUNet ours(weights, network);
    const at::ScalarType type = on_gpu ? each.type : at::kFloat;
    const bench::EagerDrunet eager(moved(weights, x, type), options.widths.size(), options.blocks);
    const auto by_libtorch = [&](const Tensor& y) {
      const Tensor map = at::full({1, 1, y.size(2), y.size(3)}, level, y.options());
      return eager(at::cat({y, map}, 1).to(type)).to(y.scalar_type());
    };
    const bool tf32 = at::globalContext().allowTF32CuDNN();
    at::globalContext().setAllowTF32CuDNN(each.precision == GpuPrecision::tf32);
    Measurement us = measured([&] { return ours.denoise(x, level); }, x, options.rounds);
    Measurement them = measured([&] { return by_libtorch(x); }, x, options.rounds);
    us.error = test::relative_error(ours.denoise(small, level).cpu().to(at::kDouble), exact);
    them.error = test::relative_error(by_libtorch(small).cpu().to(at::kDouble), exact);
    at::globalContext().setAllowTF32CuDNN(tf32);
    fmt::print(",\n \"{}\": {{\"tessera\": {}, \"libtorch\": {}, \"ratio_of_medians\": {:.2f}}}",
               each.name, us.json(), them.json(), them.times.median() / us.times.median());
    const double bound = on_gpu ? each.bound : 1e-5;
    if (!(us.error < bound)) {
      is_good = false;
      fmt::print(stderr, "gpu_figures: {}: relative error {}, expected below {}\n", each.name,
                 us.error, bound);
    }
  }
  fmt::print("}}\n");
  return is_good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  const Options options = parse(argc, argv);
  if (options.device == "cuda" && !at::globalContext().hasCUDA()) {
    fmt::print(stderr, "gpu_figures: no CUDA device, or a build without TESSERA_CUDA=ON\n");
    return 77;
  }
  const c10::InferenceMode inference;
  return run(options);
} catch (const std::exception& error) {
  fmt::print(stderr, "gpu_figures: {}\n", error.what());
  return 2;
}
