// SPDX-License-Identifier: BSD-3-Clause
// write_ramp FILE LOW HIGH EXTENTS [INDEX VALUE]: intensities that rise from LOW to HIGH along
// the last axis; EXTENTS and INDEX are like 3x48x64. The element at INDEX is VALUE: nan, inf, ...
#include <ATen/ops/linspace.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "tessera/io/image.hpp"
#include "tessera/io/npy.hpp"

namespace {

std::vector<std::int64_t> numbers(const std::string& text) {
  std::vector<std::int64_t> result;
  const char* next = text.c_str();
  for (char* end = nullptr; *next != '\0'; next = *end == 'x' ? end + 1 : end) {
    result.push_back(std::strtoll(next, &end, 10));
    if (end == next) std::exit(2);
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5 && argc != 7) return 2;
  const std::vector<std::int64_t> extents = numbers(argv[4]);
  const double low = std::strtod(argv[2], nullptr);
  const double high = std::strtod(argv[3], nullptr);
  tessera::Tensor ramp = at::linspace(low, high, extents.back()).expand(extents).contiguous();
  if (argc == 7) {
    tessera::Tensor element = ramp;
    for (const std::int64_t i : numbers(argv[5])) element = element.select(0, i);
    element.fill_(std::strtod(argv[6], nullptr));
  }
  const std::string path = argv[1];
  if (path.ends_with(".png") || path.ends_with(".tif")) {
    tessera::write_image(path, ramp, {.samples = tessera::SampleType::u16});
  } else {
    tessera::write_npy(path, ramp);
  }
  return 0;
}
