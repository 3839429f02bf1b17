// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

#include <bit>

#include "catch.hpp"
#include "files.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/safetensors.hpp"

using namespace tessera;

namespace {

std::string safetensors_bytes(const std::string& header, std::size_t data_size) {
  const auto size = std::bit_cast<std::array<char, 8>>(std::uint64_t{header.size()});
  return std::string(size.data(), size.size()) + header + std::string(data_size, '\x01');
}

}  // namespace

TEST_CASE("write_safetensors then read_safetensors gives the same tensors", "[io][safetensors]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("w.safetensors");
  StateDict written;
  for (const auto type : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt,
                          at::kShort, at::kChar, at::kByte, at::kBool}) {
    written[std::string("t.") + c10::toString(type)] =
        (100 * test::indexed({3, 5}, static_cast<double>(written.size()))).to(type);
  }
  written["scalar"] = at::full({}, 2.5, at::kFloat);
  written["empty"] = at::empty({3, 0}, at::kFloat);
  written["transposed \"name\" \n\u00e9"] = test::indexed({4, 3}).t();
  write_safetensors(path, written, {{"licence", "BSD-3-Clause"}});

  const StateDict read = read_safetensors(path);
  REQUIRE(read.size() == written.size());
  for (const auto& [name, tensor] : written) {
    INFO(name);
    REQUIRE(read.contains(name));
    CHECK(read.at(name).scalar_type() == tensor.scalar_type());
    CHECK(at::equal(read.at(name), tensor));
  }
  const std::string bytes = test::read_bytes(path);
  CHECK(bytes.find("\"__metadata__\":{\"licence\":\"BSD-3-Clause\"}") != std::string::npos);
  CHECK(static_cast<unsigned char>(bytes[0]) % 8 == 0);
  write_safetensors(path, read, {{"licence", "BSD-3-Clause"}});
  CHECK(test::read_bytes(path) == bytes);
  CHECK(folder.entry_count() == 1);
}

TEST_CASE("read_safetensors reads a file written by hand", "[io][safetensors]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("w.safetensors");
  std::string bytes = safetensors_bytes(
      R"({"b":{"dtype":"F32","shape":[2],"data_offsets":[2,10]},"a":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]}}   )",
      0);
  bytes += std::string("\x05\x06\x00\x00\x80\x3f\x00\x00\x00\xc0", 10);  // 5 6, 1.0 -2.0
  test::write_bytes(path, bytes);
  const StateDict read = read_safetensors(path);
  REQUIRE(read.size() == 2);
  CHECK(read.at("a").sizes() == at::IntArrayRef({2, 1}));
  CHECK(read.at("a")[1][0].item<int>() == 6);
  CHECK(read.at("b")[0].item<double>() == 1.0);
  CHECK(read.at("b")[1].item<double>() == -2.0);
}

TEST_CASE("read_safetensors refuses inconsistent headers, with the cause", "[io][safetensors]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("w.safetensors");
  // Each with 8 bytes of data.
  const auto [header, cause] = GENERATE(table<std::string, std::string>({
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", ""},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       ""},
      {R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})", "bytes 0 to 12 of 8"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", "bytes 8 to 0"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", "expected 4"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "too long"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", "begins at byte 4, expected 0"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       "begins at byte 4, expected 8"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
       "'a' occurs twice"},
      {R"({"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}})",
       "'shape' occurs twice"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}})",
       "impossible shape"},
      {R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]}})",
       "impossible shape"},
      {R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", "natural number"},
      {R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", "natural number"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,1e300]}})", "natural number"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})", "no pair"},
      {R"({"a":{"dtype":"F32","shape":{},"data_offsets":[0,8]}})", "no list"},
      {R"({"a":{"dtype":"F32","shape":[[2]],"data_offsets":[0,8]}})", "nested"},
      {R"({"a":{"dtype":"F32","shape":[[[[[2]]]]],"data_offsets":[0,8]}})", "nested"},
      {R"({"a":{"dtype":"Q7","shape":[2],"data_offsets":[0,8]}})", "dtype 'Q7'"},
      {R"({"a":{"dtype":7,"shape":[2],"data_offsets":[0,8]}})", "dtype 'number'"},
      {R"({"a":{"shape":[2],"data_offsets":[0,8]}})", "no 'dtype'"},
      {R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", "no 'shape'"},
      {R"({"a":{"dtype":"F32","shape":[2]}})", "no 'data_offsets'"},
      {R"({"a":[]})", "no object"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})", "damaged header"},
      {R"(["a"])", "begin with '{'"},
      {"{\"\xff\":{}}", "damaged header"},
  }));
  INFO(header);
  test::write_bytes(path, safetensors_bytes(header, 8));
  if (cause.empty()) {
    CHECK(!read_safetensors(path).empty());
  } else {
    CHECK_THROWS_WITH(read_safetensors(path),
                      test::contains("w.safetensors") && test::contains(cause));
    CHECK_THROWS_AS(read_safetensors(path), error::Io);
  }
}

TEST_CASE("read_safetensors survives absurd header sizes and deep nesting", "[io][safetensors]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("w.safetensors");
  test::write_bytes(path, std::string(8, '\xff') + "{}");
  CHECK_THROWS_WITH(read_safetensors(path), test::contains("header of 18446744073709551615 bytes"));
  test::write_bytes(path, std::string(7, '\x01'));
  CHECK_THROWS_WITH(read_safetensors(path), test::contains("truncated"));
  test::write_bytes(path, safetensors_bytes("{\"a\":" + std::string(1 << 20, '['), 0));
  CHECK_THROWS_WITH(read_safetensors(path), test::contains("nested"));
  test::write_bytes(path, safetensors_bytes("{}", 0));
  CHECK(read_safetensors(path).empty());
}

TEST_CASE("write_safetensors refuses what the format cannot hold", "[io][safetensors]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("w.safetensors");
  CHECK_THROWS_WITH(write_safetensors(path, {{"c", test::indexed({2}).to(at::kComplexFloat)}}),
                    test::contains("'c'"));
  CHECK_THROWS_AS(write_safetensors(path, {{"__metadata__", test::indexed({2})}}),
                  error::InvalidArgument);
  CHECK_THROWS_AS(write_safetensors(path, {{"undefined", Tensor()}}), error::InvalidArgument);
  CHECK_THROWS_AS(write_safetensors(path, {{"\xff", test::indexed({2})}}), error::Io);
  CHECK(folder.entry_count() == 0);
}

TEST_CASE("read_safetensors: 300,000 names", "[io][safetensors]") {  // minutes, if quadratic
  const test::TemporaryFolder folder;
  const std::string path = folder.file("w.safetensors");
  std::string header = "{";
  constexpr int count = 300'000;
  for (int i = 0; i < count; ++i) {
    header += (i == 0 ? "\"" : ",\"") + std::to_string(i) +
              R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  }
  test::write_bytes(path, safetensors_bytes(header + "}", 0));
  CHECK(read_safetensors(path).size() == count);
  test::write_bytes(path, safetensors_bytes(header + R"(,"77":{}})", 0));
  CHECK_THROWS_WITH(read_safetensors(path), test::contains("the name '77' occurs twice"));
}
