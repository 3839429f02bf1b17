// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

#include <filesystem>

#include "catch.hpp"
#include "data_files.hpp"
#include "files.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/npy.hpp"

using namespace tessera;
using test::data_file;

namespace {

/// Element n of (2, 3, 4) is n: what the files hold.
Tensor counting(at::ScalarType type) {
  return test::counting({2, 3, 4}, type);
}

/// A version-1 file with this header text and `data_size` zero bytes.
std::string npy_bytes(std::string header, std::size_t data_size) {
  header.resize(118, ' ');
  std::string bytes("\x93NUMPY\x01\x00\x76\x00", 10);
  bytes.append(header);
  bytes.append(data_size, '\0');
  return bytes;
}

}  // namespace

TEST_CASE("read_npy reads what NumPy writes", "[io][npy]") {
  const auto [name, type] = GENERATE(table<std::string, at::ScalarType>({
      {"f2_little.npy", at::kHalf},
      {"f4_little.npy", at::kFloat},
      {"f4_big.npy", at::kFloat},
      {"f8_little.npy", at::kDouble},
      {"c8_little.npy", at::kComplexFloat},
      {"c16_big.npy", at::kComplexDouble},
      {"u1_byte.npy", at::kByte},
      {"i1_byte.npy", at::kChar},
      {"i2_little.npy", at::kShort},
      {"i4_little.npy", at::kInt},
      {"i8_little.npy", at::kLong},
      {"i8_big.npy", at::kLong},
      {"fortran.npy", at::kDouble},
      {"version2.npy", at::kDouble},
      {"version3.npy", at::kDouble},
  }));
  INFO(name);
  const Tensor read = read_npy(data_file(name));
  CHECK(read.scalar_type() == type);
  CHECK(read.is_contiguous());
  CHECK(at::equal(read, counting(type)));
}

TEST_CASE("read_npy keeps scalars and empty arrays", "[io][npy]") {
  const Tensor scalar = read_npy(data_file("scalar.npy"));
  CHECK(scalar.dim() == 0);
  CHECK(scalar.item<double>() == 3.5);
  CHECK(read_npy(data_file("empty.npy")).sizes() == at::IntArrayRef({2, 0, 3}));
}

TEST_CASE("write_npy then read_npy gives the same tensor", "[io][npy]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.npy");
  const auto type =
      GENERATE(at::kHalf, at::kFloat, at::kDouble, at::kComplexFloat, at::kComplexDouble, at::kByte,
               at::kChar, at::kShort, at::kInt, at::kLong, at::kBool);
  const std::vector<std::int64_t> shape = GENERATE(
      std::vector<std::int64_t>{}, std::vector<std::int64_t>{24}, std::vector<std::int64_t>{4, 0},
      std::vector<std::int64_t>{2, 3, 4}, std::vector<std::int64_t>{1, 2, 1, 3, 2, 2});
  const Tensor written = (100 * test::indexed(shape)).to(type);
  write_npy(path, written);
  const Tensor read = read_npy(path);
  CHECK(read.scalar_type() == type);
  CHECK(at::equal(read, written));
  CHECK(folder.entry_count() == 1);
}

TEST_CASE("write_npy writes the bytes NumPy writes, of views too", "[io][npy]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.npy");
  write_npy(path, counting(at::kFloat));
  CHECK(test::read_bytes(path) == test::read_bytes(data_file("f4_little.npy")));
  write_npy(path, counting(at::kFloat).permute({2, 1, 0}).contiguous().permute({2, 1, 0}));
  CHECK(test::read_bytes(path) == test::read_bytes(data_file("f4_little.npy")));
  const Tensor complex = counting(at::kComplexDouble) * c10::complex<double>(0, 1);
  write_npy(path, complex.conj());
  CHECK(at::equal(read_npy(path), -complex));
}

TEST_CASE("write_npy refuses other dtypes", "[io][npy]") {
  const test::TemporaryFolder folder;
  CHECK_THROWS_AS(write_npy(folder.file("x.npy"), counting(at::kBFloat16)), error::InvalidArgument);
  CHECK_THROWS_AS(write_npy(folder.file("x.npy"), Tensor()), error::InvalidArgument);
  CHECK(folder.entry_count() == 0);
}

