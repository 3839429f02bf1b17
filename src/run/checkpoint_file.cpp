// SPDX-License-Identifier: BSD-3-Clause
#include "checkpoint_file.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/view_as_complex.h>
#include <ATen/ops/view_as_real.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <functional>
#include <optional>

#include "io/crc32.hpp"
#include "io/guard.hpp"
#include "io/host.hpp"
#include "io/safetensors_file.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/state_dict.hpp"
#include "tessera/distributed/box_stream.hpp"
#include "tessera/io/atomic_file.hpp"

namespace tessera::detail {

namespace {

constexpr const char* format_key = "format";
constexpr std::string_view format_family = "tessera checkpoint ";
constexpr const char* format_name = "tessera checkpoint 2";
constexpr const char* checksum_key = "checksum";
constexpr const char* iterate_name = "x";
constexpr std::string_view option_prefix = "option.";
constexpr std::string_view number_prefix = "number.";
constexpr std::string_view complex_prefix = "complex.";
constexpr std::string_view image_prefix = "image.";
constexpr std::string_view measured_prefix = "measured.";
constexpr std::int64_t most_ranks = std::int64_t{1} << 24;

std::string observer_key(std::size_t rank) {
  return fmt::format("observer.{}", rank);
}

/// The checksum of a file, from its metadata and then its tensors in the order of their names.
class Checksum {
 public:
  explicit Checksum(const Metadata& metadata) {
    for (const auto& [key, value] : metadata) {
      if (key == checksum_key) continue;
      add(key);
      add(value);
    }
  }
  void begin(const SafetensorsEntry& entry) {
    add(entry.name);
    add(fmt::format("{} {}", c10::toString(entry.type), to_string(entry.shape)));
  }
  void add(const void* bytes, std::size_t size) { crc_ = crc32(bytes, size, crc_); }
  std::string text() const { return fmt::format("{:08x}", crc_); }

 private:
  void add(const std::string& text) {
    add(text.c_str(), text.size() + 1);  // with its zero, so that lengths count too
  }
  std::uint32_t crc_ = 0;
};

std::string checksum(const SafetensorsReader& file) {
  std::map<std::string, const SafetensorsEntry*> by_name;
  for (const SafetensorsEntry& entry : file.entries()) by_name[entry.name] = &entry;
  Checksum sum(file.metadata());
  std::vector<char> piece(std::size_t{1} << 20);
  for (const auto& [name, entry] : by_name) {
    sum.begin(*entry);
    const std::uint64_t size = entry->end - entry->begin;
    for (std::uint64_t done = 0; done < size; done += piece.size()) {
      const auto count =
          static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), size - done));
      file.read(*entry, done, piece.data(), count);
      sum.add(piece.data(), count);
    }
  }
  return sum.text();
}

Tensor as_tensor(const std::string& bytes) {
  Tensor tensor = detail::host_tensor({static_cast<std::int64_t>(bytes.size())}, at::kByte);
  std::memcpy(tensor.mutable_data_ptr(), bytes.data(), bytes.size());
  return tensor;
}

std::string as_string(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

const std::string& member(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) throw error::Io(fmt::format("is damaged: it has no '{}'", key));
  return found->second;
}

template <typename Number>
Number parsed(std::string_view text, const std::string& key) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw error::Io(fmt::format("is damaged: '{}' is {}", key, detail::in_quotes(text)));
  }
  return value;
}

template <typename Number>
Number not_negative(const Metadata& metadata, const std::string& key) {
  const auto value = parsed<Number>(member(metadata, key), key);
  if (!(value >= 0)) throw error::Io(fmt::format("is damaged: '{}' is {}", key, value));
  return value;
}

void check_format(const Metadata& metadata) {
  const auto format = metadata.find(format_key);
  if (format != metadata.end() && format->second == format_name) return;
  if (format == metadata.end() || !format->second.starts_with(format_family)) {
    throw error::Io(fmt::format("is no '{}'", format_name));
  }
  if (format->second == "tessera checkpoint 1") {
    throw error::Io(
        "was written by tessera 0.1 ('tessera checkpoint 1'), which kept less of a run; "
        "that version can finish it");
  }
  throw error::Io(fmt::format("is a {}, this version of tessera reads '{}'",
                              detail::in_quotes(format->second), format_name));
}

/// A tensor of the file: this rank's part of one that `space` shares out, or a whole one.
struct Source {
  Tensor tensor;
  BoxSpacePtr space;
};

