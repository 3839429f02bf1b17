// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/Parallel.h>
#include <fmt/format.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>

#include "evaluation.hpp"
#include "options.hpp"
#include "tessera/denoiser/dncnn.hpp"
#include "tessera/denoiser/drunet.hpp"
#include "tessera/io/default_weights.hpp"
#include "tessera/io/safetensors.hpp"
#include "tessera/io/state_dict.hpp"
#include "trainer.hpp"

using Clock = std::chrono::steady_clock;

namespace {

volatile std::sig_atomic_t stop_requested = 0;

void request_stop(int /*signal*/) {
  stop_requested = 1;
}

void print(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Null for total variation.
tessera::DenoiserPtr make_denoiser(const Options& options) {
  if (options.denoiser == "tv") return nullptr;
  const tessera::StateDict weights = tessera::read_state_dict(
      options.weights.empty() ? tessera::default_weights() : options.weights);
  if (options.denoiser == "drunet") return std::make_shared<tessera::DRUNet>(weights);
  const auto dncnn = std::make_shared<tessera::DnCNN>(weights);
  if (dncnn->architecture().channels == 1) return std::make_shared<PerChannel>(dncnn);
  return dncnn;
}

void evaluate(const Options& options) {
  const tessera::DenoiserPtr denoiser = make_denoiser(options);
  print(to_line("PSNR in dB at noise", options.levels));
  for (const Validation& photograph : read_validation(options.validation, options.grey)) {
    print(to_line(photograph.name, denoiser == nullptr
                                       ? best_total_variation(photograph, options.levels)
                                       : psnr_per_level(*denoiser, photograph, options.levels)));
  }
}

/// The averaged weights as they are written: float16.
tessera::StateDict half_weights(const Trainer& trainer) {
  tessera::StateDict weights;
  for (const auto& [name, tensor] : trainer.averaged()) weights[name] = tensor.to(at::kHalf);
  return weights;
}

void save(Trainer& trainer, const Options& options) {
  trainer.save(options.checkpoint);
  tessera::write_safetensors(options.out, half_weights(trainer),
                             {{"steps", fmt::format("{}", trainer.steps())}});
}

void validate(const Trainer& trainer, const std::vector<Validation>& photographs,
              const Options& options) {
  const tessera::DRUNet network(half_weights(trainer));
  for (const Validation& photograph : photographs) {
    print(
        fmt::format("validation after {:>6} steps: {}", trainer.steps(),
                    to_line(photograph.name, psnr_per_level(network, photograph, options.levels))));
  }
}

std::unique_ptr<Trainer> make_trainer(const Options& options) {
  if (!options.resume.empty()) {
    return Trainer::resume(options.resume, options.settings, options.given);
  }
  const tessera::StateDict initial = options.init.empty()
                                         ? random_drunet(options.grey ? 1 : 3, options.widths,
                                                         options.blocks, options.settings.seed)
                                         : tessera::read_state_dict(options.init);
  return std::make_unique<Trainer>(options.grey ? folded_to_grey(initial) : initial,
                                   options.settings);
}

void train(const Options& options) {
  const std::unique_ptr<Trainer> trainer = make_trainer(options);
  const Settings& settings = trainer->settings();
  const Photographs photographs(options.photographs, settings.crop);
  const std::vector<Validation> held_out = read_validation(options.validation, trainer->is_grey());
  print(fmt::format("{} photographs, {:.0f} megapixels; steps {} to {}", photographs.count(),
                    photographs.megapixels(), trainer->steps(), settings.steps));
  validate(*trainer, held_out, options);

  std::signal(SIGINT, request_stop);
  std::signal(SIGTERM, request_stop);
  const std::int64_t first = trainer->steps();
  const std::int64_t last = options.stop_after > 0
                                ? std::min(settings.steps, first + options.stop_after)
                                : settings.steps;
  auto saved = Clock::now();
  auto logged = Clock::now();
  double loss = 0;
  while (trainer->steps() < last && stop_requested == 0) {
    const double rate = trainer->learning_rate();
    loss += trainer->step(photographs);
    const std::int64_t done = trainer->steps();
    if (done % options.log_every == 0) {
      const double per_step = seconds_since(logged) / static_cast<double>(options.log_every);
      const double pixels = static_cast<double>(settings.batch * settings.crop * settings.crop);
      print(fmt::format("step {}/{}  loss {:.5f}  rate {:.2e}  {:.0f} kpixel/s  {:.0f} min left",
                        done, last, loss / static_cast<double>(options.log_every), rate,
                        pixels / per_step / 1e3, per_step * static_cast<double>(last - done) / 60));
      loss = 0;
      logged = Clock::now();
    }
    if (done % options.validate_every == 0) validate(*trainer, held_out, options);
    if (seconds_since(saved) >= options.save_every_s) {
      save(*trainer, options);
      saved = Clock::now();
    }
  }
  save(*trainer, options);
  validate(*trainer, held_out, options);
}

}  // namespace

int main(int argc, char** argv) {
#ifdef __GLIBC__
  // A step allocates and frees the same large blocks: keep them, page faults cost more than they
  // do.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
#endif
  Options options;
  if (const auto code = parse(argc, argv, options)) return *code;
  try {
    if (options.threads > 0) at::set_num_threads(static_cast<int>(options.threads));
    options.evaluate ? evaluate(options) : train(options);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train_denoiser: %s\n", error.what());
    return 1;
  }
}
