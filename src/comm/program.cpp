#include "tessera/comm/program.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "failure_message.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"

namespace tessera {
namespace {

constexpr int failure_code = 1;

/// One write, so that the messages of several ranks do not mix.
void print(std::string_view program, const std::string& message) {
  const std::string name = fmt::format("{}: ", program);
  const std::string line = (message.starts_with(name) ? message : name + message) + "\n";
  std::fflush(stdout);
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

int agreed_code(Communicator& communicator, std::string_view program,
                const std::function<int()>& body) {
  std::exception_ptr failure;
  std::int64_t code = failure_code;
  try {
    code = body();
  } catch (...) {
    failure = std::current_exception();
  }
  agree(communicator, program, failure, {&code, 1});
  return static_cast<int>(code);
}

}  // namespace

int run_guarded(Communicator& communicator, std::string_view program,
                const std::function<int()>& body) noexcept {
  try {
    return agreed_code(communicator, program, body);
  } catch (const error::RankFailure& failure) {
    if (failure.rank() == communicator.rank()) print(program, failure.what());
  } catch (const error::Communication& failure) {
    print(program, failure.what());
    if (communicator.size() > 1) communicator.abort(failure_code);
  } catch (...) {
    print(program, failure_message(std::current_exception()));
  }
  return failure_code;
}

}  // namespace tessera
