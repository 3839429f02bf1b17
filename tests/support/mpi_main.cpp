// SPDX-License-Identifier: BSD-3-Clause
#define CATCH_CONFIG_EXTERNAL_INTERFACES  // listeners, in Catch2 2
#include <ATen/Parallel.h>

#include <cstdio>
#include <exception>
#include <iostream>
#include <sstream>

#include "catch.hpp"
#include "runner.hpp"
#include "tessera/comm/mpi.hpp"
#include "world.hpp"

namespace {

tessera::CommunicatorPtr all_ranks;
int session_threads = 0;

/// What this rank says while rank 0 speaks for all; null on rank 0.
std::ostringstream* silenced = nullptr;

void speak_up() {
  if (silenced == nullptr || silenced->str().empty()) return;
  const std::string text =
      "---- rank " + std::to_string(all_ranks->rank()) + "\n" + silenced->str();
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

#if CATCH_VERSION_MAJOR >= 3
using ListenerBase = Catch::EventListenerBase;
#else
using ListenerBase = Catch::TestEventListenerBase;
#endif

/// A rank that left a test case early would leave the others waiting in its collectives: it ends
/// the job.
class EndJobOnFailure : public ListenerBase {
 public:
  using ListenerBase::ListenerBase;
  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    if (stats.totals.assertions.failed == 0 || all_ranks->size() == 1) return;
    std::cout.flush();
    speak_up();
    all_ranks->abort(1);
  }
};

}  // namespace

CATCH_REGISTER_LISTENER(EndJobOnFailure)

namespace test {

tessera::CommunicatorPtr world() {
  return all_ranks;
}

int threads_at_start() {
  return session_threads;
}

}  // namespace test

int main(int argc, char** argv) {
  try {
    const tessera::MpiSession mpi(argc, argv);
    all_ranks = tessera::mpi_communicator();
    session_threads = at::get_num_threads();
    if (all_ranks->size() > 1) at::set_num_threads(1);

    std::ostringstream captured;
    std::streambuf* const terminal = std::cout.rdbuf();
    if (!all_ranks->is_root()) {
      silenced = &captured;
      std::cout.rdbuf(captured.rdbuf());
    }
    std::int64_t failed = test::run(argc, argv);
    std::cout.rdbuf(terminal);
    if (failed != 0) speak_up();
    all_ranks->all_reduce(&failed, 1, tessera::DataType::i64, tessera::Reduction::max);
    all_ranks.reset();
    return failed == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
