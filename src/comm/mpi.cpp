// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/comm/mpi.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <optional>
#include <thread>
#include <vector>

#include "mpi_check.hpp"
#include "mpi_types.hpp"
#include "tessera/comm/detail/launcher.hpp"
#include "tessera/comm/detail/message.hpp"
#include "tessera/comm/mpi_interop.hpp"

namespace tessera {
namespace {

/// An MPI_Comm of our own, on which errors return.
class OwnedComm {
 public:
  explicit OwnedComm(MPI_Comm comm) : comm_(comm), exceptions_(std::uncaught_exceptions()) {
    MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
  }
  ~OwnedComm() {
    const bool unwinding = std::uncaught_exceptions() > exceptions_;
    if (!unwinding && !mpi_is_finalised()) MPI_Comm_free(&comm_);
  }
  OwnedComm(const OwnedComm&) = delete;
  OwnedComm& operator=(const OwnedComm&) = delete;

  MPI_Comm get() const { return comm_; }

 private:
  MPI_Comm comm_;
  int exceptions_;
};

/// MPI_Wait that gives the core away between two looks. MPICH keeps it while it waits, in blocking
/// collectives too: where a host has more ranks than cores, the rank that is waited for then gets
/// its turn a time slice later, milliseconds instead of microseconds.
int wait_for(MPI_Request& request, MPI_Status* status = MPI_STATUS_IGNORE) {
  for (;;) {
    int is_done = 0;
    const int code = MPI_Test(&request, &is_done, status);
    if (code != MPI_SUCCESS || is_done != 0) return code;
    std::this_thread::yield();
  }
}

/// Longer sums go piece by piece, which stay in the second cache together with what MPI allocates
/// for what it receives: more than twice as fast for 80 MB on two ranks.
constexpr std::int64_t bytes_of_reduced_piece = std::int64_t{1} << 21;

class MpiCommunicator final : public Communicator {
 public:
  /// Takes `comm` over.
  MpiCommunicator(MPI_Comm comm, const MpiOptions& options) : comm_(comm), options_(options) {
    MPI_Comm_rank(comm, &rank_);
    MPI_Comm_size(comm, &size_);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string name() const override { return "mpi"; }

  [[noreturn]] void abort(int code) override {
    MPI_Abort(comm_.get(), code);
    std::_Exit(code);
  }

 private:
  void check(int code, std::string_view operation) const {
    if (code != MPI_SUCCESS) mpi_check(code, operation, rank_suffix(*this));
  }

  /// Waits for the collective that `start(request)` begins.
  template <typename Start>
  void collective(std::string_view operation, Start&& start) const {
    MPI_Request request = MPI_REQUEST_NULL;
    check(start(&request), operation);
    check(wait_for(request), operation);
  }

  /// Calls `send(first byte, elements)` for pieces of `data` that MPI can count, of at most
  /// `largest` bytes.
  template <typename Send>
  void in_pieces(void* data, std::int64_t count, DataType type, Send&& send,
                 std::int64_t largest = std::numeric_limits<std::int64_t>::max()) const {
    std::byte* bytes = static_cast<std::byte*>(data);
    const std::int64_t element = static_cast<std::int64_t>(size_of(type));
    const std::int64_t piece = std::min(options_.largest_count, largest / element);
    for (std::int64_t done = 0; done < count; done += piece) {
      send(bytes + done * element, static_cast<int>(std::min(piece, count - done)));
    }
  }

  void do_all_reduce(void* data, std::int64_t count, DataType type, Reduction reduction) override {
    const MPI_Op operation = reductions_.operation(type, reduction);
    const auto reduce = [&](std::byte* piece, int n) {
      collective("all_reduce", [&](MPI_Request* request) {
        return MPI_Iallreduce(MPI_IN_PLACE, piece, n, mpi_type(type), operation, comm_.get(),
                              request);
      });
    };
    in_pieces(data, count, type, reduce, bytes_of_reduced_piece);
  }

  void do_broadcast(void* data, std::int64_t count, DataType type, int root) override {
    in_pieces(data, count, type, [&](std::byte* piece, int n) {
      collective("broadcast", [&](MPI_Request* request) {
        return MPI_Ibcast(piece, n, mpi_type(type), root, comm_.get(), request);
      });
    });
  }

  /// Counts and offsets as MPI's int, if all of them fit into one message.
  struct Layout {
    std::vector<int> counts;
    std::vector<int> offsets;
  };
  std::optional<Layout> layout(std::span<const std::int64_t> counts) const {
    Layout layout;
    std::int64_t total = 0;
    for (const std::int64_t count : counts) {
      layout.counts.push_back(static_cast<int>(std::min(count, options_.largest_count)));
      layout.offsets.push_back(static_cast<int>(std::min(total, options_.largest_count)));
      total += count;
    }
    if (total > options_.largest_count) return std::nullopt;
    return layout;
  }

  void do_all_gather(const void* mine, void* all, std::span<const std::int64_t> counts,
                     DataType type) override {
    const std::size_t element = size_of(type);
    std::byte* slice = static_cast<std::byte*>(all);
    for (int r = 0; r < rank_; ++r) slice += static_cast<std::size_t>(counts[r]) * element;
    const bool in_place = mine == slice;

    if (const std::optional<Layout> fits = layout(counts)) {
      collective("all_gather", [&](MPI_Request* request) {
        return MPI_Iallgatherv(in_place ? MPI_IN_PLACE : mine, fits->counts[rank_], mpi_type(type),
                               all, fits->counts.data(), fits->offsets.data(), mpi_type(type),
                               comm_.get(), request);
      });
      return;
    }
    const std::int64_t own = counts[rank_];
    if (!in_place && own > 0) std::memcpy(slice, mine, static_cast<std::size_t>(own) * element);
    slice = static_cast<std::byte*>(all);
    for (int root = 0; root < size_; ++root) {
      do_broadcast(slice, counts[root], type, root);
      slice += static_cast<std::size_t>(counts[root]) * element;
    }
  }

  void do_reduce_scatter(const void* all, void* mine, std::span<const std::int64_t> counts,
                         DataType type, Reduction reduction) override {
    const MPI_Op operation = reductions_.operation(type, reduction);
    if (const std::optional<Layout> fits = layout(counts)) {
      collective("reduce_scatter", [&](MPI_Request* request) {
        return MPI_Ireduce_scatter(all, mine, fits->counts.data(), mpi_type(type), operation,
                                   comm_.get(), request);
      });
      return;
    }
    const std::byte* from = static_cast<const std::byte*>(all);
    for (int root = 0; root < size_; ++root) {
      std::byte* to = static_cast<std::byte*>(mine);
      in_pieces(const_cast<std::byte*>(from), counts[root], type, [&](std::byte* piece, int n) {
        collective("reduce_scatter", [&](MPI_Request* request) {
          return MPI_Ireduce(piece, rank_ == root ? to : nullptr, n, mpi_type(type), operation,
                             root, comm_.get(), request);
        });
        to += static_cast<std::size_t>(n) * size_of(type);
      });
      from += static_cast<std::size_t>(counts[root]) * size_of(type);
    }
  }

  void do_exchange(std::span<const Message> sends, std::span<const Message> receives,
                   DataType type) override {
    const int tag = 0;  // messages between two ranks keep their order
    std::vector<MPI_Request> requests;
    std::vector<int> expected;
    for (const Message& message : receives) {
      in_pieces(message.data, message.count, type, [&](std::byte* piece, int n) {
        check(MPI_Irecv(piece, n, mpi_type(type), message.peer, tag, comm_.get(),
                        &requests.emplace_back(MPI_REQUEST_NULL)),
              "exchange");
        expected.push_back(n);
      });
    }
    for (const Message& message : sends) {
      in_pieces(message.data, message.count, type, [&](std::byte* piece, int n) {
        check(MPI_Isend(piece, n, mpi_type(type), message.peer, tag, comm_.get(),
                        &requests.emplace_back(MPI_REQUEST_NULL)),
              "exchange");
      });
    }
    // One by one: MPI_Waitall may not say which message failed, and how.
    std::vector<MPI_Status> statuses(requests.size());
    int first_error = MPI_SUCCESS;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const int code = wait_for(requests[i], &statuses[i]);
      if (first_error == MPI_SUCCESS) first_error = code;
    }
    check(first_error, "exchange");
    for (std::size_t i = 0; i < expected.size(); ++i) {
      int received = 0;
      MPI_Get_count(&statuses[i], mpi_type(type), &received);
      if (received != expected[i]) {
        throw error::Communication(
            fmt::format("mpi.exchange: rank {} sent {} elements, expected {}{}",
                        statuses[i].MPI_SOURCE, received, expected[i], rank_suffix(*this)));
      }
    }
  }

