// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/image.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return test::read_or_refuse(data, size, [](const std::string& path) {
    tessera::read_image(path, {.max_pixels = 1 << 18});
  });
}
