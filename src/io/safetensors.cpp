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
#include "io/safetensors_file.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/atomic_file.hpp"

namespace tessera {

namespace {

using detail::Metadata;
using nlohmann::json;
using Entry = detail::SafetensorsEntry;

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

Metadata parse_metadata(const json& header) {
  const auto found = header.find(metadata_key);
  if (found == header.end()) return {};
  const bool known =
      found->is_object() && std::all_of(found->begin(), found->end(),
                                        [](const json& value) { return value.is_string(); });
  if (!known) throw error::Io("has a damaged header: its metadata are no texts by name");
  return found->get<Metadata>();
}

const Dtype* find_dtype(at::ScalarType type) {
  const auto* found = std::find_if(dtypes.begin(), dtypes.end(),
                                   [&](const Dtype& candidate) { return candidate.type == type; });
  return found == dtypes.end() ? nullptr : found;
}

std::uint64_t bytes_of(const Entry& entry) {
  return static_cast<std::uint64_t>(c10::multiply_integers(entry.shape)) *
         c10::elementSize(entry.type);
}

}  // namespace

namespace detail {

SafetensorsReader::SafetensorsReader(const std::string& path) : file_(path) {
  std::array<unsigned char, 8> bytes{};
  file_.read(0, bytes.data(), bytes.size());
  const auto header_size = std::bit_cast<std::uint64_t>(bytes);
  if (header_size > std::min(longest_header, file_.size() - bytes.size())) {
    throw error::Io(fmt::format(
        "is no .safetensors file or truncated: it declares a header of {} bytes", header_size));
  }
  const std::string text = file_.read(bytes.size(), header_size);
  if (!text.starts_with('{'))
    throw error::Io("is no .safetensors file: its header does not begin with '{'");
  const json header = parse_header(text);
  metadata_ = parse_metadata(header);

  data_offset_ = bytes.size() + header_size;
  const std::uint64_t data_size = file_.size() - data_offset_;
  for (const auto& [name, value] : header.items()) {
    if (name != metadata_key) entries_.push_back(parse_entry(name, value, data_size));
  }
  check_layout(entries_, data_size);
}

void SafetensorsReader::read(const SafetensorsEntry& entry, std::uint64_t offset, void* into,
                             std::uint64_t count) const {
  file_.read(data_offset_ + entry.begin + offset, into, count);
}

Tensor SafetensorsReader::read(const SafetensorsEntry& entry) const {
  // Any byte but 0 and 1 in a bool would be undefined behaviour.
  const bool logical = entry.type == at::kBool;
  const Tensor tensor = host_tensor(entry.shape, logical ? at::kByte : entry.type);
  read(entry, 0, tensor.mutable_data_ptr(), entry.end - entry.begin);
  return logical ? tensor.ne(0) : tensor;
}

std::vector<SafetensorsEntry> in_file_order(std::vector<SafetensorsEntry> entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return c10::elementSize(a.type) > c10::elementSize(b.type);
  });
  std::uint64_t offset = 0;
  for (Entry& entry : entries) {
    entry.begin = offset;
    entry.end = offset + bytes_of(entry);
    offset = entry.end;
  }
  return entries;
}

std::string safetensors_header(const std::string& path,
                               const std::vector<SafetensorsEntry>& entries,
                               const Metadata& metadata) {
  json header = json::object();
  if (!metadata.empty()) header[metadata_key] = metadata;
  for (const Entry& entry : entries) {
    header[entry.name] = {{"dtype", std::string(find_dtype(entry.type)->name)},
                          {"shape", entry.shape},
                          {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string text = in_file("write_safetensors", path, [&] { return header.dump(); });
  text.append((8 - text.size() % 8) % 8, ' ');
  const auto size = std::bit_cast<std::array<char, 8>>(static_cast<std::uint64_t>(text.size()));
  return std::string(size.data(), size.size()) + text;
}

}  // namespace detail

StateDict read_safetensors(const std::string& path, Metadata* metadata) {
  return detail::in_file("read_safetensors", path, [&] {
    const detail::SafetensorsReader file(path);
    if (metadata != nullptr) *metadata = file.metadata();
    StateDict tensors;
    for (const Entry& entry : file.entries()) tensors.emplace(entry.name, file.read(entry));
    return tensors;
  });
}

void write_safetensors(const std::string& path, const StateDict& tensors,
                       const Metadata& metadata) {
  std::vector<Entry> entries;
  for (const auto& [name, tensor] : tensors) {
    const bool known = tensor.defined() && find_dtype(tensor.scalar_type()) != nullptr;
    if (!known || name == metadata_key) {
      throw error::InvalidArgument(
          fmt::format("write_safetensors: {}: tensor {} is {}, expected a float64, float32, "
                      "float16, bfloat16, integer "
                      "or bool tensor with another name than {}",
                      path, detail::in_quotes(name), describe(tensor), metadata_key));
    }
    entries.push_back({name, tensor.scalar_type(), tensor.sizes().vec()});
  }
  entries = detail::in_file_order(std::move(entries));
  const std::string header = detail::safetensors_header(path, entries, metadata);

  AtomicFile file(path);
  file.write(header);
  for (const Entry& entry : entries) {
    const Tensor here = detail::host_copy(tensors.at(entry.name));
    file.write(here.const_data_ptr(), here.nbytes());
  }
  file.commit();
}

}  // namespace tessera
