// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <c10/core/Device.h>

#include <string>

#include "settings/enum_names.hpp"
#include "tessera/comm/communicator.hpp"

namespace restoration {

/// How ranks exchange data: --backend.
enum class Backend { automatic, mpi, nccl };

/// Where a rank computes, and how ranks exchange data.
struct Place {
  tessera::CommunicatorPtr ranks;
  int gpu = 0;  ///< index of this rank's
};

/// Collective. As --backend says, or over NCCL where every rank has a GPU of its own and this was
/// built with it, else through host memory. Throws on every rank if a rank has no device of the
/// kind asked for. `program` begins the messages.
Place choose_place(const tessera::CommunicatorPtr& world, const std::string& program,
                   at::DeviceType device, Backend backend);

/// The CPU, or the GPU of that index. Throws error::InvalidArgument if there is none.
at::Device device_of(at::DeviceType type, int gpu);

}  // namespace restoration

template <>
inline constexpr std::array settings::enum_names<restoration::Backend> = {
    settings::EnumName{restoration::Backend::automatic, "auto"},
    settings::EnumName{restoration::Backend::mpi, "mpi"},
    settings::EnumName{restoration::Backend::nccl, "nccl"}};
