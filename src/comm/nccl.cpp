// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/comm/nccl.hpp"

#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <fmt/format.h>
#include <nccl.h>

#include <algorithm>
#include <exception>
#include <string>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/detail/message.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/core/error.hpp"

namespace tessera {
namespace {

/// NCCL has no complex numbers: they are sent and summed as pairs of real ones.
struct NcclType {
  ncclDataType_t type;
  std::size_t per_element;
};

NcclType nccl_type(DataType type) {
  switch (type) {
    case DataType::u8:
      return {ncclUint8, 1};
    case DataType::i32:
      return {ncclInt32, 1};
    case DataType::i64:
      return {ncclInt64, 1};
    case DataType::f32:
      return {ncclFloat32, 1};
    case DataType::f64:
      return {ncclFloat64, 1};
    case DataType::c64:
      return {ncclFloat32, 2};
    case DataType::c128:
      return {ncclFloat64, 2};
  }
  throw error::InvalidArgument("nccl: unknown DataType");
}

ncclRedOp_t nccl_operation(Reduction reduction) {
  switch (reduction) {
    case Reduction::sum:
      return ncclSum;
    case Reduction::min:
      return ncclMin;
    case Reduction::max:
      return ncclMax;
  }
  throw error::InvalidArgument("nccl: unknown Reduction");
}

/// Makes a device current for a scope.
class OnDevice {
 public:
  explicit OnDevice(int device) {
    cudaGetDevice(&before_);
    if (before_ != device) cudaSetDevice(device);
  }
  ~OnDevice() { cudaSetDevice(before_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

 private:
  int before_ = 0;
};

bool all_equal(std::span<const std::int64_t> counts) {
  return std::all_of(counts.begin(), counts.end(),
                     [&](std::int64_t count) { return count == counts[0]; });
}

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(CommunicatorPtr control, int device, const ncclUniqueId& id)
      : control_(std::move(control)), device_(device), exceptions_(std::uncaught_exceptions()) {
    const OnDevice current(device_);
    check(ncclCommInitRank(&comm_, control_->size(), id, control_->rank()), "start");
  }

  ~NcclCommunicator() override {
    if (comm_ == nullptr) return;
    const OnDevice current(device_);
    const bool unwinding = std::uncaught_exceptions() > exceptions_;
    if (!unwinding && !broken_ && used_) cudaStreamSynchronize(last_stream_);
    ncclCommAbort(comm_);  // unlike ncclCommDestroy, it does not wait for the other ranks
  }

  int rank() const override { return control_->rank(); }
  int size() const override { return control_->size(); }
  std::string name() const override { return "nccl"; }
  Memory memory() const override { return Memory::device; }
  Communicator& control() override { return *control_; }
  [[noreturn]] void abort(int code) override {
    for (;;) control_->abort(code);  // GCC 12 forgets that the virtual function does not return
  }

 private:
  void check(ncclResult_t result, const char* operation) {
    if (result == ncclSuccess) return;
    broken_ = true;
    const char* detail = ncclGetLastError(comm_);
    throw error::Communication(fmt::format("nccl.{}: {}{}{}{}", operation,
                                           ncclGetErrorString(result),
                                           detail != nullptr && *detail != '\0' ? ": " : "",
                                           detail != nullptr ? detail : "", rank_suffix(*this)));
  }

  /// Calls `queue(stream)` with torch's current stream, as one NCCL group, after a look at earlier
  /// errors.
  template <typename Queue>
  void on_stream(const char* operation, Queue&& queue) {
    const OnDevice current(device_);
    ncclResult_t earlier = ncclSuccess;
    check(ncclCommGetAsyncError(comm_, &earlier), operation);
    check(earlier, operation);
    last_stream_ = c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device_)).stream();
    used_ = true;
    check(ncclGroupStart(), operation);
    ncclResult_t queued = ncclSuccess;
    queue(last_stream_, [&](ncclResult_t result) {
      if (queued == ncclSuccess) queued = result;
    });
    const ncclResult_t ended = ncclGroupEnd();
    check(queued, operation);
    check(ended, operation);
  }

  void do_all_reduce(void* data, std::int64_t count, DataType type, Reduction reduction) override {
    const auto [nccl, per_element] = nccl_type(type);
    const std::size_t n = static_cast<std::size_t>(count) * per_element;
    on_stream("all_reduce", [&, nccl = nccl](cudaStream_t stream, auto&& note) {
      note(ncclAllReduce(data, data, n, nccl, nccl_operation(reduction), comm_, stream));
    });
  }

  void do_broadcast(void* data, std::int64_t count, DataType type, int root) override {
    const auto [nccl, per_element] = nccl_type(type);
    const std::size_t n = static_cast<std::size_t>(count) * per_element;
    on_stream("broadcast", [&, nccl = nccl](cudaStream_t stream, auto&& note) {
      note(ncclBroadcast(data, data, n, nccl, root, comm_, stream));
    });
  }

