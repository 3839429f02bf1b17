// SPDX-License-Identifier: BSD-3-Clause
#include "../example/highres.hpp"
#include "input.hpp"

namespace {

/// Runs a parser on the text; it may refuse it with error::InvalidArgument, and do nothing else.
template <class Parser>
void parse_or_refuse(const Parser& parse) {
  try {
    parse();
  } catch (const tessera::error::InvalidArgument&) {
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  parse_or_refuse([&] {
    for (const grid::Settings& row : expand(parse_config(text, "fuzzed.yml"))) to_yaml(row);
  });
  parse_or_refuse([&] { grid::parse_parallel_config(text, "fuzzed.yml"); });
  return 0;
}
