// SPDX-License-Identifier: BSD-3-Clause
#include "options.hpp"

#include <CLI/CLI.hpp>

#include "settings/version.hpp"

namespace {

constexpr const char* description =
    "Trains a DRUNet to remove Gaussian noise from photographs, or measures how well one does.\n\n"
    "Training:    train_denoiser --photographs FOLDER --validation kodim23.png --out "
    "drunet.safetensors\n"
    "Going on:    train_denoiser --photographs FOLDER --resume checkpoint.safetensors --steps "
    "40000\n"
    "Evaluation:  train_denoiser --evaluate --weights drunet.safetensors --validation kodim23.png";

void add_files(CLI::App& app, Options& options) {
  app.add_option("--photographs", options.photographs, "Photographs and folders of them")
      ->group("Files");
  app.add_option("--validation", options.validation,
                 "Photographs to measure with, not used for training")
      ->group("Files");
  app.add_option("--init", options.init, "Weights to start from; without, random ones")
      ->group("Files");
  app.add_option("--resume", options.resume, "Checkpoint to go on from, exactly where it was")
      ->group("Files")
      ->excludes("--init");
  app.add_option("--checkpoint", options.checkpoint, "Where checkpoints go")
      ->capture_default_str()
      ->group("Files");
  app.add_option("--out", options.out, "Where the averaged weights go, float16")
      ->capture_default_str()
      ->group("Files");
}

void add_settings(CLI::App& app, Options& options) {
  Settings& settings = options.settings;
  const auto add = [&](const char* name, auto& field, const char* text) {
    return app.add_option(name, field, text)
        ->capture_default_str()
        ->group("Training (kept in checkpoints)");
  };
  add("--steps", settings.steps, "Length of the schedule")->check(CLI::Range(1, 1 << 30));
  add("--warm-up", settings.warm_up, "Steps of growing learning rate")
      ->check(CLI::NonNegativeNumber);
  add("--learning-rate", settings.learning_rate, "Highest of the schedule")
      ->check(CLI::PositiveNumber);
  add("--weight-decay", settings.weight_decay, "Per step and learning rate")
      ->check(CLI::NonNegativeNumber);
  add("--batch", settings.batch, "Crops per step")->check(CLI::Range(1, 1 << 16));
  add("--crop", settings.crop, "Side of a crop in pixels, a multiple of the coarsest pixel")
      ->check(CLI::Range(32, 1 << 14));
  add("--ema", settings.ema, "Share of the averaged weights that a step keeps")
      ->check(CLI::Range(0.0, 0.999999));
  const auto add_flag = [&](const char* name, bool& field, const char* text) {
    app.add_flag(name, field, text)->group("Training (kept in checkpoints)");
  };
  add_flag("--muon,!--no-muon", settings.muon, "Orthogonalised momentum for kernels, not AdamW");
  add_flag("--squared,!--no-squared", settings.squared, "Squared error, not the absolute one");
  add("--seed", settings.seed, "Of crops, noise and random weights");
}

void add_run(CLI::App& app, Options& options) {
  app.add_option("--widths", options.widths, "Channels per scale, finest first, of random weights")
      ->delimiter(',')
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group("Network");
  app.add_option("--blocks", options.blocks, "Residual blocks per stage, of random weights")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str()
      ->group("Network");
  app.add_flag("--grey", options.grey,
               "For grey pictures: one channel, photographs made grey; folds colour weights of "
               "--init")
      ->group("Network");
  app.add_option("--threads", options.threads, "0: all cores")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group("Run");
  app.add_option("--stop-after", options.stop_after,
                 "Steps after which this run ends, however long the schedule; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group("Run");
  app.add_option("--save-every", options.save_every_s, "Seconds between checkpoints")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group("Run");
  app.add_option("--log-every", options.log_every, "Steps between progress lines")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group("Run");
  app.add_option("--validate-every", options.validate_every, "Steps between validations")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group("Run");
}

void add_evaluation(CLI::App& app, Options& options) {
  app.add_flag("--evaluate", options.evaluate, "Measure, do not train")->group("Evaluation");
  app.add_option("--weights", options.weights,
                 "Weights to measure (.safetensors or .pth); without, the installed ones")
      ->group("Evaluation");
  app.add_option("--denoiser", options.denoiser,
                 "What the weights are of; tv: total variation, at its best weight of a list")
      ->check(CLI::IsMember({"drunet", "dncnn", "tv"}))
      ->capture_default_str()
      ->group("Evaluation");
  app.add_option("--levels", options.levels, "Noise levels on the scale 0 to 255")
      ->delimiter(',')
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->group("Evaluation");
}

void check(const Options& options) {
  if (options.evaluate && options.validation.empty()) {
    throw CLI::ValidationError("--evaluate", "needs photographs: give --validation FILE");
  }
  if (!options.evaluate && options.photographs.empty()) {
    throw CLI::ValidationError("--photographs", "is needed for training");
  }
}

}  // namespace

std::optional<int> parse(int argc, char** argv, Options& options) {
  CLI::App app(description, "train_denoiser");
  app.set_version_flag("--version", [] { return settings::version_text("train_denoiser"); });
  app.get_formatter()->column_width(34);
  add_files(app, options);
  add_settings(app, options);
  add_run(app, options);
  add_evaluation(app, options);
  try {
    app.parse(argc, argv);
    check(options);
    for_each_setting(options.settings, [&](const std::string& name, const auto&) {
      if (app.count("--" + name) > 0) options.given.push_back(name);
    });
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return std::nullopt;
}
