// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/tiff_stack.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return test::read_or_refuse(data, size, [](const std::string& path) {
    tessera::read_tiff_stack(path, {.max_values = 1 << 18});
  });
}
