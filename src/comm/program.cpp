#include "tessera/comm/program.hpp"

#include <exception>

#include "failure_message.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"

namespace tessera {
namespace {

constexpr int failure_code = 1;

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
    if (failure.rank() == communicator.rank()) print_failure(program, failure.what());
  } catch (const error::Communication& failure) {
    print_failure(program, failure.what());
    if (communicator.size() > 1) communicator.abort(failure_code);
  } catch (...) {
    print_failure(program, failure_message(std::current_exception()));
  }
  return failure_code;
}

}  // namespace tessera
