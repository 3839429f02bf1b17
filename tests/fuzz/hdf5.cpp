// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/hdf5.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return test::read_or_refuse(data, size, [](const std::string& path) {
    for (const tessera::Hdf5Dataset& dataset : tessera::list_hdf5(path)) {
      try {
        tessera::read_hdf5(path, dataset.name, {.max_values = 1 << 18});
      } catch (const tessera::error::Io&) {
      }
    }
  });
}
