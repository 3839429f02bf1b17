// SPDX-License-Identifier: BSD-3-Clause
#include "mpi_types.hpp"

#include <cmath>

#include "mpi_check.hpp"

namespace tessera {
namespace {

template <typename Real, Reduction reduction>
void combine(const void* given, void* kept, int count) {
  const Real* a = static_cast<const Real*>(given);
  Real* b = static_cast<Real*>(kept);
  for (int i = 0; i < count; ++i) {
    const bool better = reduction == Reduction::min ? a[i] < b[i] : a[i] > b[i];
    if (better || std::isnan(a[i])) b[i] = a[i];
  }
}

/// MPI_User_function; used with MPI_FLOAT and MPI_DOUBLE only.
template <Reduction reduction>
void combine_any(void* given, void* kept, int* count, MPI_Datatype* type) {
  if (*type == MPI_FLOAT) {
    combine<float, reduction>(given, kept, *count);
  } else {
    combine<double, reduction>(given, kept, *count);
  }
}

}  // namespace

MPI_Datatype mpi_type(DataType type) {
  switch (type) {
    case DataType::u8:
      return MPI_UINT8_T;
    case DataType::i32:
      return MPI_INT32_T;
    case DataType::i64:
      return MPI_INT64_T;
    case DataType::f32:
      return MPI_FLOAT;
    case DataType::f64:
      return MPI_DOUBLE;
    case DataType::c64:
      return MPI_C_FLOAT_COMPLEX;
    case DataType::c128:
      return MPI_C_DOUBLE_COMPLEX;
  }
  throw error::InvalidArgument("mpi_type: unknown DataType");
}

MpiReductions::MpiReductions() {
  const int not_commutative = 0;
  mpi_check(MPI_Op_create(&combine_any<Reduction::min>, not_commutative, &minimum_), "op_create");
  mpi_check(MPI_Op_create(&combine_any<Reduction::max>, not_commutative, &maximum_), "op_create");
}

MpiReductions::~MpiReductions() {
  int finalised = 0;
  MPI_Finalized(&finalised);
  if (finalised) return;
  MPI_Op_free(&minimum_);
  MPI_Op_free(&maximum_);
}

MPI_Op MpiReductions::operation(DataType type, Reduction reduction) const {
  const bool real = type == DataType::f32 || type == DataType::f64;
  switch (reduction) {
    case Reduction::sum:
      return MPI_SUM;
    case Reduction::min:
      return real ? minimum_ : MPI_MIN;
    case Reduction::max:
      return real ? maximum_ : MPI_MAX;
  }
  throw error::InvalidArgument("mpi_type: unknown Reduction");
}

}  // namespace tessera