TEST_CASE("read_npy refuses what it cannot read, with the cause", "[io][npy]") {
  CHECK_THROWS_WITH(read_npy(data_file("structured.npy")),
                    test::contains("structured.npy") && test::contains("structured dtype"));
  CHECK_THROWS_WITH(read_npy(data_file("objects.npy")), test::contains("'|O'"));
  CHECK_THROWS_WITH(read_npy(data_file("rgb8.png")), test::contains("not a .npy file"));

  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.npy");
  const auto [header, cause] = GENERATE(table<std::string, std::string>({
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", ""},
      {"{\"shape\":(3,),\"fortran_order\":True,\"descr\":\"<f4\"}", ""},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }", "truncated"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "too long"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3), }", "expected ','"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }", "a number"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
       "smaller number"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4), }",
       "impossible shape"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296), }",
       "impossible shape"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (4503599627370496,), }", "truncated"},
      {"{'descr': '<f4', 'fortran_order': False, }", "missing"},
      {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "key 'descr'"},
      {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (3,), }", "True or False"},
      {"{'descr': '<f3', 'fortran_order': False, 'shape': (3,), }", "dtype"},
      {"{'descr': '|f4', 'fortran_order': False, 'shape': (3,), }", "dtype"},
      {"{'descr': '', 'fortran_order': False, 'shape': (3,), }", "dtype"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), } x", "the end"},
      {"{'descr", "closed string"},
  }));
  INFO(header);
  test::write_bytes(path, npy_bytes(header, 12));
  if (cause.empty()) {
    CHECK(at::equal(read_npy(path), at::full({3}, 0, at::kFloat)));
  } else {
    CHECK_THROWS_WITH(read_npy(path), test::contains("x.npy") && test::contains(cause));
    CHECK_THROWS_AS(read_npy(path), error::Io);
  }
}

TEST_CASE("read_npy refuses an absurd header size", "[io][npy]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.npy");
  std::string bytes("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12);
  bytes.resize(112, ' ');
  test::write_bytes(path, bytes);
  CHECK_THROWS_WITH(read_npy(path), test::contains("header of 4294967295 bytes"));
}

TEST_CASE("read_npy reads a window, and the header alone", "[io][npy]") {
  const Box window = GENERATE(Box{{{1, 2}, {1, 3}, {1, 4}}}, Box{{{0, 2}, {2, 3}, {0, 4}}},
                              Box{{{1, 2}, {0, 3}, {0, 4}}}, Box{{{0, 2}, {0, 3}, {3, 4}}},
                              Box{{{1, 3}, {0, 3}}}, Box{});
  const std::string name = GENERATE("f4_big.npy", "fortran.npy", "c8_little.npy", "i2_little.npy");
  const Tensor expected = test::part(read_npy(data_file(name)), window);
  const Tensor read = read_npy(data_file(name), window);
  CHECK(read.is_contiguous());
  CHECK(at::equal(read, expected));
  const NpyHeader header = read_npy_header(data_file(name));
  CHECK(header.shape == std::vector<std::int64_t>{2, 3, 4});
  CHECK(header.type == expected.scalar_type());
  CHECK(header.fortran_order == (name == "fortran.npy"));
  CHECK(header.swapped == (name == "f4_big.npy"));
}

TEST_CASE("read_npy refuses windows outside the array", "[io][npy]") {
  const std::string path = data_file("f4_little.npy");
  for (const Box& window :
       {Box{{{0, 2}, {0, 3}, {0, 4}, {0, 1}}}, Box{{{0, 2}, {0, 3}, {0, 5}}},
        Box{{{0, 2}, {3, 4}, {0, 4}}}, Box{{{-1, 1}, {0, 3}, {0, 4}}},
        Box{{{0, 0}, {0, 3}, {0, 4}}},
        Box{{{0, 2}, {0, 3}, {std::int64_t{1} << 62, std::int64_t{1} << 62}}}}) {
    CHECK_THROWS_AS(read_npy(path, window), error::InvalidArgument);
    CHECK_THROWS_WITH(read_npy(path, window), test::contains("read_npy: " + path + ": the window"));
  }
}

TEST_CASE("read_npy knows bool, and refuses what is no bool", "[io][npy]") {
  const Tensor read = read_npy(data_file("b1_byte.npy"));
  CHECK(at::equal(read, counting(at::kLong).remainder(3).eq(1)));
  const test::TemporaryFolder folder;
  const std::string path = folder.file("x.npy");
  std::string bytes = test::read_bytes(data_file("b1_byte.npy"));
  bytes.back() = 2;
  test::write_bytes(path, bytes);
  CHECK_THROWS_WITH(read_npy(path), test::contains("a bool of value 2"));
}
