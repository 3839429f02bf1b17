// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/equal.h>

#include <filesystem>

#include "catch.hpp"
#include "data_files.hpp"
#include "files.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/safetensors.hpp"
#include "tessera/io/state_dict.hpp"

using namespace tessera;
using test::data_file;

namespace {

/// start, start + 1, ...: the tensors of tests/data/io/make_files.py.
Tensor count(std::int64_t start, at::IntArrayRef shape, at::ScalarType type = at::kFloat) {
  return at::arange(start, start + c10::multiply_integers(shape),
                    at::TensorOptions().dtype(at::kLong))
      .view(shape)
      .to(type);
}

StateDict expected() {
  const Tensor mask = count(0, {3}).remainder(2).ne(1);
  return {
      {"layer.weight", count(1, {2, 3, 4})},   {"layer.bias", count(2, {6}, at::kHalf)},
      {"steps", count(7, {1}, at::kLong)[0]},  {"mask", mask},
      {"brain", count(3, {4}, at::kBFloat16)}, {"transposed", count(5, {3, 4}).t()},
      {"part", count(42, {4}, at::kDouble)},   {"whole", count(40, {10}, at::kDouble)},
  };
}

void check_same(const StateDict& read, const StateDict& wanted) {
  CHECK(read.size() == wanted.size());
  for (const auto& [name, tensor] : wanted) {
    INFO(name);
    REQUIRE(read.contains(name));
    CHECK(read.at(name).scalar_type() == tensor.scalar_type());
    CHECK(read.at(name).is_contiguous());
    CHECK(at::equal(read.at(name), tensor));
  }
}

/// A pickle of the layout without zip, with this program instead of the object.
std::string legacy_bytes(const std::string& program) {
  const std::string magic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  const std::string version("\x80\x02M\xe9\x03.", 6);
  const std::string machine("\x80\x02}.", 4);
  return magic + version + machine + "\x80\x02" + program;
}

/// {"w": a view of a storage of `count` floats with this offset, size and stride}, then the
/// storage.
std::string view_bytes(unsigned char count, unsigned char offset, unsigned char size,
                       unsigned char stride) {
  const auto number = [](unsigned char value) {
    return std::string("K") + static_cast<char>(value);
  };
  const std::string storage = "(X\x07" + std::string(3, '\0') +
                              "storagectorch\nFloatStorage\nX\x01" + std::string(3, '\0') +
                              "0X\x03" + std::string(3, '\0') + "cpu" + number(count) + "tQ";
  const std::string tensor = "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) +
                             "(" + number(size) + "t(" + number(stride) + "t\x89}tR";
  std::string bytes = legacy_bytes("}X\x01" + std::string(3, '\0') + "w" + tensor + "s.");
  bytes += "\x80\x02]X\x01" + std::string(3, '\0') + "0a.";
  bytes += static_cast<char>(count) + std::string(7, '\0');
  for (unsigned char i = 0; i < count; ++i) bytes += std::string(3, '\0') + static_cast<char>(i);
  return bytes;
}

}  // namespace

TEST_CASE("read_state_dict reads every layout torch.save has had", "[io][state_dict]") {
  const std::string name = GENERATE("zip.pth", "protocol4.pth", "legacy.pth", "wrapped.pth");
  INFO(name);
  check_same(read_state_dict(data_file(name)), expected());
}

TEST_CASE("read_state_dict reads safetensors by content", "[io][state_dict]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("weights.pth");
  write_safetensors(path, expected());
  check_same(read_state_dict(path), expected());
  CHECK_THROWS_AS(read_state_dict(path, "params"), error::InvalidArgument);
}

TEST_CASE("read_state_dict chooses among wrapped dictionaries", "[io][state_dict]") {
  check_same(read_state_dict(data_file("two.pth"), "params_ema"), {{"w", count(10, {2})}});
  check_same(read_state_dict(data_file("two.pth"), "params"), {{"w", count(1, {2})}});
  check_same(read_state_dict(data_file("wrapped.pth"), "state_dict"), expected());
  CHECK_THROWS_WITH(read_state_dict(data_file("two.pth")),
                    test::contains("'params', 'params_ema'"));
  CHECK_THROWS_WITH(read_state_dict(data_file("two.pth"), "model"),
                    test::contains("no entry 'model'"));
  CHECK_THROWS_WITH(read_state_dict(data_file("mixed.pth")),
                    test::contains("mixes tensors, such as 'w'"));
  check_same(read_state_dict(data_file("parameter.pth")), {{"w", count(1, {2})}});
}

TEST_CASE("read_state_dict runs nothing and names what it refuses", "[io][state_dict]") {
  CHECK_THROWS_WITH(read_state_dict(data_file("evil.pth")),
                    test::contains("evil.pth") && test::contains("'posix.system'"));
  CHECK_FALSE(std::filesystem::exists("tessera_must_not_exist"));
  CHECK_THROWS_WITH(read_state_dict(data_file("module.pth")),
                    test::contains("'torch.nn.modules.linear.Linear'"));
  CHECK_THROWS_WITH(read_state_dict(data_file("rgb8.png")), test::contains("neither"));
  CHECK_THROWS_AS(read_state_dict(data_file("module.pth")), error::Io);
}

