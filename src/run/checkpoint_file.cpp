#include "checkpoint_file.hpp"

#include <ATen/ops/empty.h>
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
constexpr const char* format_name = "tessera checkpoint 1";
constexpr const char* checksum_key = "checksum";
constexpr std::string_view option_prefix = "option.";
constexpr std::int64_t most_ranks = std::int64_t{1} << 24;

std::string observer_key(std::size_t rank) {
  return fmt::format("observer.{}", rank);
}

std::string checksum(const StateDict& tensors, const Metadata& metadata) {
  std::uint32_t crc = 0;
  const auto add = [&crc](const std::string& text) {
    crc =
        io::crc32(text.c_str(), text.size() + 1, crc);  // with its zero, so that lengths count too
  };
  for (const auto& [key, value] : metadata) {
    if (key == checksum_key) continue;
    add(key);
    add(value);
  }
  for (const auto& [name, tensor] : tensors) {
    add(name);
    add(fmt::format("{} {}", c10::toString(tensor.scalar_type()), to_string(tensor.sizes())));
    crc = io::crc32(tensor.const_data_ptr(), tensor.nbytes(), crc);
  }
  return fmt::format("{:08x}", crc);
}

Tensor as_tensor(const std::string& bytes) {
  Tensor tensor = io::host_tensor({static_cast<std::int64_t>(bytes.size())}, at::kByte);
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
Number number(const Metadata& metadata, const std::string& key) {
  const std::string& text = member(metadata, key);
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0)) {
    throw error::Io(fmt::format("is damaged: '{}' is {}", key, io::in_quotes(text)));
  }
  return value;
}

CheckpointFile read(const std::string& path) {
  Metadata metadata;
  StateDict tensors = read_safetensors(path, &metadata);
  if (const auto format = metadata.find(format_key);
      format == metadata.end() || format->second != format_name) {
    throw error::Io(fmt::format("is no '{}'", format_name));
  }
  if (member(metadata, checksum_key) != checksum(tensors, metadata)) {
    throw error::Io("is damaged: its checksum does not match");
  }
  CheckpointFile content;
  if (tensors.count("x") == 0) throw error::Io("is damaged: it has no tensor 'x'");
  content.state.x = tensors.at("x");
  content.state.iterations = number<std::int64_t>(metadata, "iterations");
  content.state.elapsed_s = number<double>(metadata, "elapsed_s");
  content.state.relative_change = number<double>(metadata, "relative_change");
  const auto ranks = number<std::int64_t>(metadata, "ranks");
  if (ranks < 1 || ranks > most_ranks) throw error::Io("is damaged: 'ranks' is out of range");
  content.observers.resize(static_cast<std::size_t>(ranks));
  for (std::size_t rank = 0; rank < content.observers.size(); ++rank) {
    const auto found = tensors.find(observer_key(rank));
    if (found != tensors.end()) content.observers[rank] = as_string(found->second);
  }
  for (const auto& [key, value] : metadata) {
    if (key.starts_with(option_prefix)) {
      content.configuration[key.substr(option_prefix.size())] = value;
    }
  }
  return content;
}

}  // namespace

void write_checkpoint(const std::string& path, const CheckpointFile& content) {
  StateDict tensors = {{"x", io::host_copy(content.state.x)}};
  for (std::size_t rank = 0; rank < content.observers.size(); ++rank) {
    const std::string& saved = content.observers[rank];
    if (!saved.empty()) tensors.emplace(observer_key(rank), as_tensor(saved));
  }
  Metadata metadata = {{format_key, format_name},
                       {"iterations", fmt::format("{}", content.state.iterations)},
                       {"elapsed_s", fmt::format("{}", content.state.elapsed_s)},
                       {"relative_change", fmt::format("{}", content.state.relative_change)},
                       {"ranks", fmt::format("{}", content.observers.size())}};
  for (const auto& [name, value] : content.configuration) {
    metadata.emplace(std::string(option_prefix) + name, value);
  }
  metadata.emplace(checksum_key, checksum(tensors, metadata));
  write_safetensors(path, tensors, metadata);
}

CheckpointFile read_checkpoint(const std::string& path) {
  try {
    return io::in_file("read_checkpoint", path, [&] { return read(path); });
  } catch (const error::Io& failure) {
    throw error::Io(fmt::format(
        "{}. Nothing can be resumed from this file: remove it to start anew", failure.what()));
  }
}

}  // namespace tessera::detail
