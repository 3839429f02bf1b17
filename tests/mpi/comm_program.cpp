// SPDX-License-Identifier: BSD-3-Clause
#include <unistd.h>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/mpi.hpp"
#include "tessera/comm/run_guarded.hpp"
#include "tessera/core/error.hpp"

/// A program of guarded steps that goes wrong on one rank, to see what becomes of the job:
///   comm_program <fault> <rank> <folder>
/// Rank r writes its process number to <folder>/process.r and the exit code that it is about to
/// return to <folder>/code.r. Run by expect_failure.cmake.

namespace {

void write(const std::string& file, long number) {
  std::ofstream(file) << number;
}

int run(tessera::Communicator& ranks, const std::string& fault, int culprit) {
  const auto is = [&](const char* name) { return fault == name && ranks.rank() == culprit; };
  for (int step = 0; step < 100; ++step) {
    if (is("outside") && step == 3) throw std::runtime_error("outside any step");
    const std::string where =
        is("elsewhere") && step == 3 ? "elsewhere" : "step " + std::to_string(step);
    tessera::guarded(ranks, where, [&] {
      if (step != 3) return;
      if (is("throw")) throw std::runtime_error("disk full");
      if (is("transport")) throw tessera::error::Communication("cable cut");
      if (is("kill")) ::raise(SIGKILL);
      if (is("exit")) std::_Exit(5);
    });
    tessera::committed(ranks, where, [&] {
      if (step == 3 && is("late")) throw std::runtime_error("no memory for the result");
      ranks.barrier();
    });
    if (step > 3 && (fault == "return")) return ranks.rank() == culprit ? 7 : 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const tessera::MpiSession mpi(argc, argv);
  if (argc != 4) return 2;
  const std::string folder = argv[3];
  const tessera::CommunicatorPtr ranks = tessera::mpi_communicator();
  write(folder + "/process." + std::to_string(ranks->rank()), ::getpid());
  ranks->barrier();
  const int code = tessera::run_guarded(*ranks, "comm_program",
                                        [&] { return run(*ranks, argv[1], std::stoi(argv[2])); });
  write(folder + "/code." + std::to_string(ranks->rank()), code);
  return code;
}
