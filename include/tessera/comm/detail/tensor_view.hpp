// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <numeric>
#include <optional>

#include "tessera/comm/detail/message.hpp"
#include "tessera/comm/tensor_view.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"

namespace tessera {
namespace detail {

inline std::optional<DataType> type_of(at::ScalarType type) {
  switch (type) {
    case at::kByte:
      return DataType::u8;
    case at::kInt:
      return DataType::i32;
    case at::kLong:
      return DataType::i64;
    case at::kFloat:
      return DataType::f32;
    case at::kDouble:
      return DataType::f64;
    case at::kComplexFloat:
      return DataType::c64;
    case at::kComplexDouble:
      return DataType::c128;
    default:
      return std::nullopt;
  }
}

[[noreturn]] inline void fail(const char* who, const Communicator& communicator,
                              const std::string& text) {
  throw error::ShapeMismatch(formatted("{}: {}{}", who, text, rank_suffix(communicator)));
}

inline DataType checked_type(const Tensor& tensor, const Communicator& communicator,
                             const char* who) {
  if (!tensor.defined()) fail(who, communicator, "given an undefined tensor");
  const std::optional<DataType> type = type_of(tensor.scalar_type());
  if (!type) {
    fail(
        who, communicator,
        formatted(
            "tensor is {}, expected uint8, int32, int64, float32, float64, complex64 or complex128",
            describe(tensor)));
  }
  if (!tensor.is_cpu() && !tensor.is_cuda()) {
    fail(who, communicator,
         formatted("tensor is {}, expected one on cpu or cuda", describe(tensor)));
  }
  return *type;
}

/// Which communicator takes the elements of `tensor`, and whether they must pass through pinned
/// host memory.
struct Route {
  Communicator& carrier;
  bool staged;
};

inline Route route(Communicator& communicator, const Tensor& tensor) {
  if (tensor.is_cuda()) return {communicator, communicator.memory() == Memory::host};
  if (communicator.memory() == Memory::device) return {communicator.control(), false};
  return {communicator, false};
}

/// A contiguous buffer of the shape of `tensor` that the route's carrier reads. Pinned buffers come
/// from torch's caching allocator, which keeps them for the next call and until copies from them
/// are done.
inline Tensor buffer_like(const Tensor& tensor, const Route& route) {
  if (!route.staged) return at::empty_like(tensor, at::MemoryFormat::Contiguous);
  return at::empty(tensor.sizes(), tensor.options().device(at::kCPU).pinned_memory(true));
}

/// The elements of `tensor` where the carrier reads them: the tensor itself if it can be, else a
/// copy, complete on return.
inline Tensor readable(const Tensor& tensor, const Route& route) {
  if (!route.staged) return tensor.detach().resolve_conj().resolve_neg().contiguous();
  Tensor buffer = buffer_like(tensor, route);
  buffer.copy_(tensor.detach());
  return buffer;
}

/// Brings the elements of `buffer` back into `tensor`, unless they are there already.
inline void write_back(const Tensor& buffer, const Tensor& tensor) {
  const Tensor target = tensor.detach();
  if (buffer.data_ptr() == target.data_ptr() && buffer.is_same_size(target) &&
      buffer.strides() == target.strides()) {
    return;
  }
  target.copy_(buffer, /*non_blocking=*/true);
}

inline void check_count(const char* who, const Communicator& communicator, const Tensor& tensor,
                        std::int64_t expected) {
  if (tensor.numel() == expected) return;
  fail(who, communicator,
       formatted("tensor is {}, expected {} elements", describe(tensor), expected));
}

inline void check_counts(const char* who, const Communicator& communicator,
                         const std::vector<std::int64_t>& counts) {
  if (counts.size() == static_cast<std::size_t>(communicator.size())) return;
  throw error::InvalidArgument(formatted("{}: {} counts, expected one for each of {} ranks{}", who,
                                         counts.size(), communicator.size(),
                                         rank_suffix(communicator)));
}

}  // namespace detail

inline TensorView view(const Tensor& tensor, const Communicator& communicator) {
  const DataType type = detail::checked_type(tensor, communicator, "view");
  const bool on_host = communicator.memory() == Memory::host;
  if (tensor.is_cpu() != on_host) {
    detail::fail("view", communicator,
                 formatted("tensor is {}, expected one on {} for communicator '{}'",
                           describe(tensor), on_host ? "cpu" : "cuda", communicator.name()));
  }
  if (!tensor.is_contiguous()) {
    detail::fail("view", communicator,
                 formatted("tensor is {} with strides {}, expected a contiguous one",
                           describe(tensor), to_string(tensor.strides())));
  }
  if (tensor.is_conj() || tensor.is_neg()) {
    detail::fail(
        "view", communicator,
        formatted("tensor is {} with a conjugation or negation pending; call resolve_conj() or "
                  "resolve_neg() first",
                  describe(tensor)));
  }
  return {tensor.data_ptr(), tensor.numel(), type};
}

inline void all_reduce(Communicator& communicator, Tensor& tensor, Reduction reduction) {
  const DataType type = detail::checked_type(tensor, communicator, "all_reduce");
  const detail::Route path = detail::route(communicator, tensor);
  const Tensor buffer = detail::readable(tensor, path);
  path.carrier.all_reduce(buffer.data_ptr(), buffer.numel(), type, reduction);
  detail::write_back(buffer, tensor);
}

inline void broadcast(Communicator& communicator, Tensor& tensor, int root) {
  const DataType type = detail::checked_type(tensor, communicator, "broadcast");
  const detail::Route path = detail::route(communicator, tensor);
  const bool gives = communicator.rank() == root;
  const bool direct =
      !path.staged && tensor.is_contiguous() && !tensor.is_conj() && !tensor.is_neg();
  const Tensor buffer =
      gives || direct ? detail::readable(tensor, path) : detail::buffer_like(tensor, path);
  path.carrier.broadcast(buffer.data_ptr(), buffer.numel(), type, root);
  if (!gives) detail::write_back(buffer, tensor);
}

inline Tensor all_gather(Communicator& communicator, const Tensor& mine,
                         const std::vector<std::int64_t>& counts) {
  const DataType type = detail::checked_type(mine, communicator, "all_gather");
  detail::check_counts("all_gather", communicator, counts);
  detail::check_count("all_gather", communicator, mine,
                      counts[static_cast<std::size_t>(communicator.rank())]);
  const detail::Route path = detail::route(communicator, mine);
  const std::int64_t total = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  const Tensor all = at::empty({total}, mine.options());
  const Tensor gathered = path.staged ? detail::buffer_like(all, path) : all;
  const Tensor given = detail::readable(mine, path);
  path.carrier.all_gather(given.data_ptr(), gathered.data_ptr(), counts, type);
  detail::write_back(gathered, all);
  return all;
}

inline Tensor reduce_scatter(Communicator& communicator, const Tensor& all,
                             const std::vector<std::int64_t>& counts, Reduction reduction) {
  const DataType type = detail::checked_type(all, communicator, "reduce_scatter");
  detail::check_counts("reduce_scatter", communicator, counts);
  detail::check_count("reduce_scatter", communicator, all,
                      std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  const detail::Route path = detail::route(communicator, all);
  const Tensor mine =
      at::empty({counts[static_cast<std::size_t>(communicator.rank())]}, all.options());
  const Tensor reduced = path.staged ? detail::buffer_like(mine, path) : mine;
  const Tensor given = detail::readable(all, path);
  path.carrier.reduce_scatter(given.data_ptr(), reduced.data_ptr(), counts, type, reduction);
  detail::write_back(reduced, mine);
  return mine;
}

inline void exchange(Communicator& communicator, std::span<const TensorMessage> sends,
                     std::span<const TensorMessage> receives) {
  // Ranks without messages take part too: any tensor stands for those that they would have.
  const TensorMessage* first = !sends.empty()      ? sends.data()
                               : !receives.empty() ? receives.data()
                                                   : nullptr;
  if (first == nullptr) {
    communicator.exchange({}, {}, DataType::u8);
    return;
  }
  const DataType type = detail::checked_type(first->tensor, communicator, "exchange");
  for (const std::span<const TensorMessage> messages : {sends, receives}) {
    for (const TensorMessage& message : messages) {
      const DataType other = detail::checked_type(message.tensor, communicator, "exchange");
      if (other != type || message.tensor.device() != first->tensor.device()) {
        detail::fail("exchange", communicator,
                     formatted("one tensor is {}, another {}, expected one dtype and device",
                               describe(first->tensor), describe(message.tensor)));
      }
    }
  }
  const detail::Route path = detail::route(communicator, first->tensor);
  std::vector<Tensor> buffers;
  std::vector<Message> out;
  std::vector<Message> in;
  for (const TensorMessage& message : sends) {
    const Tensor& buffer = buffers.emplace_back(detail::readable(message.tensor, path));
    out.push_back({message.peer, buffer.data_ptr(), buffer.numel()});
  }
  std::vector<Tensor> landed;
  for (const TensorMessage& message : receives) {
    const Tensor& target = message.tensor;
    const bool direct =
        !path.staged && target.is_contiguous() && !target.is_conj() && !target.is_neg();
    const Tensor& buffer =
        landed.emplace_back(direct ? target.detach() : detail::buffer_like(target, path));
    in.push_back({message.peer, buffer.data_ptr(), buffer.numel()});
  }
  path.carrier.exchange(out, in, type);
  for (std::size_t i = 0; i < landed.size(); ++i) detail::write_back(landed[i], receives[i].tensor);
}

}  // namespace tessera
