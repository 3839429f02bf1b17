// SPDX-License-Identifier: BSD-3-Clause
#include "restart.hpp"

#include <fmt/format.h>

#include <utility>

#include "problem.hpp"
#include "settings/views.hpp"
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
  std::map<std::string, std::string> identity = settings::identity_of(table(), options);
  identity["image (contents)"] = tessera::digest_of(truth);
  identity["noise generator"] = fmt::format("{}", noise_generator_version);
  for (const auto& [option, digest] : inputs) {
    // The picture itself is compared: a photograph may be stored in another format.
    if (option == "weights" || option == "measurements") {
      identity[option + " (contents)"] = digest;
    }
  }
  return identity;
}
