// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/partition.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

/// Measurements of any shape and dtype between ranks, as bytes through host memory.
namespace tessera::detail {

/// Local. Of `count` tensors, those at these indices.
TensorList select_held(const TensorList& all, const std::vector<std::int64_t>& held,
                       std::int64_t count, const std::string& who);

/// Collective. What the ranks hold, one tensor per held operator, on every rank in operator order.
TensorList gather_held(const TensorList& held, const Partition& partition,
                       Communicator& communicator, const std::string& who);

/// Collective. From rank `root`, which alone needs `all`, to the ranks that hold the operators.
TensorList scatter_held(const TensorList& all, int root, const Partition& partition,
                        Communicator& communicator, const std::string& who);

inline constexpr std::size_t most_dimensions = 6;
/// dtype, number of dimensions, extents.
using TensorHeader = std::array<std::int64_t, most_dimensions + 2>;

inline TensorHeader header_of(const Tensor& tensor, const std::string& who) {
  if (!tensor.defined() || tensor.dim() > static_cast<std::int64_t>(most_dimensions)) {
    throw error::ShapeMismatch(formatted("{}: a measurement is {}, expected at most {} dimensions",
                                         who, describe(tensor), most_dimensions));
  }
  TensorHeader header{};
  header[0] = static_cast<std::int64_t>(tensor.scalar_type());
  header[1] = tensor.dim();
  for (std::int64_t axis = 0; axis < tensor.dim(); ++axis) {
    header[static_cast<std::size_t>(axis) + 2] = tensor.size(axis);
  }
  return header;
}

inline Tensor empty_like(const TensorHeader& header) {
  const at::IntArrayRef shape(header.data() + 2, static_cast<std::size_t>(header[1]));
  return at::empty(shape, at::TensorOptions().dtype(static_cast<at::ScalarType>(header[0])));
}

inline Tensor on_host(const Tensor& tensor) {
  return tensor.detach().to(at::kCPU).contiguous();
}

inline std::int64_t bytes_after(const TensorHeader& header) {
  std::int64_t bytes =
      static_cast<std::int64_t>(c10::elementSize(static_cast<at::ScalarType>(header[0])));
  for (std::int64_t axis = 0; axis < header[1]; ++axis)
    bytes *= header[static_cast<std::size_t>(axis) + 2];
  return bytes;
}

inline void check_items(const TensorList& given, std::int64_t expected, const std::string& who) {
  if (static_cast<std::int64_t>(given.size()) != expected) {
    throw error::ShapeMismatch(
        formatted("{}: got {} measurements, expected {}", who, given.size(), expected));
  }
}

inline TensorList select_held(const TensorList& all, const std::vector<std::int64_t>& held,
                              std::int64_t count, const std::string& who) {
  check_items(all, count, who);
  TensorList mine;
  for (const std::int64_t index : held) mine.push_back(all[static_cast<std::size_t>(index)]);
  return mine;
}

inline TensorList gather_held(const TensorList& held, const Partition& partition,
                              Communicator& communicator, const std::string& who) {
  const std::vector<std::int64_t> indices = partition.of(communicator.rank());
  std::vector<TensorHeader> headers(static_cast<std::size_t>(partition.items()), TensorHeader{});
  std::vector<std::byte> mine;
  guarded(communicator, who, [&] {
    check_items(held, static_cast<std::int64_t>(indices.size()), who);
    for (std::size_t i = 0; i < held.size(); ++i) {
      headers[static_cast<std::size_t>(indices[i])] = header_of(held[i], who);
      const Tensor source = on_host(held[i]);
      const auto* data = static_cast<const std::byte*>(source.const_data_ptr());
      mine.insert(mine.end(), data, data + source.nbytes());
    }
  });
  Communicator& host = communicator.control();
  host.all_reduce(headers.data(),
                  static_cast<std::int64_t>(headers.size() * std::tuple_size_v<TensorHeader>),
                  DataType::i64, Reduction::sum);

  std::vector<std::int64_t> counts(static_cast<std::size_t>(communicator.size()), 0);
  for (std::int64_t index = 0; index < partition.items(); ++index) {
    counts[static_cast<std::size_t>(partition.owner(index))] +=
        bytes_after(headers[static_cast<std::size_t>(index)]);
  }
  std::int64_t total = 0;
  for (const std::int64_t count : counts) total += count;
  std::vector<std::byte> everything;
  guarded(communicator, who, [&] { everything.resize(static_cast<std::size_t>(total)); });
  host.all_gather(mine.data(), everything.data(), counts, DataType::u8);

  const at::Device device = held.empty() ? at::Device(at::kCPU) : held.front().device();
  TensorList all(static_cast<std::size_t>(partition.items()));
  const std::byte* next = everything.data();
  for (int rank = 0; rank < communicator.size(); ++rank) {
    for (const std::int64_t index : partition.of(rank)) {
      Tensor tensor = empty_like(headers[static_cast<std::size_t>(index)]);
      if (tensor.nbytes() > 0) std::memcpy(tensor.mutable_data_ptr(), next, tensor.nbytes());
      next += tensor.nbytes();
      all[static_cast<std::size_t>(index)] = tensor.to(device);
    }
  }
  return all;
}

inline TensorList scatter_held(const TensorList& all, int root, const Partition& partition,
                               Communicator& communicator, const std::string& who) {
  std::vector<TensorHeader> headers(static_cast<std::size_t>(partition.items()), TensorHeader{});
  TensorList sources;
  fail_together(communicator, who, [&] {
    if (root < 0 || root >= communicator.size()) {
      throw error::InvalidArgument(
          formatted("{}: root is {}, expected a rank in [0, {})", who, root, communicator.size()));
    }
    if (communicator.rank() == root) {
      check_items(all, partition.items(), who);
      for (std::size_t i = 0; i < all.size(); ++i) {
        headers[i] = header_of(all[i], who);
        sources.push_back(on_host(all[i]));
      }
    }
  });
  same_on_all_ranks(communicator, who, "root", root);

  Communicator& host = communicator.control();
  host.broadcast(headers.data(),
                 static_cast<std::int64_t>(headers.size() * std::tuple_size_v<TensorHeader>),
                 DataType::i64, root);
  TensorList held;
  std::vector<Message> sends;
  std::vector<Message> receives;
  guarded(communicator, who, [&] {
    for (std::size_t i = 0; i < sources.size(); ++i) {
      // A message's data is not const, because receives share the type; a send only reads it.
      sends.push_back({partition.owner(static_cast<std::int64_t>(i)),
                       const_cast<void*>(sources[i].const_data_ptr()), bytes_after(headers[i])});
    }
    for (const std::int64_t index : partition.of(communicator.rank())) {
      const TensorHeader& header = headers[static_cast<std::size_t>(index)];
      held.push_back(empty_like(header));
      receives.push_back({root, held.back().mutable_data_ptr(), bytes_after(header)});
    }
  });
  host.exchange(sends, receives, DataType::u8);
  return held;
}

}  // namespace tessera::detail
