// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

/// How ranks talk: a small abstract class over raw buffers. No torch, MPI or NCCL type appears
/// here; comm/tensor_view.hpp moves tensors through it.
namespace tessera {

/// Element types that every backend moves and reduces.
enum class DataType { u8, i32, i64, f32, f64, c64, c128 };

/// Bytes of one element.
std::size_t size_of(DataType type);

/// Elementwise reductions. min and max are not defined for complex types (error::InvalidArgument).
enum class Reduction { sum, min, max };

/// Where a backend reads and writes the buffers it is given.
enum class Memory { host, device };

/// One message of Communicator::exchange: `count` elements to or from rank `peer`.
struct Message {
  int peer = 0;
  void* data = nullptr;  ///< read for a send, written for a receive
  std::int64_t count = 0;
};

class Communicator;
using CommunicatorPtr = std::shared_ptr<Communicator>;

/// A group of ranks and their collective operations.
///
/// Every operation except rank(), size(), is_root(), name(), memory() and abort() is collective:
/// all ranks of the group call it, in the same order, with matching counts and types. Counts are in
/// elements and may exceed 2^31 (backends split them). Arguments are checked before anything is
/// sent: a negative count, a null buffer with a positive count or a rank outside the group throws
/// error::InvalidArgument; a failure of the transport throws error::Communication. Destructors
/// neither throw nor communicate.
class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  bool is_root() const { return rank() == 0; }
  /// "self", "mpi", "nccl", ...
  virtual std::string name() const = 0;
  virtual Memory memory() const { return Memory::host; }

  /// Collective. Reduces `data` over all ranks in place; the same bits on every rank.
  void all_reduce(void* data, std::int64_t count, DataType type, Reduction reduction);

  /// Collective. Copies `data` of rank `root` to all ranks.
  void broadcast(void* data, std::int64_t count, DataType type, int root);

  /// Collective. Concatenates every rank's `mine` (counts[rank()] elements) in rank order into
  /// `all` (sum of counts). `counts` is known to, and the same on, all ranks; entries may be zero.
  void all_gather(const void* mine, void* all, std::span<const std::int64_t> counts, DataType type);

  /// Collective. Sums or otherwise reduces `all` (sum of counts elements on every rank) and leaves
  /// slice `r`, counts[r] elements, in `mine` of rank r.
  void reduce_scatter(const void* all, void* mine, std::span<const std::int64_t> counts,
                      DataType type, Reduction reduction);

  /// Collective. Sends and receives all messages at once; pairs match by their order per peer.
  /// Messages to oneself are allowed.
  void exchange(std::span<const Message> sends, std::span<const Message> receives, DataType type);

  /// Collective. Returns once every rank has called it.
  void barrier();

  /// Collective. Ranks that give the same `color` form a new group, ordered by `key`, then by rank.
  CommunicatorPtr split(int color, int key);

  /// A communicator over the same ranks whose buffers live in host memory: for flags, shapes and
  /// sizes.
  virtual Communicator& control() { return *this; }

  /// Local. Ends all ranks of the job at once, with exit code `code`: the last resort of a program
  /// whose ranks can no longer agree. Does not return.
  [[noreturn]] virtual void abort(int code) = 0;

 protected:
  Communicator() = default;

 private:
  virtual void do_all_reduce(void* data, std::int64_t count, DataType type,
                             Reduction reduction) = 0;
  virtual void do_broadcast(void* data, std::int64_t count, DataType type, int root) = 0;
  virtual void do_all_gather(const void* mine, void* all, std::span<const std::int64_t> counts,
                             DataType type) = 0;
  virtual void do_reduce_scatter(const void* all, void* mine, std::span<const std::int64_t> counts,
                                 DataType type, Reduction reduction) = 0;
  virtual void do_exchange(std::span<const Message> sends, std::span<const Message> receives,
                           DataType type) = 0;
  virtual void do_barrier() = 0;
  virtual CommunicatorPtr do_split(int color, int key) = 0;
};

}  // namespace tessera

#include "tessera/comm/detail/communicator.hpp"
