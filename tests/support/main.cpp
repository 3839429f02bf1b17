// SPDX-License-Identifier: BSD-3-Clause
#include "runner.hpp"

int main(int argc, char** argv) {
  return test::run(argc, argv);
}
