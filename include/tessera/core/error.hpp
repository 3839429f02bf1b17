// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <stdexcept>
#include <string>

/// The exceptions tessera throws. Every message says who (class.function), what was expected, what
/// was given and, when several ranks run, on which rank.
namespace tessera::error {

/// Base of all of them.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An argument that cannot work: a negative count, a patch larger than the image, an unknown name.
class InvalidArgument : public Error {
 public:
  using Error::Error;
};

/// A tensor of the wrong shape, dtype or device.
class ShapeMismatch : public InvalidArgument {
 public:
  using InvalidArgument::InvalidArgument;
};

/// An iterative solution that misses the tolerance it was asked for; the message has what was
/// reached and what helps.
class NotConverged : public Error {
 public:
  using Error::Error;
};

/// A file that cannot be read or written; the message names the file and the cause.
class Io : public Error {
 public:
  using Error::Error;
};

/// A failure reported by MPI, NCCL or CUDA.
class Communication : public Error {
 public:
  using Error::Error;
};

/// A failure that started on one rank and is thrown on every rank (see comm/agreement.hpp).
class RankFailure : public Error {
 public:
  RankFailure(int rank, int size, const std::string& message)
      : Error(message), rank_(rank), size_(size) {}
  /// The lowest rank that failed.
  int rank() const { return rank_; }
  /// How many ranks throw it: those of the communicator on which they agreed.
  int size() const { return size_; }

 private:
  int rank_;
  int size_;
};

}  // namespace tessera::error
