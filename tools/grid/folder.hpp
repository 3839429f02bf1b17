// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace grid {

/// Creates a folder for results and makes sure that it can be written to. Throws error::Io.
void prepare_folder(const std::string& folder);

/// Keeps a folder to one process and what it starts: the lock is passed on to children, so that it
/// holds until the last of them has ended.
class FolderLock {
 public:
  /// The lock is the file .lock there, which stays. Waits up to a minute for what an earlier,
  /// killed process started. Throws error::Io if another one is at work in the folder.
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace grid
