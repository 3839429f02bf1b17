// SPDX-License-Identifier: BSD-3-Clause
#include "grid/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>

#include "tessera/core/error.hpp"

namespace grid {

using tessera::error::Io;

namespace {

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

}  // namespace grid
