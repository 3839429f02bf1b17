// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What decides the course of a training. Kept in checkpoints: a resumed training takes from there
/// what its command line leaves open.
struct Settings {
  std::int64_t steps = 20000;   ///< length of the schedule
  std::int64_t warm_up = 200;   ///< steps of linear growth before the cosine
  double learning_rate = 5e-4;  ///< highest, of the schedule
  double weight_decay = 1e-4;
  std::int64_t batch = 8;
  std::int64_t crop = 96;  ///< side of a training picture, pixels
  double ema = 0.999;      ///< share of the old average that a step keeps
  bool muon = false;       ///< orthogonalised momentum for the kernels instead of AdamW
  bool squared = false;    ///< squared error instead of the absolute one
  std::int64_t seed = 1;
};

/// Calls visit(name of the option, field) for each setting.
template <class SettingsLike, class Visit>
void for_each_setting(SettingsLike& settings, Visit&& visit) {
  visit("steps", settings.steps);
  visit("warm-up", settings.warm_up);
  visit("learning-rate", settings.learning_rate);
  visit("weight-decay", settings.weight_decay);
  visit("batch", settings.batch);
  visit("crop", settings.crop);
  visit("ema", settings.ema);
  visit("muon", settings.muon);
  visit("squared", settings.squared);
  visit("seed", settings.seed);
}

struct Options {
  std::vector<std::string> photographs;  ///< files and folders
  std::vector<std::string> validation;
  std::string init;
  std::string resume;
  std::string out = "drunet.safetensors";
  std::string checkpoint = "checkpoint.safetensors";
  std::vector<std::int64_t> widths{16, 32, 64, 128};
  std::int64_t blocks = 2;
  bool grey = false;  ///< a network of one channel, measured on grey photographs
  Settings settings;
  std::vector<std::string> given;  ///< names of the settings that the command line states

  std::int64_t threads = 0;
  std::int64_t stop_after = 0;
  double save_every_s = 120;
  std::int64_t log_every = 20;
  std::int64_t validate_every = 200;

  bool evaluate = false;
  std::string weights;
  std::string denoiser = "drunet";
  std::vector<double> levels{5, 15, 25, 50};
};

/// Fills options from the command line; an exit code if the program is to end now.
std::optional<int> parse(int argc, char** argv, Options& options);
