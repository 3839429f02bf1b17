// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "catch.hpp"
#include "files.hpp"
#include "tessera/io/npy.hpp"

using namespace tessera;

namespace {

/// The file that NumPy writes of uint16 [[0, 1, 255], [256, 32768, 65535]].
std::string unsigned_bytes(char order) {
  std::string header =
      std::string("{'descr': '") + order + "u2', 'fortran_order': False, 'shape': (2, 3), }";
  header.resize(117, ' ');
  std::string bytes("\x93NUMPY\x01\x00\x76\x00", 10);
  bytes += header + '\n';
  for (const int value : {0, 1, 255, 256, 32768, 65535}) {
    const char low = static_cast<char>(value & 0xff);
    const char high = static_cast<char>(value >> 8);
    bytes += order == '<' ? std::string{low, high} : std::string{high, low};
  }
  return bytes;
}

std::vector<std::int64_t> numbers(const Tensor& array) {
  const Tensor flat = array.to(at::kLong).flatten();
  return {flat.data_ptr<std::int64_t>(), flat.data_ptr<std::int64_t>() + flat.numel()};
}

}  // namespace

TEST_CASE("read_npy reads unsigned integers of 16 bits, windows too", "[io][npy]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.npy");
  test::write_bytes(path, unsigned_bytes(GENERATE('<', '>')));
  CHECK(read_npy_header(path).type == at::kUInt16);
  const Tensor read = read_npy(path);
  CHECK(read.scalar_type() == at::kUInt16);
  CHECK(read.sizes() == at::IntArrayRef({2, 3}));
  CHECK(numbers(read) == std::vector<std::int64_t>{0, 1, 255, 256, 32768, 65535});
  CHECK(numbers(read_npy(path, {{{0, 2}, {1, 3}}})) ==
        std::vector<std::int64_t>{1, 255, 32768, 65535});
}

TEST_CASE("write_npy writes unsigned integers of 16 bits as NumPy does", "[io][npy]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.npy");
  const Tensor values = at::tensor(at::ArrayRef<std::int64_t>{0, 1, 255, 256, 32768, 65535});
  write_npy(path, values.view({2, 3}).to(at::kUInt16));
  CHECK(test::read_bytes(path) == unsigned_bytes('<'));
}