/// The tensors of a file, by name.
class Sources {
 public:
  void add(const std::string& name, const Tensor& tensor, BoxSpacePtr space = nullptr) {
    sources_[name] = {tensor, std::move(space)};
  }

  /// As they are to be declared, by name; complex ones as .safetensors can hold them.
  std::vector<SafetensorsEntry> entries() const {
    std::vector<SafetensorsEntry> all;
    for (const auto& [name, source] : sources_) {
      const Tensor& tensor = source.tensor;
      std::vector<std::int64_t> shape = tensor.sizes().vec();
      if (source.space) {
        const Extents& whole = source.space->extents();
        std::copy(whole.begin(), whole.end(), shape.begin() + 2);
      }
      if (tensor.is_complex()) shape.push_back(2);
      all.push_back({name, c10::toRealValueType(tensor.scalar_type()), shape});
    }
    return all;
  }

  Metadata complex_names() const {
    Metadata names;
    for (const auto& [name, source] : sources_) {
      if (source.tensor.is_complex()) names.emplace(std::string(complex_prefix) + name, "");
    }
    return names;
  }

  /// Collective if it is a part. The tensor piece by piece in C order, on the rank that writes.
  void stream(const std::string& name, const std::function<void(const Tensor&)>& take) const {
    const auto& [tensor, space] = sources_.at(name);
    const auto take_host = [&take](const Tensor& piece) { take(host_copy(piece)); };
    space ? stream_to_root(*space, tensor, take_host) : take_host(tensor);
  }

 private:
  std::map<std::string, Source> sources_;
};

void read_measured(const std::string& key, const Tensor& tensor, MeasuredByOperator& measured) {
  const std::string_view rest = std::string_view(key).substr(measured_prefix.size());
  const std::size_t dot = rest.rfind('.');
  if (dot == std::string_view::npos) {
    throw error::Io(fmt::format("is damaged: {} names no operator", detail::in_quotes(key)));
  }
  const auto index = parsed<std::int64_t>(rest.substr(dot + 1), key);
  measured[std::string(rest.substr(0, dot))][index] = tensor;
}

/// Whether ranks share it out where they share images out.
bool is_shared_out(const std::string& name) {
  return name == iterate_name || name.starts_with(image_prefix) ||
         name.starts_with(measured_prefix);
}

Tensor without_values(const SafetensorsEntry& entry) {
  return at::empty(entry.shape, at::TensorOptions(entry.type).device(at::kMeta));
}

CheckpointFile read(const std::string& path, bool values_later) {
  const SafetensorsReader file(path);
  const Metadata& metadata = file.metadata();
  check_format(metadata);
  if (member(metadata, checksum_key) != checksum(file)) {
    throw error::Io("is damaged: its checksum does not match");
  }
  StateDict tensors;
  for (const SafetensorsEntry& entry : file.entries()) {
    const bool later = values_later && is_shared_out(entry.name);
    tensors.emplace(entry.name, later ? without_values(entry) : file.read(entry));
  }
  CheckpointFile content;
  for (const auto& [key, value] : metadata) {
    if (key.starts_with(option_prefix)) {
      content.configuration[key.substr(option_prefix.size())] = value;
    } else if (key.starts_with(number_prefix)) {
      content.state.numbers[key.substr(number_prefix.size())] = parsed<double>(value, key);
    } else if (key.starts_with(complex_prefix)) {
      const auto pairs = tensors.find(key.substr(complex_prefix.size()));
      if (pairs != tensors.end()) pairs->second = at::view_as_complex(pairs->second);
    }
  }
  if (tensors.count(iterate_name) == 0) throw error::Io("is damaged: it has no tensor 'x'");
  content.state.x = tensors.at(iterate_name);
  for (const auto& [key, tensor] : tensors) {
    if (key.starts_with(image_prefix)) {
      content.state.images[key.substr(image_prefix.size())] = tensor;
    } else if (key.starts_with(measured_prefix)) {
      read_measured(key, tensor, content.measured);
    }
  }
  content.state.iterations = not_negative<std::int64_t>(metadata, "iterations");
  content.state.elapsed_s = not_negative<double>(metadata, "elapsed_s");
  content.state.relative_change = not_negative<double>(metadata, "relative_change");
  const auto ranks = not_negative<std::int64_t>(metadata, "ranks");
  if (ranks < 1 || ranks > most_ranks) throw error::Io("is damaged: 'ranks' is out of range");
  content.observers.resize(static_cast<std::size_t>(ranks));
  for (std::size_t rank = 0; rank < content.observers.size(); ++rank) {
    const auto found = tensors.find(observer_key(rank));
    if (found != tensors.end()) content.observers[rank] = as_string(found->second);
  }
  return content;
}

}  // namespace

