// SPDX-License-Identifier: BSD-3-Clause
#include "io/hdf5/hdf5_handles.hpp"

#include <fmt/format.h>

#include "io/guard.hpp"
#include "tessera/core/error.hpp"

namespace tessera::detail {

namespace {

std::mutex& hdf5_mutex() {
  static std::mutex mutex;
  return mutex;
}

/// Keeps the first message, which is the innermost.
herr_t keep_innermost(unsigned number, const H5E_error2_t* error, void* text) {
  if (number == 0 && error->desc != nullptr) *static_cast<std::string*>(text) = error->desc;
  return 0;
}

}  // namespace

Hdf5Session::Hdf5Session() : lock_(hdf5_mutex()) {
  H5open();
  H5Eget_auto2(H5E_DEFAULT, &print_, &print_data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Hdf5Session::~Hdf5Session() {
  H5Eclear2(H5E_DEFAULT);
  H5Eset_auto2(H5E_DEFAULT, print_, print_data_);
}

void fail_hdf5(const std::string& what) {
  std::string cause;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &cause);
  H5Eclear2(H5E_DEFAULT);
  if (cause.empty()) throw error::Io(what);
  throw error::Io(fmt::format("{}, HDF5 says: {}", what, in_quotes(cause)));
}

}  // namespace tessera::detail