  void do_barrier() override {
    collective("barrier", [&](MPI_Request* request) { return MPI_Ibarrier(comm_.get(), request); });
  }

  CommunicatorPtr do_split(int color, int key) override {
    MPI_Comm part = MPI_COMM_NULL;
    check(MPI_Comm_split(comm_.get(), color, key, &part), "split");
    return std::make_shared<MpiCommunicator>(part, options_);
  }

  OwnedComm comm_;
  MpiReductions reductions_;
  MpiOptions options_;
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace

CommunicatorPtr mpi_communicator(MPI_Comm ranks, const MpiOptions& options) {
  if (!mpi_is_initialised() || mpi_is_finalised()) {
    throw error::Communication(
        fmt::format("mpi_communicator: MPI {}; call MPI_Init, or make an MpiSession that outlives "
                    "the communicator",
                    mpi_is_initialised() ? "has been finalised" : "is not initialised"));
  }
  if (ranks == MPI_COMM_NULL) {
    throw error::Communication(
        "mpi_communicator: given MPI_COMM_NULL, expected the ranks to work with");
  }
  if (options.largest_count < 1 || options.largest_count > std::numeric_limits<int>::max()) {
    throw error::InvalidArgument(
        fmt::format("mpi_communicator: largest_count is {}, expected one in [1, 2^31 - 1]",
                    options.largest_count));
  }
  MPI_Comm duplicate = MPI_COMM_NULL;
  mpi_check(MPI_Comm_dup(ranks, &duplicate), "duplicate");
  return std::make_shared<MpiCommunicator>(duplicate, options);
}

CommunicatorPtr mpi_communicator(const MpiOptions& options) {
  CommunicatorPtr world = mpi_communicator(MPI_COMM_WORLD, options);
  if (const auto contradiction =
          detail::launcher_contradiction(detail::process_environment(), world->size())) {
    throw error::Communication("mpi_communicator: " + *contradiction);
  }
  return world;
}

}  // namespace tessera
