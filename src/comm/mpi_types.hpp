// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <mpi.h>

#include "tessera/comm/communicator.hpp"

namespace tessera {

MPI_Datatype mpi_type(DataType type);

/// The reductions as MPI operations. MPI_MIN and MPI_MAX compare a NaN by the order of their
/// operands, which may differ between ranks, so floating-point minima and maxima are operations of
/// our own: a NaN wins, and, declared as not commutative, they see their operands in the same order
/// on every rank.
class MpiReductions {
 public:
  MpiReductions();
  /// Local; does nothing once MPI is finalised.
  ~MpiReductions();
  MpiReductions(const MpiReductions&) = delete;
  MpiReductions& operator=(const MpiReductions&) = delete;

  MPI_Op operation(DataType type, Reduction reduction) const;

 private:
  MPI_Op minimum_ = MPI_OP_NULL;
  MPI_Op maximum_ = MPI_OP_NULL;
};

}  // namespace tessera
