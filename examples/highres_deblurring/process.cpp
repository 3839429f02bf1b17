#include "process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <optional>
#include <string_view>
#include <thread>

#include "numbers.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/core/error.hpp"

using tessera::error::Io;

namespace {

constexpr std::chrono::seconds patience{60};
constexpr int cannot_start = 127;

/// In the child, between fork and exec: nothing that allocates.
[[noreturn]] void become(char* const* arguments, int output, pid_t parent) {
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(cannot_start);
#endif
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execvp(arguments[0], arguments);
  const std::array<const char*, 4> parts = {arguments[0],
                                            ": cannot be started: ", std::strerror(errno), "\n"};
  for (const char* part : parts) {
    if (write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  }
  _exit(cannot_start);
}

/// Runs a command, hands its output over as it comes, returns its exit code.
int run(const std::vector<std::string>& command,
        const std::function<void(const char*, std::size_t)>& take) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));  // execvp changes nothing
  }
  arguments.push_back(nullptr);
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw Io(fmt::format("{}: no pipe: {}", command.front(), std::strerror(errno)));
  }
  std::fflush(stdout);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) become(arguments.data(), ends[1], parent);
  const int failure = errno;
  close(ends[1]);
  if (child < 0) {
    close(ends[0]);
    throw Io(fmt::format("{}: cannot be started: {}", command.front(), std::strerror(failure)));
  }
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t count = read(ends[0], buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    take(buffer.data(), static_cast<std::size_t>(count));
  }
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool is_plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::strchr("-_./=:,+@%", c) != nullptr;
}

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
  const std::optional<std::int64_t> process = to_integer(std::string_view(owner).substr(space + 1));
  return process && *process > 0 && kill(static_cast<pid_t>(*process), 0) == 0;
}

std::string read_owner(int descriptor) {
  std::array<char, 128> text{};
  const ssize_t count = pread(descriptor, text.data(), text.size() - 1, 0);
  return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(0, count))};
}

}  // namespace

std::string shell_command(const std::vector<std::string>& command) {
  std::string result;
  for (const std::string& argument : command) {
    if (!result.empty()) result += ' ';
    bool needs_quotes = argument.empty();
    for (const char c : argument) needs_quotes = needs_quotes || !is_plain(c);
    if (!needs_quotes) {
      result += argument;
      continue;
    }
    result += '\'';
    for (const char c : argument) {
      if (c == '\'') {
        result += "'\\''";
      } else {
        result += c;
      }
    }
    result += '\'';
  }
  return result;
}

int run_process(const std::vector<std::string>& command, const std::string& log, bool show) {
  std::FILE* file = std::fopen(log.c_str(), "we");
  if (file == nullptr) {
    throw Io(fmt::format("{}: cannot be written: {}", log, std::strerror(errno)));
  }
  const int code = run(command, [&](const char* data, std::size_t size) {
    // A full disk must not end the run; what matters is written by the run itself.
    std::fwrite(data, 1, size, file);
    std::fflush(file);
    if (show) std::fwrite(data, 1, size, stdout);
    if (show) std::fflush(stdout);
  });
  std::fclose(file);
  return code;
}

int capture_process(const std::vector<std::string>& command, std::string& output) {
  output.clear();
  return run(command, [&](const char* data, std::size_t size) { output.append(data, size); });
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
