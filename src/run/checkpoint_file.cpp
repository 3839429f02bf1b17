// SPDX-License-Identifier: BSD-3-Clause
#include "checkpoint_file.hpp"

#include <ATen/ops/empty.h>
#include <ATen/ops/view_as_complex.h>
#include <ATen/ops/view_as_real.h>
#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "io/crc32.hpp"
#include "io/guard.hpp"
#include "io/host.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/safetensors.hpp"

namespace tessera::detail {

namespace {

using Metadata = std::map<std::string, std::string>;

constexpr const char* format_key = "format";
constexpr std::string_view format_family = "tessera checkpoint ";
constexpr const char* format_name = "tessera checkpoint 2";
constexpr const char* checksum_key = "checksum";
constexpr std::string_view option_prefix = "option.";
constexpr std::string_view number_prefix = "number.";
constexpr std::string_view complex_prefix = "complex.";
constexpr std::string_view image_prefix = "image.";
constexpr std::string_view measured_prefix = "measured.";
constexpr std::int64_t most_ranks = std::int64_t{1} << 24;

std::string observer_key(std::size_t rank) {
  return fmt::format("observer.{}", rank);
}

std::string checksum(const StateDict& tensors, const Metadata& metadata) {
  std::uint32_t crc = 0;
  const auto add = [&crc](const std::string& text) {
    crc = detail::crc32(text.c_str(), text.size() + 1,
                        crc);  // with its zero, so that lengths count too
  };
  for (const auto& [key, value] : metadata) {
    if (key == checksum_key) continue;
    add(key);
    add(value);
  }
  for (const auto& [name, tensor] : tensors) {
    add(name);
    add(fmt::format("{} {}", c10::toString(tensor.scalar_type()), to_string(tensor.sizes())));
    crc = detail::crc32(tensor.const_data_ptr(), tensor.nbytes(), crc);
  }
  return fmt::format("{:08x}", crc);
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

/// Puts tensors into a dictionary, complex ones as .safetensors can hold them.
class Writer {
 public:
  void add(const std::string& key, const Tensor& tensor) {
    const Tensor here = detail::host_copy(tensor);
    if (here.is_complex()) metadata.emplace(std::string(complex_prefix) + key, "");
    tensors.emplace(key, here.is_complex() ? at::view_as_real(here) : here);
  }
  StateDict tensors;
  Metadata metadata;
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

CheckpointFile read(const std::string& path) {
  Metadata metadata;
  StateDict tensors = read_safetensors(path, &metadata);
  check_format(metadata);
  if (member(metadata, checksum_key) != checksum(tensors, metadata)) {
    throw error::Io("is damaged: its checksum does not match");
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
  if (tensors.count("x") == 0) throw error::Io("is damaged: it has no tensor 'x'");
  content.state.x = tensors.at("x");
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

void write_checkpoint(const std::string& path, const CheckpointFile& content) {
  Writer file;
  file.add("x", content.state.x);
  for (const auto& [name, image] : content.state.images) {
    file.add(std::string(image_prefix) + name, image);
  }
  for (const auto& [name, list] : content.measured) {
    for (const auto& [index, tensor] : list) {
      file.add(fmt::format("{}{}.{}", measured_prefix, name, index), tensor);
    }
  }
  for (std::size_t rank = 0; rank < content.observers.size(); ++rank) {
    const std::string& saved = content.observers[rank];
    if (!saved.empty()) file.tensors.emplace(observer_key(rank), as_tensor(saved));
  }
  Metadata& metadata = file.metadata;
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
  metadata.emplace(checksum_key, checksum(file.tensors, metadata));
  write_safetensors(path, file.tensors, metadata);
}

CheckpointFile read_checkpoint(const std::string& path) {
  try {
    return detail::in_file("read_checkpoint", path, [&] { return read(path); });
  } catch (const error::Io& failure) {
    throw error::Io(fmt::format(
        "{}. Nothing can be resumed from this file: remove it to start anew", failure.what()));
  }
}

}  // namespace tessera::detail
