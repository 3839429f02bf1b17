#include "restart.hpp"

#include <fmt/format.h>

#include <utility>

#include "problem.hpp"
#include "tessera/io/digest.hpp"

std::string checkpoint_path(const std::string& folder) {
  return folder + "/checkpoint.safetensors";
}

bool keeps_checkpoint(const Options& options) {
  return options.checkpoint_every > 0 || options.resume;
}

std::map<std::string, std::string> identity_of_run(
    const Options& options, const tessera::Tensor& truth,
    const std::map<std::string, std::string>& inputs) {
  std::map<std::string, std::string> identity = {
      {"image (contents)", tessera::digest_of(truth)},
      {"image_size", fmt::format("{}", options.image_size)},  // widths of the blurs
      {"num_operators", fmt::format("{}", options.num_operators)},
      {"noise_level", fmt::format("{}", options.noise_level)},
      {"noise generator", fmt::format("{}", noise_generator_version)},
      {"seed", fmt::format("{}", options.seed)},
      {"solver", options.solver},
      {"fidelity", options.fidelity},
      {"denoiser", options.denoiser},
      {"init_method", options.init_method},
      {"tiling", options.tiling},
      {"patch_size", fmt::format("{}", options.patch_size)},
      {"overlap", fmt::format("{}", options.overlap)},
      {"dtype", options.dtype}};
  if (options.solver == "dpir" || options.denoiser_sigma_start) {  // levels depend on their number
    identity["iterations"] = fmt::format("{}", options.iterations);
  }
  if (options.solver == "dpir") {
    identity["dpir_weight"] = fmt::format("{}", options.dpir_weight);
  } else {
    identity["prior"] = options.prior;
    identity["denoiser_sigma"] = fmt::format("{}", options.denoiser_sigma);
    identity["step_size"] = options.step_size ? fmt::format("{}", *options.step_size) : "auto";
    if (options.prior == "red") identity["red_weight"] = fmt::format("{}", options.red_weight);
  }
  if (options.denoiser_sigma_start) {
    identity["denoiser_sigma_start"] = fmt::format("{}", *options.denoiser_sigma_start);
  }
  for (const auto& [option, digest] : inputs) {
    // The picture itself is compared: a photograph may be stored in another format.
    if (option == "weights" || option == "measurements") {
      identity[option + " (contents)"] = digest;
    }
  }
  return identity;
}
