// SPDX-License-Identifier: BSD-3-Clause
#include "input.hpp"
#include "restore/config.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const restore::Config config = restore::parse_config(text, "fuzzed.yml");
    for (const restore::Measurement& each : config.measurements) restore::words_of(each.steps);
  } catch (const tessera::error::InvalidArgument&) {
  }
  return 0;
}
