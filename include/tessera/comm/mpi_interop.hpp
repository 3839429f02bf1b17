// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <mpi.h>

#include "tessera/comm/mpi.hpp"

/// For programs that use MPI themselves. The only public header that includes mpi.h.
namespace tessera {

/// Collective over `ranks`. A communicator over the ranks of the caller's own MPI_Comm, which is
/// duplicated, so that tessera's messages and the caller's never meet; the caller keeps and frees
/// `ranks`. Throws error::Communication if MPI is not initialised or `ranks` is MPI_COMM_NULL.
CommunicatorPtr mpi_communicator(MPI_Comm ranks, const MpiOptions& options = {});

}  // namespace tessera
