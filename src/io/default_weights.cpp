// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/default_weights.hpp"

#include <dlfcn.h>

#include <filesystem>
#include <vector>

#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

namespace {

namespace fs = std::filesystem;

std::string file_name(DefaultWeights which) {
  switch (which) {
    case DefaultWeights::drunet_grey:
      return "drunet_lite_grey.safetensors";
    case DefaultWeights::ridge_grey:
      return "ridge_grey.safetensors";
    case DefaultWeights::ridge_volume:
      return "ridge_volume.safetensors";
    case DefaultWeights::drunet:
      break;
  }
  return "drunet_lite.safetensors";
}

/// The folders of the library that holds this function and of the running program; the same folder
/// if the library is linked into the program.
std::vector<fs::path> own_folders() {
  std::vector<fs::path> folders;
  std::error_code failed;
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&file_name), &info) != 0 &&
      info.dli_fname != nullptr) {
    const fs::path library = fs::canonical(info.dli_fname, failed);
    if (!failed) folders.push_back(library.parent_path());
  }
  const fs::path program = fs::read_symlink("/proc/self/exe", failed);
  if (!failed) folders.push_back(program.parent_path());
  return folders;
}

}  // namespace

std::string default_weights(DefaultWeights which, const std::string& folder) {
  std::vector<fs::path> candidates;
  for (const fs::path& own : own_folders()) {
    for (const char* relative : {TESSERA_WEIGHTS_FROM_LIBRARY, TESSERA_WEIGHTS_FROM_PROGRAM}) {
      candidates.push_back((own / relative).lexically_normal());
    }
  }
  if (!folder.empty()) candidates.emplace_back(folder);
  std::vector<std::string> tried;
  for (const fs::path& candidate : candidates) {
    const fs::path file = candidate / file_name(which);
    std::error_code ignored;
    if (fs::is_regular_file(file, ignored)) return file.string();
    if (tried.empty() || tried.back() != candidate.string()) tried.push_back(candidate.string());
  }
  throw error::Io(formatted("default_weights: there is no {} in any of {}", file_name(which),
                            joined(tried, ", ")));
}

std::string default_weights(const std::string& folder) {
  return default_weights(DefaultWeights::drunet, folder);
}

}  // namespace tessera
