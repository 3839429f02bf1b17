// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/npy.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return test::read_or_refuse(data, size, [](const std::string& path) {
    const tessera::Tensor whole = tessera::read_npy(path);
    if (whole.numel() == 0) return;
    tessera::Box window;  // the last element
    for (const std::int64_t extent : whole.sizes()) window.axes.push_back({extent - 1, extent});
    tessera::read_npy(path, window);
  });
}
