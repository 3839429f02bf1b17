// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/io/atomic_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <random>
#include <system_error>

#include "tessera/core/error.hpp"

namespace tessera {

namespace {

constexpr std::size_t suffix_length = 13;  // ".xxxxxxxx.tmp"

bool is_temporary(std::string_view name, std::string_view of) {
  if (name.size() != of.size() + suffix_length || !name.starts_with(of)) return false;
  const std::string_view suffix = name.substr(of.size());
  return suffix.front() == '.' && suffix.ends_with(".tmp") &&
         suffix.substr(1, 8).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Makes a rename last through a loss of power, where the file system can.
void flush_folder(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int descriptor =
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

std::string AtomicFile::resolve(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_symlink(path, ignored)) {
    const auto target = std::filesystem::weakly_canonical(path, ignored);
    if (!ignored) return target.string();
  }
  return path;
}

void AtomicFile::remove_leftovers(const std::string& path) {
  const std::filesystem::path target = resolve(path);
  const std::string folder = target.has_parent_path() ? target.parent_path().string() : ".";
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (is_temporary(entry.path().filename().string(), target.filename().string())) {
      std::filesystem::remove(entry.path(), ignored);
    }
  }
}

AtomicFile::AtomicFile(const std::string& path) : path_(resolve(path)) {
  std::error_code ignored;
  const auto status = std::filesystem::status(path_, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    const bool folder = std::filesystem::is_directory(status);
    throw error::Io(fmt::format("cannot write {}: it is {}, expected a plain file or a new name",
                                path_, folder ? "a directory" : "a special file"));
  }
  // Ranks on several machines may share the folder, so the process number alone is not unique.
  std::random_device random;
  do {
    temporary_ = fmt::format("{}.{:08x}.tmp", path_, random());
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && (errno == EEXIST || errno == EINTR));
  if (descriptor_ < 0) {
    temporary_.clear();
    fail("creating a file there failed");
  }
}

AtomicFile::~AtomicFile() {
  close_and_remove();
}

void AtomicFile::close_and_remove() noexcept {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  descriptor_ = -1;
  temporary_.clear();
}

void AtomicFile::fail(const std::string& what) const {
  const std::string reason = std::generic_category().message(errno);
  throw error::Io(fmt::format("cannot write {}: {}: {}", path_, what, reason));
}

void AtomicFile::write(const void* data, std::size_t size) {
  const auto* source = static_cast<const char*>(data);
  while (size > 0) {
    constexpr std::size_t chunk = std::size_t{1} << 30;
    const ssize_t written = ::write(descriptor_, source, std::min(size, chunk));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("writing failed");
    source += written;
    size -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0 && errno != EINVAL) fail("flushing to the disk failed");
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) fail("closing failed");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("renaming to that name failed");
  temporary_.clear();
  flush_folder(path_);
}

}  // namespace tessera
