// SPDX-License-Identifier: BSD-3-Clause
#include "grid_program.hpp"
#include "options.hpp"
#include "restoration/application.hpp"
#include "run.hpp"

int main(int argc, char** argv) {
  const restoration::Application<Options> application(command_line(),
                                                      {.run = run,
                                                       .telling = telling_of,
                                                       .advice_on_memory = advice_on_memory,
                                                       .run_grid = [](const grid::Orders& orders) {
                                                         ScanProgram program;
                                                         return grid::run_grid(program, orders);
                                                       }});
  return application.main(argc, argv);
}
