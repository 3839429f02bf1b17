// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <span>
#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/core/tensor.hpp"

/// Tensors through a Communicator. The one place where tensors meet a communicator of the other
/// kind of memory: device tensors are staged through pinned host buffers for a host communicator;
/// host tensors travel over the control communicator of a device communicator.
///
/// Tensors may be strided or have a conjugation pending: they are copied as needed. Values alone
/// travel; nothing is recorded for differentiation. A dtype outside DataType throws
/// error::ShapeMismatch before anything is sent.
namespace tessera {

/// Raw view of a tensor for the buffer functions of Communicator.
struct TensorView {
  void* data = nullptr;
  std::int64_t count = 0;
  DataType type = DataType::f32;
};

/// Local. Throws error::ShapeMismatch unless `tensor` is contiguous, without pending conjugation or
/// negation, of a dtype in DataType, and in memory of the kind that `communicator` reads. The view
/// lives as long as the tensor.
TensorView view(const Tensor& tensor, const Communicator& communicator);

/// Collective. Reduces a tensor of equal shape and dtype on all ranks in place.
void all_reduce(Communicator& communicator, Tensor& tensor, Reduction reduction = Reduction::sum);

/// Collective. Copies `tensor` of rank `root` into `tensor` (same shape and dtype) of all ranks.
void broadcast(Communicator& communicator, Tensor& tensor, int root = 0);

/// Collective. Concatenates the elements of every rank's `mine` (counts[r] of them on rank r, known
/// to all) in rank order; the result is flat. A rank with nothing to give passes an empty tensor of
/// the common dtype and device. Throws error::ShapeMismatch if `mine` has not counts[rank]
/// elements.
Tensor all_gather(Communicator& communicator, const Tensor& mine,
                  const std::vector<std::int64_t>& counts);

/// Collective. Reduces `all` (sum of counts elements, in rank order, on every rank) and returns
/// this rank's counts[rank] elements, flat. Throws error::ShapeMismatch if `all` has another number
/// of elements.
Tensor reduce_scatter(Communicator& communicator, const Tensor& all,
                      const std::vector<std::int64_t>& counts,
                      Reduction reduction = Reduction::sum);

/// A tensor sent to, or received into from, rank `peer`.
struct TensorMessage {
  int peer = 0;
  Tensor tensor;
};

/// Collective. Sends and receives all messages at once; pairs match by their order per peer and
/// hold equally many elements. Receives are written in place. All tensors of all ranks have one
/// dtype, those of one rank one device.
void exchange(Communicator& communicator, std::span<const TensorMessage> sends,
              std::span<const TensorMessage> receives);

}  // namespace tessera

#include "tessera/comm/detail/tensor_view.hpp"
