#pragma once

#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/core/tensor.hpp"

/// Tensors through a Communicator. The one place where device tensors meet a host-memory communicator:
/// they are staged through pinned host buffers here.
namespace tessera {

/// Raw view of a tensor for the buffer functions of Communicator.
struct TensorView {
  void* data = nullptr;
  std::int64_t count = 0;
  DataType type = DataType::f32;
};

/// Local. Throws error::ShapeMismatch unless `tensor` is contiguous, of a type in DataType, and in memory
/// of the kind that `communicator` reads.
TensorView view(const Tensor& tensor, const Communicator& communicator);

/// Collective. Reduces a tensor of equal shape on all ranks in place.
void all_reduce(Communicator& communicator, Tensor& tensor, Reduction reduction = Reduction::sum);

/// Collective. Copies `tensor` of rank `root` into `tensor` (same shape and dtype) of all ranks.
void broadcast(Communicator& communicator, Tensor& tensor, int root = 0);

/// Collective. Concatenates flat tensors of `counts[r]` elements in rank order.
Tensor all_gather(Communicator& communicator, const Tensor& mine, const std::vector<std::int64_t>& counts);

}  // namespace tessera
