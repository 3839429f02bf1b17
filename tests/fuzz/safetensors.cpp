// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/safetensors.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return test::read_or_refuse(data, size, [](const std::string& path) {
    std::map<std::string, std::string> metadata;
    tessera::read_safetensors(path, &metadata);
  });
}