std::string image_key(const std::string& name) {
  return fmt::format("{}{}", image_prefix, name);
}

std::string measured_key(const std::string& name, std::int64_t index) {
  return fmt::format("{}{}.{}", measured_prefix, name, index);
}

void write_checkpoint(const std::string& path, const CheckpointFile& content,
                      const SharedOut& spaces) {
  const bool writes = !spaces.images || spaces.images->communicator().is_root();
  Sources sources;
  sources.add(iterate_name, content.state.x, spaces.images);
  for (const auto& [name, image] : content.state.images) {
    sources.add(image_key(name), image, spaces.images);
  }
  for (const auto& [name, list] : content.measured) {
    for (const auto& [index, tensor] : list) {
      sources.add(measured_key(name, index), tensor,
                  spaces.images ? spaces.measured.at(index) : nullptr);
    }
  }
  if (writes) {
    for (std::size_t rank = 0; rank < content.observers.size(); ++rank) {
      const std::string& saved = content.observers[rank];
      if (!saved.empty()) sources.add(observer_key(rank), as_tensor(saved));
    }
  }
  Metadata metadata = sources.complex_names();
  metadata.emplace(format_key, format_name);
  metadata.emplace("iterations", fmt::format("{}", content.state.iterations));
  metadata.emplace("elapsed_s", fmt::format("{}", content.state.elapsed_s));
  metadata.emplace("relative_change", fmt::format("{}", content.state.relative_change));
  metadata.emplace("ranks", fmt::format("{}", content.observers.size()));
  for (const auto& [name, value] : content.state.numbers) {
    metadata.emplace(std::string(number_prefix) + name, fmt::format("{}", value));
  }
  for (const auto& [name, value] : content.configuration) {
    metadata.emplace(std::string(option_prefix) + name, value);
  }

  // The checksum stands before the tensors: they come twice, and no rank keeps them.
  Checksum sum(metadata);
  for (const SafetensorsEntry& entry : sources.entries()) {
    sum.begin(entry);
    sources.stream(entry.name, [&sum](const Tensor& piece) {
      sum.add(piece.const_data_ptr(), piece.nbytes());
    });
  }
  metadata.emplace(checksum_key, sum.text());

  const std::vector<SafetensorsEntry> entries = in_file_order(sources.entries());
  std::optional<AtomicFile> file;
  if (writes) {
    file.emplace(path);
    file->write(safetensors_header(path, entries, metadata));
  }
  for (const SafetensorsEntry& entry : entries) {
    sources.stream(entry.name, [&file](const Tensor& piece) {
      file->write(piece.const_data_ptr(), piece.nbytes());
    });
  }
  if (writes) file->commit();
}

CheckpointFile read_checkpoint(const std::string& path, bool values_later) {
  try {
    return detail::in_file("read_checkpoint", path, [&] { return read(path, values_later); });
  } catch (const error::Io& failure) {
    throw error::Io(fmt::format(
        "{}. Nothing can be resumed from this file: remove it to start anew", failure.what()));
  }
}

Tensor read_part(const std::string& path, const std::string& name, const Tensor& like,
                 const BoxSpace& space) {
  std::optional<SafetensorsReader> file;
  const SafetensorsEntry* entry = nullptr;
  std::uint64_t done = 0;
  Extents shape = like.sizes().slice(0, 2).vec();
  for (const std::int64_t extent : space.local().extents()) shape.push_back(extent);
  Tensor own = at::empty(shape, at::TensorOptions(like.scalar_type()).device(at::kCPU));
  stream_from_root(space, own, [&](Tensor& slab) {
    detail::in_file("read_checkpoint", path, [&] {
      if (!file) {
        file.emplace(path);
        const auto& entries = file->entries();
        entry = &*std::find_if(entries.begin(), entries.end(),
                               [&](const SafetensorsEntry& each) { return each.name == name; });
      }
      file->read(*entry, done, slab.mutable_data_ptr(), slab.nbytes());
      done += slab.nbytes();
    });
  });
  return own;
}

}  // namespace tessera::detail
