// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/npy.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>

#include "io/guard.hpp"
#include "io/host.hpp"
#include "io/input_file.hpp"
#include "io/npy_header.hpp"
#include "io/window.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/atomic_file.hpp"

namespace tessera {

namespace {

constexpr std::string_view magic{"\x93NUMPY", 6};

struct ElementType {
  std::string_view code;  // NumPy's letter and size, without byte order
  at::ScalarType type;
};

constexpr std::array element_types{
    ElementType{"f2", at::kHalf},           ElementType{"f4", at::kFloat},
    ElementType{"f8", at::kDouble},         ElementType{"c8", at::kComplexFloat},
    ElementType{"c16", at::kComplexDouble}, ElementType{"u1", at::kByte},
    ElementType{"u2", at::kUInt16},         ElementType{"i1", at::kChar},
    ElementType{"i2", at::kShort},          ElementType{"i4", at::kInt},
    ElementType{"i8", at::kLong},           ElementType{"b1", at::kBool},
};

/// Reads the dictionary {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }: the keys in
/// any order, each once, and nothing else.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  NpyHeader parse() {
    NpyHeader header;
    bool descr = false, order = false, shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = string();
      expect(':');
      if (key == "descr" && !descr) {
        descr = true;
        read_dtype(header);
      } else if (key == "fortran_order" && !order) {
        order = true;
        header.fortran_order = boolean();
      } else if (key == "shape" && !shape) {
        shape = true;
        header.shape = tuple();
      } else {
        throw error::Io("has a damaged header: key " + detail::in_quotes(key));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (!text_.empty()) fail("the end");
    if (!descr || !order || !shape) {
      throw error::Io("has a damaged header: descr, fortran_order or shape is missing");
    }
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& expected) const {
    throw error::Io(
        fmt::format("has a damaged header: expected {} at {}", expected, detail::in_quotes(text_)));
  }

  void skip_space() {
    const std::size_t used = text_.find_first_not_of(" \t\n\r");
    text_.remove_prefix(std::min(used, text_.size()));
  }

  bool accept(char c) {
    skip_space();
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!accept(c)) fail(fmt::format("'{}'", c));
  }

  std::string_view string() {
    skip_space();
    if (text_.empty() || (text_.front() != '\'' && text_.front() != '"')) fail("a string");
    const std::size_t end = text_.find(text_.front(), 1);
    if (end == std::string_view::npos) fail("a closed string");
    const std::string_view result = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return result;
  }

  bool boolean() {
    skip_space();
    for (const auto& [word, value] : {std::pair{"True", true}, std::pair{"False", false}}) {
      if (text_.starts_with(word)) {
        text_.remove_prefix(std::string_view(word).size());
        return value;
      }
    }
    fail("True or False");
  }

  std::int64_t number() {
    skip_space();
    std::int64_t value = 0;
    std::size_t digits = 0;
    while (digits < text_.size() && text_[digits] >= '0' && text_[digits] <= '9') {
      if (digits == 18) fail("a smaller number");
      value = value * 10 + (text_[digits++] - '0');
    }
    if (digits == 0) fail("a number");
    text_.remove_prefix(digits);
    return value;
  }

  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> result;
    expect('(');
    while (!accept(')')) {
      result.push_back(number());
      if (!accept(',')) {
        if (result.size() == 1) fail("','");
        expect(')');
        break;
      }
    }
    return result;
  }

  void read_dtype(NpyHeader& header) {
    skip_space();
    if (text_.starts_with('[')) throw error::Io("has a structured dtype, which is not supported");
    const std::string_view descr = string();
    const auto* found = std::find_if(
        element_types.begin(), element_types.end(),
        [&](const ElementType& dtype) { return !descr.empty() && descr.substr(1) == dtype.code; });
    const bool ordered = descr.starts_with('<') || descr.starts_with('>');
    const bool bytes = descr.starts_with('|') && descr.ends_with('1');
    if (found == element_types.end() || (!ordered && !bytes)) {
      throw error::Io(
          fmt::format("has dtype {}, expected one of f2 f4 f8 c8 c16 u1 u2 i1 i2 i4 i8 b1",
                      detail::in_quotes(descr)));
    }
    header.type = found->type;
    header.swapped = descr.starts_with('>');
  }

  std::string_view text_;
};

/// Reverses the bytes of each number in place.
void swap_bytes(Tensor& tensor) {
  const std::size_t size = tensor.element_size() / (tensor.is_complex() ? 2 : 1);
  auto* bytes = static_cast<char*>(tensor.mutable_data_ptr());
  auto* const end = bytes + tensor.nbytes();
  for (; bytes != end; bytes += size) std::reverse(bytes, bytes + size);
}

/// NumPy writes 0 and 1; a bool of another value would be neither true nor false.
void check_bools(const Tensor& tensor) {
  const auto* bytes = static_cast<const unsigned char*>(tensor.const_data_ptr());
  const auto* end = bytes + tensor.nbytes();
  const auto* found = std::find_if(bytes, end, [](unsigned char byte) { return byte > 1; });
  if (found != end) {
    throw error::Io(
        fmt::format("is damaged: it has a bool of value {}, expected 0 or 1", int{*found}));
  }
}

