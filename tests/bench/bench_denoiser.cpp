// SPDX-License-Identifier: BSD-3-Clause
// How fast the denoiser's convolutions are on this processor: the whole network, its layers, and
// LibTorch's own operations beside them, in alternated rounds. Prints JSON. See
// docs/reference/performance.md.
//
//   bench_denoiser --height 512 --width 512 --threads 2 --widths 64,128,256,512 --blocks 4
//                  --rounds 3
//                  --depth 64      a volume of so many planes, and the network for volumes
//                  --layers        times the layers one by one too, those of images
//                  --no-reference  leaves LibTorch out

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "eager_drunet.hpp"
#include "engine/kernels.hpp"
#include "layer_times.hpp"
#include "networks.hpp"
#include "tessera/denoiser/drunet.hpp"
#include "times.hpp"

namespace {

using bench::seconds;
using bench::Times;
using tessera::Tensor;

struct Options {
  std::int64_t height = 512;
  std::int64_t width = 512;
  std::int64_t depth = 0;  // 0: an image
  int threads = at::get_num_threads();
  std::vector<std::int64_t> widths = {64, 128, 256, 512};
  std::int64_t blocks = 4;
  int rounds = 3;
  bool layers = false;
  bool reference = true;
};

[[noreturn]] void usage(const std::string& wrong) {
  fmt::print(stderr,
             "bench_denoiser: {}\noptions: --height N --width N --depth N --threads N --widths "
             "a,b,... --blocks N "
             "--rounds N --layers --no-reference\n",
             wrong);
  std::exit(2);
}

std::vector<std::int64_t> numbers(const std::string& text) {
  std::vector<std::int64_t> all;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    all.push_back(std::atoll(text.substr(at, comma - at).c_str()));
    if (all.back() <= 0) usage("not a list of positive numbers: " + text);
    at = comma + 1;
  }
  if (all.empty()) usage("an empty list");
  return all;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--layers") {
      options.layers = true;
      continue;
    }
    if (name == "--no-reference") {
      options.reference = false;
      continue;
    }
    if (i + 1 == argc) usage(name + " needs a value, or is unknown");
    const std::vector<std::int64_t> value = numbers(argv[++i]);
    if (name == "--height")
      options.height = value[0];
    else if (name == "--width")
      options.width = value[0];
    else if (name == "--depth")
      options.depth = value[0];
    else if (name == "--threads")
      options.threads = static_cast<int>(value[0]);
    else if (name == "--widths")
      options.widths = value;
    else if (name == "--blocks")
      options.blocks = value[0];
    else if (name == "--rounds")
      options.rounds = static_cast<int>(value[0]);
    else
      usage("unknown option " + name);
  }
  return options;
}

std::int64_t pixel_count(const Options& o) {
  return std::max<std::int64_t>(o.depth, 1) * o.height * o.width;
}

std::vector<std::int64_t> image_shape(const Options& o, std::int64_t channels) {
  if (o.depth == 0) return {1, channels, o.height, o.width};
  return {1, channels, o.depth, o.height, o.width};
}

/// Floating-point operations of the network by its definition: two per multiply-add of each
/// convolution.
double network_flop(const Options& o, std::int64_t channels) {
  const double positions = o.depth == 0 ? 9 : 27;  // of a kernel
  double per_pixel = 0;
  double share = 1;  // of this scale in the pixels
  for (std::size_t i = 0; i < o.widths.size(); ++i, share /= o.depth == 0 ? 4 : 8) {
    const auto width = static_cast<double>(o.widths[i]);
    const bool last = i + 1 == o.widths.size();
    per_pixel +=
        share * width * width * positions * 2 * static_cast<double>(o.blocks) * (last ? 1 : 2);
    if (!last) per_pixel += 2 * share * width * static_cast<double>(o.widths[i + 1]);
  }
  per_pixel += positions * static_cast<double>(o.widths[0] * (2 * channels + 1));
  return 2 * per_pixel * static_cast<double>(pixel_count(o));
}