TEST_CASE("read_state_dict checks every view against its storage", "[io][state_dict]") {
  CHECK_THROWS_WITH(read_state_dict(data_file("expanded.pth")),
                    test::contains("'w'") && test::contains("storage of 1 elements"));
  const test::TemporaryFolder folder;
  const std::string path = folder.file("w.pth");
  const auto read = [&](int count, int offset, int size, int stride) {
    const auto byte = [](int value) { return static_cast<unsigned char>(value); };
    test::write_bytes(path, view_bytes(byte(count), byte(offset), byte(size), byte(stride)));
    return read_state_dict(path).at("w");
  };
  CHECK(read(6, 0, 6, 1).numel() == 6);
  CHECK(read(6, 1, 3, 2).numel() == 3);
  CHECK(at::equal(read(6, 1, 3, 2), read(6, 0, 6, 1).slice(0, 1, 6, 2)));
  CHECK(read(6, 6, 0, 1).numel() == 0);
  CHECK_THROWS_WITH(read(6, 1, 6, 1), test::contains("offset 1"));
  CHECK_THROWS_WITH(read(6, 0, 4, 2), test::contains("strides [2]"));
  CHECK_THROWS_WITH(read(6, 7, 0, 1), test::contains("offset 7"));
  CHECK_THROWS_WITH(read(6, 0, 7, 0), test::contains("shape [7]"));
}

TEST_CASE("read_state_dict refuses a zip whose records share bytes", "[io][state_dict]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("w.pth");
  std::string bytes = test::read_bytes(data_file("zip.pth"));
  const std::string signature = "PK\x01\x02";
  constexpr std::size_t offset_field = 42;
  const std::size_t first = bytes.find(signature);
  const std::size_t last = bytes.rfind(signature);
  REQUIRE(first < last);
  bytes.replace(last + offset_field, 4, bytes.substr(first + offset_field, 4));
  test::write_bytes(path, bytes);
  CHECK_THROWS_WITH(read_state_dict(path), test::contains("w.pth") && test::contains("overlap"));
}

TEST_CASE("read_state_dict survives hostile pickles", "[io][state_dict]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("w.pth");
  const auto [program, cause] = GENERATE(table<std::string, std::string>({
      {".", "stack is empty"},
      {"R", "stack is empty"},
      {"K\x01R", "missing"},
      {"(", "truncated"},
      {"t", "mark is missing"},
      {"(((((0", "opcode 0x30"},
      {"h\x05", "memorised"},
      {"]q\x01h\x01"
       "a.",
       "no dictionary of tensors"},  // a list that contains itself
      {"}q\x01X\x01" + std::string(3, '\0') + "ah\x01s.",
       "no dictionary of tensors"},  // a dictionary, too
      {"X\xff\xff\xff\x7f", "too early"},
      {"cbuiltins\neval\n", "'builtins.eval'"},
      {"cbuiltins\n", "does not end"},
      {"ccollections\nOrderedDict\n(K\x01tR", "with arguments"},
      {"K\x01Q", "identifier of a storage"},
      {"(K\x01tQ", "identifier"},
      {"K\x01}b", "attributes"},
      {"}(K\x01u", "no value"},
      {"\x80\x09", "protocol 9"},
      {"ctorch\nFloatStorage\n)R", "function"},
  }));
  INFO(program);
  test::write_bytes(path, legacy_bytes(program));
  CHECK_THROWS_WITH(read_state_dict(path), test::contains("w.pth") && test::contains(cause));
  CHECK_THROWS_AS(read_state_dict(path), error::Io);
}

TEST_CASE("read_state_dict survives a very deep pickle", "[io][state_dict]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("w.pth");
  test::write_bytes(path, legacy_bytes(")" + std::string(1 << 20, '\x85') + "."));
  CHECK_THROWS_WITH(read_state_dict(path), test::contains("no dictionary of tensors"));
}

// The next three took minutes where time grew with the square of the size.
TEST_CASE("read_state_dict: calls of one growing list of arguments", "[io][state_dict]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("w.pth");
  const std::string storage = "(X\x07" + std::string(3, '\0') +
                              "storagectorch\nFloatStorage\nX\x01" + std::string(3, '\0') +
                              "0X\x03" + std::string(3, '\0') + "cpuK\x01tQ";
  std::string program = "ctorch._utils\n_rebuild_tensor_v2\nq\x02(" + storage + "K" +
                        std::string(1, '\0') + "(K\x01t(K\x01ttq\x01";
  for (int i = 0; i < 200'000; ++i)
    program +=
        "h\x01N"
        "ah\x02h\x01R";
  test::write_bytes(path, legacy_bytes(program + "."));
  CHECK_THROWS_WITH(read_state_dict(path), test::contains("no dictionary of tensors"));

  std::string sizes = "(";
  for (int i = 0; i < 65; ++i) sizes += "K\x01";
  test::write_bytes(path, legacy_bytes("ctorch._utils\n_rebuild_tensor_v2\n(" + storage + "K" +
                                       std::string(1, '\0') + sizes + "t(K\x01ttR."));
  CHECK_THROWS_WITH(read_state_dict(path), test::contains("too many dimensions"));
}

TEST_CASE("read_state_dict: one dictionary of tensors under many names", "[io][state_dict]") {
  const test::TemporaryFolder folder;
  const std::string path = folder.file("w.pth");
  const auto key = [](int i) { return std::string("\x8c\x05", 2) + std::to_string(10'000 + i); };
  const std::string storage = "(X\x07" + std::string(3, '\0') +
                              "storagectorch\nFloatStorage\nX\x01" + std::string(3, '\0') +
                              "0X\x03" + std::string(3, '\0') + "cpuK\x01tQ";
  std::string program = "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + "K" +
                        std::string(1, '\0') + "(K\x01t(K\x01ttRq\x01}q\x02(";
  for (int i = 0; i < 80'000; ++i) program += key(i) + "h\x01";
  program += "u}(";
  for (int i = 0; i < 80'000; ++i) program += key(i) + "h\x02";
  test::write_bytes(path, legacy_bytes(program + "u."));
  CHECK_THROWS_WITH(read_state_dict(path), test::contains("'10007', ...: choose one by name"));
}
