// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/safetensors.hpp"

#include <ATen/ops/ne.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <vector>

#include "io/guard.hpp"
#include "io/host.hpp"
#include "io/input_file.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/atomic_file.hpp"

namespace tessera {

namespace {

using nlohmann::json;
using Metadata = std::map<std::string, std::string>;

constexpr const char* metadata_key = "__metadata__";
/// The limit of the format's reference implementation.
constexpr std::uint64_t longest_header = 100'000'000;

struct Dtype {
  std::string_view name;
  at::ScalarType type;
};

constexpr std::array dtypes{
    Dtype{"F64", at::kDouble},    Dtype{"F32", at::kFloat}, Dtype{"F16", at::kHalf},
    Dtype{"BF16", at::kBFloat16}, Dtype{"I64", at::kLong},  Dtype{"I32", at::kInt},
    Dtype{"I16", at::kShort},     Dtype{"I8", at::kChar},   Dtype{"U8", at::kByte},
    Dtype{"BOOL", at::kBool},
};

/// One tensor as the header declares it; offsets count from the end of the header.
struct Entry {
  std::string name;
  at::ScalarType type = at::kFloat;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// Refuses what a permissive parser would let pass: repeated keys and deep nesting.
class HeaderWatcher : public nlohmann::json_sax<json> {
 public:
  bool null() override { return true; }
  bool boolean(bool /*value*/) override { return true; }
  bool number_integer(number_integer_t /*value*/) override { return true; }
  bool number_unsigned(number_unsigned_t /*value*/) override { return true; }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return true; }
  bool string(string_t& /*value*/) override { return true; }
  bool binary(binary_t& /*value*/) override { return true; }
  bool start_object(std::size_t /*elements*/) override { return open(); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t /*elements*/) override { return open(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (!names_.back().insert(name).second) {
      throw error::Io("has a damaged header: the name " + detail::in_quotes(name) +
                      " occurs twice");
    }
    return true;
  }
  bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& failure) override {
    throw error::Io(fmt::format("has a damaged header: {}", failure.what()));
  }

 private:
  bool open() {
    constexpr std::size_t deepest = 3;  // header, entry, shape
    if (names_.size() == deepest) throw error::Io("has a damaged header: too deeply nested");
    names_.emplace_back();
    return true;
  }
  bool close() {
    names_.pop_back();
    return true;
  }

  std::vector<std::set<std::string>> names_;  // of the objects that are open
};

/// In two passes: the library's own hook for watching takes time quadratic in the number of
/// entries.
json parse_header(const std::string& text) {
  HeaderWatcher watcher;
  json::sax_parse(text, &watcher);
  return json::parse(text);
}

std::uint64_t natural(const json& value, const std::string& what) {
  if (!value.is_number_unsigned())
    throw error::Io("has a damaged header: " + what + " is no natural number");
  return value.get<std::uint64_t>();
}

const json& member(const json& entry, const char* key, const std::string& name) {
  const auto found = entry.find(key);
  if (found == entry.end()) {
    throw error::Io(
        fmt::format("has a damaged header: tensor {} has no '{}'", detail::in_quotes(name), key));
  }
  return *found;
}

Entry parse_entry(const std::string& name, const json& value, std::uint64_t data_size) {
  const std::string shown = detail::in_quotes(name);
  if (!value.is_object())
    throw error::Io("has a damaged header: tensor " + shown + " is no object");
  Entry entry;
  entry.name = name;
  const json& dtype = member(value, "dtype", name);
  const auto* found = std::find_if(dtypes.begin(), dtypes.end(), [&](const Dtype& candidate) {
    return dtype.is_string() && dtype.get_ref<const std::string&>() == candidate.name;
  });
  if (found == dtypes.end()) {
    const std::string given = dtype.is_string() ? dtype.get<std::string>() : dtype.type_name();
    throw error::Io(fmt::format("tensor {} has dtype {}, which is not supported", shown,
                                detail::in_quotes(given)));
  }
  entry.type = found->type;

  const json& shape = member(value, "shape", name);
  if (!shape.is_array())
    throw error::Io("has a damaged header: the shape of tensor " + shown + " is no list");
  for (const json& extent : shape) {
    const std::uint64_t size = natural(extent, "an extent of tensor " + shown);
    entry.shape.push_back(std::bit_cast<std::int64_t>(size));  // past 2^63: negative, refused below
  }
  const auto count = static_cast<std::uint64_t>(detail::checked_count(entry.shape));

  const json& offsets = member(value, "data_offsets", name);
  if (!offsets.is_array() || offsets.size() != 2) {
    throw error::Io("has a damaged header: data_offsets of tensor " + shown + " is no pair");
  }
  entry.begin = natural(offsets[0], "an offset of tensor " + shown);
  entry.end = natural(offsets[1], "an offset of tensor " + shown);
  if (entry.begin > entry.end || entry.end > data_size) {
    throw error::Io(fmt::format("is truncated or damaged: tensor {} lies at bytes {} to {} of {}",
                                shown, entry.begin, entry.end, data_size));
  }
  if (entry.end - entry.begin != count * c10::elementSize(entry.type)) {
    throw error::Io(
        fmt::format("has a damaged header: tensor {} has {} bytes, expected {} for {} {}", shown,
                    entry.end - entry.begin, count * c10::elementSize(entry.type), found->name,
                    to_string(entry.shape)));
  }
  return entry;
}

/// Throws unless the entries fill the data without overlap or hole.
void check_layout(std::vector<Entry>& entries, std::uint64_t data_size) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t expected = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != expected) {
      throw error::Io(fmt::format("has a damaged header: tensor {} begins at byte {}, expected {}",
                                  detail::in_quotes(entry.name), entry.begin, expected));
    }
    expected = entry.end;
  }
  if (expected != data_size) {
    throw error::Io(fmt::format("is too long: its tensors have {} bytes, and it holds {}", expected,
                                data_size));
  }
}