/// Uniform in +-1 / sqrt(fan-in), LibTorch's default.
tessera::StateDict random_weights(const Options& o, std::int64_t channels) {
  tessera::StateDict weights;
  for (const auto& [key, shape] :
       test::drunet_keys(channels, o.widths, o.blocks, o.depth == 0 ? 2 : 3)) {
    const Tensor values = at::rand(shape) * 2 - 1;
    weights[key] = values / std::sqrt(static_cast<double>(values.numel() / shape[0]));
  }
  return weights;
}

void bench_network(const Options& o) {
  constexpr std::int64_t image_channels = 3;
  constexpr double noise_level = 0.05;
  const tessera::StateDict weights = random_weights(o, image_channels);
  tessera::NetworkOptions reference_options;
  reference_options.engine = tessera::Engine::reference;
  const tessera::DRUNet ours(weights);
  const tessera::DRUNet channels_last(weights, reference_options);
  const bench::EagerDrunet eager(weights, o.widths.size(), o.blocks);
  const Tensor x = at::rand(image_shape(o, image_channels));
  const Tensor input = at::cat({x, at::full(image_shape(o, 1), noise_level)}, 1);

  const double flop = network_flop(o, image_channels);
  const Tensor result = ours.denoise(x, noise_level);  // transforms the weights, makes the buffer
  rusage usage_now{};
  getrusage(RUSAGE_SELF, &usage_now);
  const double peak_mb = static_cast<double>(usage_now.ru_maxrss) / 1024;
  double difference = 0;
  Times our_times;
  Times eager_times;
  Times channels_last_times;
  if (o.reference) {
    channels_last.denoise(x, noise_level);
    const Tensor expected = eager(input);
    difference = ((result - expected).norm() / expected.norm()).item<double>();
  }
  for (int round = 0; round < o.rounds; ++round) {
    for (int repeat = 0; repeat < 3; ++repeat)
      our_times.add(seconds([&] { ours.denoise(x, noise_level); }));
    if (!o.reference) continue;
    eager_times.add(seconds([&] { eager(input); }));
    channels_last_times.add(seconds([&] { channels_last.denoise(x, noise_level); }));
  }
  fmt::print(
      "  \"network\": {{\n    \"engine\": \"{}\",\n    \"gflop\": {:.1f},\n    \"ours\": {},\n",
      ours.engine_summary(), flop * 1e-9, our_times.json(flop));
  if (o.reference) {
    fmt::print("    \"libtorch\": {},\n    \"libtorch_channels_last\": {},\n",
               eager_times.json(flop), channels_last_times.json(flop));
    fmt::print(
        "    \"ratio_of_minima\": {:.2f}, \"ratio_of_medians\": {:.2f}, "
        "\"relative_difference\": {:.1e},\n",
        eager_times.all.front() / our_times.all.front(), eager_times.median() / our_times.median(),
        difference);
  }
  const auto pixels = static_cast<double>(pixel_count(o));
  fmt::print("    \"working_elements_per_pixel\": {:.1f}, \"process_peak_mb\": {:.0f}\n  }}",
             ours.memory_estimate(x.sizes()).value_or(0) / pixels, peak_mb);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  at::set_num_threads(options.threads);
  const c10::InferenceMode inference;
  fmt::print(
      "{{\n  \"depth\": {}, \"height\": {}, \"width\": {}, \"threads\": {}, "
      "\"instruction_set\": \"{}\",\n",
      options.depth, options.height, options.width, options.threads,
      tessera::engine::instruction_set());
  bench_network(options);
  if (options.layers) {
    fmt::print(",\n  \"layers\": [\n    {}\n  ]",
               fmt::join(bench::layer_times(options.widths, options.height, options.width,
                                            options.rounds, options.threads, options.reference),
                         ",\n    "));
  }
  fmt::print("\n}}\n");
  return 0;
}
