#pragma once

#include <string>
#include <vector>

/// Other programs, started and waited for.

/// A command as a shell reads it: quoted where needed.
std::string shell_command(const std::vector<std::string>& command);

/// Runs a command and waits for it. Its output and errors go to the file `log` and, if `show`, to
/// standard output. Returns its exit code, or 128 + signal. If this process dies, the command is
/// sent SIGTERM (on Linux). Throws error::Io if the log cannot be written.
int run_process(const std::vector<std::string>& command, const std::string& log, bool show);

/// Runs a command and returns its exit code; `output` receives what it printed.
int capture_process(const std::vector<std::string>& command, std::string& output);

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
