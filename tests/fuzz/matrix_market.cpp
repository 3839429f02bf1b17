// SPDX-License-Identifier: BSD-3-Clause
#include "restore/matrix_market.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return test::read_or_refuse(data, size,
                              [](const std::string& path) { restore::read_matrix_market(path); });
}
