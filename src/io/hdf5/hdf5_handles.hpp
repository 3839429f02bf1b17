// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <hdf5.h>

#include <mutex>
#include <string>
#include <utility>

namespace tessera::detail {

/// An identifier of HDF5, closed at the end of the scope.
class Hdf5Id {
 public:
  using Close = herr_t (*)(hid_t);
  Hdf5Id(hid_t id, Close close) : id_(id), close_(close) {}
  Hdf5Id(Hdf5Id&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Hdf5Id& operator=(Hdf5Id&&) = delete;
  ~Hdf5Id() {
    if (id_ >= 0) close_(id_);
  }

  // What HDF5 takes: this class is that identifier, closed at the end.
  operator hid_t() const { return id_; }  // NOLINT(google-explicit-constructor)

 private:
  hid_t id_;
  Close close_;
};

/// HDF5 for one thread at a time, with its messages kept, not printed.
class Hdf5Session {
 public:
  Hdf5Session();
  Hdf5Session(const Hdf5Session&) = delete;
  Hdf5Session& operator=(const Hdf5Session&) = delete;
  ~Hdf5Session();

 private:
  std::lock_guard<std::mutex> lock_;
  H5E_auto2_t print_ = nullptr;
  void* print_data_ = nullptr;
};

/// Throws error::Io: what failed, and the innermost message of HDF5.
[[noreturn]] void fail_hdf5(const std::string& what);

/// The identifier, which is valid; throws as fail_hdf5() does if it is not.
inline Hdf5Id opened(hid_t id, Hdf5Id::Close close, const char* what) {
  if (id < 0) fail_hdf5(what);
  return {id, close};
}

/// The value, which is not negative; throws as fail_hdf5() does if it is.
template <class Number>
Number checked(Number value, const char* what) {
  if (value < 0) fail_hdf5(what);
  return value;
}

}  // namespace tessera::detail
