// SPDX-License-Identifier: BSD-3-Clause
#include "grid/folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <thread>

#include "settings/numbers.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/core/error.hpp"

namespace grid {

namespace fs = std::filesystem;
using tessera::error::Io;

namespace {

constexpr std::chrono::seconds patience{60};

/// "host process", as the owner of a lock writes it.
std::string signature() {
  return fmt::format("{} {}", tessera::host_name(), getpid());
}

/// Whether the owner of a lock is a living process of this host.
bool is_alive(const std::string& owner) {
  const std::string mine = signature();
  const std::size_t space = owner.rfind(' ');
  if (space == std::string::npos || owner.compare(0, space, mine, 0, mine.rfind(' ')) != 0) {
    return false;
  }
  const std::optional<std::int64_t> process =
      settings::to_integer(std::string_view(owner).substr(space + 1));
  return process && *process > 0 && kill(static_cast<pid_t>(*process), 0) == 0;
}

std::string read_owner(int descriptor) {
  std::array<char, 128> text{};
  const ssize_t count = pread(descriptor, text.data(), text.size() - 1, 0);
  return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(0, count))};
}

}  // namespace

void prepare_folder(const std::string& folder) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) throw Io(fmt::format("--out {}: cannot be created: {}", folder, failure.message()));
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    throw Io(fmt::format("--out {}: no permission to write into it", folder));
  }
}

FolderLock::FolderLock(const std::string& folder) {
  const std::string path = folder + "/.lock";
  descriptor_ = open(path.c_str(), O_RDWR | O_CREAT, 0644);  // not close-on-exec: children hold it
  if (descriptor_ < 0) {
    throw Io(fmt::format("{}: cannot be written: {}", path, std::strerror(errno)));
  }
  const auto start = std::chrono::steady_clock::now();
  bool has_said = false;
  while (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) break;  // a file system without locks
    const std::string owner = read_owner(descriptor_);
    if (is_alive(owner) || std::chrono::steady_clock::now() - start > patience) {
      close(descriptor_);
      throw Io(
          fmt::format("{}: another run or grid is at work in this folder (host and process: {})",
                      folder, owner));
    }
    if (!has_said)
      fmt::print("Waiting for what an earlier, killed process started in {} ...\n", folder);
    has_said = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  const std::string mine = signature();
  if (ftruncate(descriptor_, 0) != 0 || pwrite(descriptor_, mine.data(), mine.size(), 0) < 0) {
    return;  // the name of the owner is for messages only
  }
}

FolderLock::~FolderLock() {
  close(descriptor_);
}

}  // namespace grid
