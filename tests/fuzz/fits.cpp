// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/fits.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return test::read_or_refuse(data, size, [](const std::string& path) {
    tessera::read_fits(path, {.max_values = 1 << 18});
  });
}