struct Located {
  NpyHeader header;
  std::uint64_t offset;  // of the data
};

Located read_header(const detail::InputFile& file) {
  const std::string start = file.read(0, std::min<std::uint64_t>(file.size(), 12));
  if (!start.starts_with(magic.substr(0, start.size()))) throw error::Io("is not a .npy file");
  if (start.size() < 12) throw error::Io("is truncated: its header is incomplete");
  const auto byte = [&](std::size_t i) {
    return std::uint64_t{static_cast<unsigned char>(start[i])};
  };
  const std::uint64_t version = byte(6);
  if (version < 1 || version > 3) {
    throw error::Io(fmt::format("has .npy format version {}, expected 1 to 3", version));
  }
  const std::uint64_t header_offset = version == 1 ? 10 : 12;
  const std::uint64_t header_size =
      byte(8) + (byte(9) << 8) + (version == 1 ? 0 : (byte(10) << 16) + (byte(11) << 24));
  constexpr std::uint64_t longest_header = 1 << 16;
  if (header_size > longest_header) {
    throw error::Io(fmt::format("declares a header of {} bytes, at most {} are accepted",
                                header_size, longest_header));
  }
  const std::string text = file.read(header_offset, header_size);
  const NpyHeader header = HeaderParser(text).parse();

  const std::uint64_t data_offset = header_offset + header_size;
  const std::uint64_t available = file.size() - data_offset;
  const auto needed = static_cast<std::uint64_t>(detail::checked_count(header.shape)) *
                      c10::elementSize(header.type);
  if (needed != available) {
    throw error::Io(fmt::format("{}: its shape {} needs {} bytes of data, and it has {}",
                                needed > available ? "is truncated" : "is too long",
                                to_string(header.shape), needed, available));
  }
  return {header, data_offset};
}

Tensor read(const std::string& path, const Box& window) {
  const detail::InputFile file(path);
  auto [header, offset] = read_header(file);
  Box box = detail::checked_window("read_npy", path, window, header.shape);
  if (header.fortran_order) {
    std::reverse(header.shape.begin(), header.shape.end());
    std::reverse(box.axes.begin(), box.axes.end());
  }
  Tensor tensor = detail::host_tensor(box.extents(), header.type);
  auto* target = static_cast<char*>(tensor.mutable_data_ptr());
  detail::each_piece(offset, c10::elementSize(header.type), header.shape, box,
                     [&](std::uint64_t from, std::uint64_t bytes) {
                       file.read(from, target, bytes);
                       target += bytes;
                     });
  if (header.swapped) swap_bytes(tensor);
  if (header.type == at::kBool) check_bools(tensor);
  if (header.fortran_order) {
    std::vector<std::int64_t> reversed(header.shape.size());
    std::iota(reversed.rbegin(), reversed.rend(), 0);
    tensor = tensor.permute(reversed).contiguous();
  }
  return tensor;
}

}  // namespace

std::optional<std::string> detail::npy_header(at::ScalarType type, at::IntArrayRef shape) {
  const auto* dtype =
      std::find_if(element_types.begin(), element_types.end(),
                   [&](const ElementType& candidate) { return candidate.type == type; });
  if (dtype == element_types.end()) return std::nullopt;
  const bool byte_sized = c10::elementSize(type) == 1;
  std::string header = fmt::format(
      "{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}{}), }}", byte_sized ? '|' : '<',
      dtype->code, fmt::join(shape.begin(), shape.end(), ", "), shape.size() == 1 ? "," : "");
  // NumPy aligns the data to 64 bytes and ends the header with a new line.
  const std::size_t before = magic.size() + 4;
  header.append(63 - (before + header.size()) % 64, ' ');
  header += '\n';
  return std::string(magic) + '\x01' + '\x00' + static_cast<char>(header.size() & 0xff) +
         static_cast<char>(header.size() >> 8) + header;
}

Tensor read_npy(const std::string& path, const Box& window) {
  return detail::in_file("read_npy", path, [&] { return read(path, window); });
}

NpyHeader read_npy_header(const std::string& path) {
  return detail::in_file("read_npy_header", path,
                         [&] { return read_header(detail::InputFile(path)).header; });
}

void write_npy(const std::string& path, const Tensor& tensor) {
  std::optional<std::string> header;
  if (tensor.defined()) header = detail::npy_header(tensor.scalar_type(), tensor.sizes());
  if (!header) {
    throw error::InvalidArgument(
        fmt::format("write_npy: {}: the tensor is {}, expected float16, float32, float64, "
                    "complex64, complex128, "
                    "uint8, uint16, int8, int16, int32, int64 or bool",
                    path, describe(tensor)));
  }
  const Tensor data = detail::host_copy(tensor);
  AtomicFile file(path);
  file.write(*header);
  file.write(data.const_data_ptr(), data.nbytes());
  file.commit();
}

}  // namespace tessera
