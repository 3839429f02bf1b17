#pragma once

#include "tessera/comm/communicator.hpp"

namespace tessera {

/// The communicator of a program that runs alone: one rank, no transport.
CommunicatorPtr self_communicator();

}  // namespace tessera