  void do_all_gather(const void* mine, void* all, std::span<const std::int64_t> counts,
                     DataType type) override {
    const auto [nccl, per_element] = nccl_type(type);
    on_stream("all_gather", [&, nccl = nccl, per_element = per_element](cudaStream_t stream,
                                                                        auto&& note) {
      if (all_equal(counts)) {
        note(ncclAllGather(mine, all, static_cast<std::size_t>(counts[0]) * per_element, nccl,
                           comm_, stream));
        return;
      }
      std::byte* slice = static_cast<std::byte*>(all);
      for (int root = 0; root < size(); ++root) {
        const std::size_t count = static_cast<std::size_t>(counts[static_cast<std::size_t>(root)]);
        if (count == 0) continue;
        note(ncclBroadcast(root == rank() ? mine : slice, slice, count * per_element, nccl, root,
                           comm_, stream));
        slice += count * size_of(type);
      }
    });
  }

  void do_reduce_scatter(const void* all, void* mine, std::span<const std::int64_t> counts,
                         DataType type, Reduction reduction) override {
    const auto [nccl, per_element] = nccl_type(type);
    const ncclRedOp_t operation = nccl_operation(reduction);
    on_stream("reduce_scatter", [&, nccl = nccl, per_element = per_element](cudaStream_t stream,
                                                                            auto&& note) {
      if (all_equal(counts)) {
        note(ncclReduceScatter(all, mine, static_cast<std::size_t>(counts[0]) * per_element, nccl,
                               operation, comm_, stream));
        return;
      }
      const std::byte* slice = static_cast<const std::byte*>(all);
      for (int root = 0; root < size(); ++root) {
        const std::size_t count = static_cast<std::size_t>(counts[static_cast<std::size_t>(root)]);
        if (count == 0) continue;
        note(ncclReduce(slice, mine, count * per_element, nccl, operation, root, comm_, stream));
        slice += count * size_of(type);
      }
    });
  }

  void do_exchange(std::span<const Message> sends, std::span<const Message> receives,
                   DataType type) override {
    const auto [nccl, per_element] = nccl_type(type);
    on_stream("exchange",
              [&, nccl = nccl, per_element = per_element](cudaStream_t stream, auto&& note) {
                for (const Message& message : sends) {
                  if (message.count == 0) continue;
                  note(ncclSend(message.data, static_cast<std::size_t>(message.count) * per_element,
                                nccl, message.peer, comm_, stream));
                }
                for (const Message& message : receives) {
                  if (message.count == 0) continue;
                  note(ncclRecv(message.data, static_cast<std::size_t>(message.count) * per_element,
                                nccl, message.peer, comm_, stream));
                }
              });
  }

  void do_barrier() override {
    const OnDevice current(device_);
    const cudaError_t error = cudaStreamSynchronize(
        c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device_)).stream());
    if (error != cudaSuccess) {
      broken_ = true;
      throw error::Communication(
          fmt::format("nccl.barrier: {}{}", cudaGetErrorString(error), rank_suffix(*this)));
    }
    control_->barrier();
  }

  CommunicatorPtr do_split(int color, int key) override {
    return nccl_communicator(control_->split(color, key), NcclOptions{device_});
  }

  CommunicatorPtr control_;
  int device_;
  int exceptions_;
  ncclComm_t comm_ = nullptr;
  cudaStream_t last_stream_ = nullptr;
  bool used_ = false;
  bool broken_ = false;
};

void check_device(const NcclOptions& options, const GpuChoice& choice) {
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error != cudaSuccess || devices == 0) {
    throw error::InvalidArgument(
        fmt::format("nccl_communicator: no CUDA device here ({})",
                    error != cudaSuccess ? cudaGetErrorString(error) : "none found"));
  }
  if (options.device && (*options.device < 0 || *options.device >= devices)) {
    throw error::InvalidArgument(fmt::format(
        "nccl_communicator: device is {}, expected one in [0, {})", *options.device, devices));
  }
  if (!options.device && choice.sharers > 1) {
    throw error::InvalidArgument(
        fmt::format("nccl_communicator: {} ranks of this host would share one of its CUDA devices, "
                    "of which this one sees {}; start one rank for each device",
                    choice.sharers, devices));
  }
}

}  // namespace

CommunicatorPtr nccl_communicator(CommunicatorPtr control, const NcclOptions& options) {
  if (!control || control->memory() != Memory::host) {
    throw error::InvalidArgument(
        "nccl_communicator: expected a control communicator in host memory");
  }
  const GpuChoice choice = gpu_of_this_rank(*control);
  ncclUniqueId id{};
  guarded(*control, "nccl_communicator", [&] {
    check_device(options, choice);
    if (!control->is_root()) return;
    const ncclResult_t result = ncclGetUniqueId(&id);
    if (result != ncclSuccess) {
      throw error::Error(fmt::format("nccl_communicator: {}", ncclGetErrorString(result)));
    }
  });
  control->broadcast(&id, sizeof id, DataType::u8, 0);
  return std::make_shared<NcclCommunicator>(std::move(control),
                                            options.device.value_or(choice.device), id);
}

}  // namespace tessera
