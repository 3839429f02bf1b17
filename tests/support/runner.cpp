// SPDX-License-Identifier: BSD-3-Clause
#define CATCH_CONFIG_RUNNER
#include "runner.hpp"

#include "catch.hpp"

int test::run(int argc, char** argv) {
  return Catch::Session().run(argc, argv);
}
