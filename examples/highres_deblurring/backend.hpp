#pragma once

#include "options.hpp"
#include "tessera/comm/communicator.hpp"

/// Collective. How the ranks of `world` exchange the run's data: as --backend says, or over NCCL
/// where every rank has a GPU of its own and the program was built with it, else through host
/// memory. Sets options.gpu. Throws on every rank if a rank has no device of the kind asked for.
tessera::CommunicatorPtr make_backend(Options& options, const tessera::CommunicatorPtr& world);