Tensor read_entry(const detail::InputFile& file, std::uint64_t data_offset, const Entry& entry) {
  // Any byte but 0 and 1 in a bool would be undefined behaviour.
  const bool logical = entry.type == at::kBool;
  const Tensor tensor = detail::host_tensor(entry.shape, logical ? at::kByte : entry.type);
  file.read(data_offset + entry.begin, tensor.mutable_data_ptr(), entry.end - entry.begin);
  return logical ? tensor.ne(0) : tensor;
}

Metadata parse_metadata(const json& header) {
  const auto found = header.find(metadata_key);
  if (found == header.end()) return {};
  const bool known =
      found->is_object() && std::all_of(found->begin(), found->end(),
                                        [](const json& value) { return value.is_string(); });
  if (!known) throw error::Io("has a damaged header: its metadata are no texts by name");
  return found->get<Metadata>();
}

StateDict read(const detail::InputFile& file, Metadata* metadata) {
  std::array<unsigned char, 8> bytes{};
  file.read(0, bytes.data(), bytes.size());
  const auto header_size = std::bit_cast<std::uint64_t>(bytes);
  if (header_size > std::min(longest_header, file.size() - bytes.size())) {
    throw error::Io(fmt::format(
        "is no .safetensors file or truncated: it declares a header of {} bytes", header_size));
  }
  const std::string text = file.read(bytes.size(), header_size);
  if (!text.starts_with('{'))
    throw error::Io("is no .safetensors file: its header does not begin with '{'");
  const json header = parse_header(text);
  if (metadata != nullptr) *metadata = parse_metadata(header);

  const std::uint64_t data_offset = bytes.size() + header_size;
  const std::uint64_t data_size = file.size() - data_offset;
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name != metadata_key) entries.push_back(parse_entry(name, value, data_size));
  }
  check_layout(entries, data_size);
  StateDict tensors;
  for (const Entry& entry : entries)
    tensors.emplace(entry.name, read_entry(file, data_offset, entry));
  return tensors;
}

}  // namespace

StateDict read_safetensors(const std::string& path, Metadata* metadata) {
  return detail::in_file("read_safetensors", path,
                         [&] { return read(detail::InputFile(path), metadata); });
}

void write_safetensors(const std::string& path, const StateDict& tensors,
                       const Metadata& metadata) {
  std::vector<std::pair<std::string, Tensor>> ordered;
  for (const auto& [name, tensor] : tensors) {
    const bool known = tensor.defined() && std::any_of(dtypes.begin(), dtypes.end(),
                                                       [&value = tensor](const Dtype& dtype) {
                                                         return dtype.type == value.scalar_type();
                                                       });
    if (!known || name == metadata_key) {
      throw error::InvalidArgument(
          fmt::format("write_safetensors: {}: tensor {} is {}, expected a float64, float32, "
                      "float16, bfloat16, integer "
                      "or bool tensor with another name than {}",
                      path, detail::in_quotes(name), describe(tensor), metadata_key));
    }
    ordered.emplace_back(name, detail::host_copy(tensor));
  }
  // Wide types first keeps every tensor aligned.
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) {
    return a.second.element_size() > b.second.element_size();
  });

  json header = json::object();
  if (!metadata.empty()) header[metadata_key] = metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : ordered) {
    const auto* dtype = std::find_if(
        dtypes.begin(), dtypes.end(),
        [&type = tensor](const Dtype& candidate) { return candidate.type == type.scalar_type(); });
    const std::uint64_t end = offset + tensor.nbytes();
    header[name] = {{"dtype", std::string(dtype->name)},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = detail::in_file("write_safetensors", path, [&] { return header.dump(); });
  text.append((8 - text.size() % 8) % 8, ' ');
  const auto size = std::bit_cast<std::array<char, 8>>(static_cast<std::uint64_t>(text.size()));

  AtomicFile file(path);
  file.write(size.data(), size.size());
  file.write(text);
  for (const auto& [name, tensor] : ordered) file.write(tensor.const_data_ptr(), tensor.nbytes());
  file.commit();
}

}  // namespace tessera
