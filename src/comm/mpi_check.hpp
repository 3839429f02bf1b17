// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <fmt/format.h>
#include <mpi.h>

#include <string_view>

#include "tessera/core/error.hpp"

namespace tessera {

inline bool mpi_is_initialised() {
  int flag = 0;
  MPI_Initialized(&flag);
  return flag != 0;
}

inline bool mpi_is_finalised() {
  int flag = 0;
  MPI_Finalized(&flag);
  return flag != 0;
}

/// Throws error::Communication, "mpi.<operation>: <MPI's text>", unless `code` is MPI_SUCCESS.
inline void mpi_check(int code, std::string_view operation, std::string_view suffix = {}) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw error::Communication(fmt::format(
      "mpi.{}: {}{}", operation, std::string_view(text, static_cast<std::size_t>(length)), suffix));
}

}  // namespace tessera
