// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/state_dict.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return test::read_or_refuse(data, size,
                              [](const std::string& path) { tessera::read_state_dict(path); });
}
