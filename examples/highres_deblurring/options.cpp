// SPDX-License-Identifier: BSD-3-Clause
#include "options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "method.hpp"
#include "settings/command_line.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/version.hpp"

namespace {

constexpr const char* description =
    "Restores one large colour photograph from several blurred, noisy ones.\n\n"
    "Each of the num-operators measurements is the photograph blurred along another direction "
    "(angles spread over\n"
    "0 to 180 degrees, both included) with noise added. A plug-and-play solver recovers it with a "
    "learned denoiser as\n"
    "prior. Without options: half-quadratic splitting (dpir) with the likelihood of clipped "
    "measurements.\n"
    "Under mpiexec the ranks share the operators and the tiles of the denoiser.";

/// What cannot be asked for together.
void check_together(const Options& options) {
  if (!options.image.empty() && !options.truth.empty()) {
    throw CLI::ValidationError("--truth", "stands for --image: give one of them");
  }
  if (options.fidelity != FidelityKind::l2 && options.plan) {
    throw CLI::ValidationError("--plan", "knows the costs of --fidelity l2 only");
  }
  if (options.repetitions > 1 && (options.checkpoint_every > 0 || options.resume)) {
    throw CLI::ValidationError("--repetitions",
                               "is for times, --checkpoint-every and --resume for one long run: "
                               "give one of them");
  }
  if (!options.config.empty() && options.plan) {
    throw CLI::ValidationError("--plan", "is for one run; with --config give --dry-run");
  }
}

/// The program's options over a CLI11 parser.
class CommandLine {
 public:
  explicit CommandLine(Options& options) : options_(options) {
    app_.set_version_flag("--version", "highres_deblurring (tessera " TESSERA_VERSION ")");
    app_.get_formatter()->column_width(34);
    settings::add_options(app_, table(), options);
  }

  CLI::App& app() { return app_; }

  /// After parsing: what presets, solvers and bounds leave, and the options as arguments again.
  void settle() {
    settle_method(options_, [this](const std::string& name) { return app_.count(name) > 0; });
    options_.image_size_given = app_.count("--image-size") > 0;
    if (options_.max_image_size > 0) {
      options_.image_size = std::min(options_.image_size, options_.max_image_size);
    }
    check_together(options_);
    options_.given = settings::given_options(app_, table());
    options_.arguments = settings::arguments_of(table(), options_);
  }

 private:
  CLI::App app_{description, "highres_deblurring"};
  Options& options_;
};

}  // namespace

std::optional<int> parse(int argc, char** argv, bool is_root, Options& options) {
  CommandLine command_line(options);
  try {
    command_line.app().parse(argc, argv);
    command_line.settle();
  } catch (const CLI::ParseError& error) {
    std::ostream nowhere(nullptr);
    return command_line.app().exit(error, is_root ? std::cout : nowhere,
                                   is_root ? std::cerr : nowhere);
  }
  return std::nullopt;
}

Options parse_arguments(std::vector<std::string> arguments) {
  Options options;
  CommandLine command_line(options);
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the end
  try {
    command_line.app().parse(std::move(arguments));
    command_line.settle();
  } catch (const CLI::ParseError& error) {
    throw tessera::error::InvalidArgument(error.what());
  }
  return options;
}
