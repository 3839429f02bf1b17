// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace test {

/// Runs the tests of this program that the command line names; 0: all passed. Catch2's runner is
/// compiled once, for all programs.
int run(int argc, char** argv);

}  // namespace test
