// SPDX-License-Identifier: BSD-3-Clause
#include "grid/slurm.hpp"

#include <algorithm>
#include <sstream>

#include "catch.hpp"
#include "grid/slurm_values.hpp"
#include "highres.hpp"
#include "tessera/core/error.hpp"

using namespace grid;
using tessera::error::InvalidArgument;

namespace {

const std::string gpu_rows =
    "slurm_gres, slurm_ntasks_per_node, slurm_nodes, distribute_physics: "
    "[[gpu:1, 1, 1, false], [gpu:2, 2, 1, true], [gpu:4, 4, 2, true]]\n";

GridConfig grid_of(const std::string& solver) {
  return parse_config(
      "dataset:\n  - highres_color_image: {image_size: 64}\nsolver:\n  - PnP:\n      " + solver,
      "grid.yml");
}

GridRow row_in(const std::string& folder) {
  std::vector<GridRow> rows =
      make_rows(grid_of("n_iter: 3\n"), parse_arguments({"--out", folder}), {.is_cluster = true});
  return rows.front();
}

/// What sbatch makes of a line "#SBATCH ...": blanks part arguments, a backslash keeps the next
/// character, quotes keep blanks, an open '#' begins a comment.
std::vector<std::string> as_sbatch_reads(const std::string& line) {
  std::vector<std::string> arguments;
  std::string argument;
  bool is_escaped = false;
  char quote = 0;
  const auto finish = [&] {
    if (!argument.empty()) arguments.push_back(argument);
    argument.clear();
  };
  for (const char c : line.substr(std::string("#SBATCH").size())) {
    if (is_escaped) {
      argument += c;
      is_escaped = false;
    } else if (c == '\\') {
      is_escaped = true;
    } else if (quote != 0 ? c == quote : c == '"' || c == '\'') {
      quote = quote != 0 ? 0 : c;
    } else if (c == '#') {  // also inside quotes for older ones
      break;
    } else if (quote == 0 && (c == ' ' || c == '\n')) {
      finish();
    } else {
      argument += c;
    }
  }
  CHECK(quote == 0);
  finish();
  return arguments;
}

}  // namespace

TEST_CASE("A batch script asks for what the row needs") {
  const ParallelConfig parallel = {.time = "45",
                                   .parameters = {{"cpus-per-task", "10"}, {"account", "me"}},
                                   .setup = {"module load mpich"},
                                   .launcher = "srun --mpi=pmi2"};
  CHECK(threads_of(parallel) == 10);
  const std::vector<GridRow> rows =
      make_rows(grid_of(gpu_rows), {}, {.is_cluster = true, .threads = 10});
  const std::string script = batch_script(rows[2], parallel, "/opt/a b/program");
  for (const char* line :
       {"#!/bin/bash\n", "#SBATCH --job-name=pnp-drunet-8-ranks\n", "#SBATCH --nodes=2\n",
        "#SBATCH --ntasks-per-node=4\n", "#SBATCH --gres=gpu:4\n", "#SBATCH --time=45\n",
        "#SBATCH --cpus-per-task=10\n", "#SBATCH --account=me\n", "\nmodule load mpich\n",
        "\nexec srun --mpi=pmi2 '/opt/a b/program' --problem highres_blur --image-size 64",
        " --threads 10", " --device cuda"}) {
    INFO(script);
    CHECK(script.find(line) != std::string::npos);
  }
  CHECK_THROWS_WITH(batch_script(rows[0], {.parameters = {{"nodes", "3"}}}, "p"),
                    test::contains("nodes follows from the row"));
  CHECK_THROWS_WITH(batch_script(rows[0], {.parameters = {{"account", "a\nb"}}}, "p"),
                    test::contains("expected one line"));
  CHECK_THROWS_WITH(batch_script(rows[0], {.parameters = {{"x y", "1"}}}, "p"),
                    test::contains("not the name of an option"));
}

TEST_CASE("sbatch reads every value as it was given") {
  for (const std::string value :
       {"plain", "two words --nodes=99", "it's", "say \"so\"", "a\\b", "a # b", "#1", "$(id)",
        "`id`; rm -rf x", "\\", "\"", "'", "a=b:c,d", "\xc3\xa9"}) {
    INFO(value);
    CHECK_NOTHROW(check_parameter("comment", value));
    const std::string line = directive("comment", value);
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
    CHECK(as_sbatch_reads(line) == std::vector<std::string>{"--comment=" + value});
  }
  CHECK(directive("exclusive", "true") == "#SBATCH --exclusive\n");
  CHECK(directive("mem_per_cpu", "4G") == "#SBATCH --mem-per-cpu=4G\n");
}

TEST_CASE("Values for sbatch have the form of their key") {
  const auto refused = [](const std::string& name, const std::string& value,
                          const std::string& text) {
    INFO(name << " = " << value);
    CHECK_THROWS_WITH(check_parameter(name, value), test::contains(text));
  };
  for (const char* cores : {"cpus-per-task", "cpus_per_task", "cpus-per-gpu", "mincpus"}) {
    CHECK_NOTHROW(check_parameter(cores, "1"));
    CHECK_NOTHROW(check_parameter(cores, "1024"));
    for (const char* wrong : {"10x", "-4", "99999999999", "0", "010", "4.0", "1025", "", " 4"}) {
      refused(cores, wrong, "expected a count from 1 to 1024");
    }
  }
  for (const char* memory : {"mem", "mem-per-cpu", "mem-per-gpu"}) {
    for (const char* good : {"0", "4000", "4G", "500m", "2T"}) {
      CHECK_NOTHROW(check_parameter(memory, good));
    }
    for (const char* wrong : {"4GG", "-4G", "4 G", "G", "", "four", "99999999999G", "04G"}) {
      refused(memory, wrong, "expected an amount of memory like 4G");
    }
  }
  for (const char* name : {"nodes", "ntasks", "output", "array", "error", "ntasks_per_node", "nod",
                           "gpus-per-t", "wrap"}) {
    refused(name, "1", "follows from the row of the grid");
  }
  refused("time", "1", "give slurm_time");
  refused("cpus-per-t", "4", "give the full name, cpus-per-task");
  for (const char* name : {"", "n", "x y", "-x", "a;b", "a\nb", "account=x"}) {
    refused(name, "1", "is not the name of an option of sbatch");
  }
  refused("account", "a\nb", "a line break at byte 1");
  refused("account", "a\x1b", "the control character 0x1b");
  refused("account", "a\xff", "no UTF-8 at byte 1");
  refused("account", "", "expected a value");
  refused("exclusive", "false", "leave it out");
  refused("comment", std::string(2000, 'a'), "at most 1024 bytes");
}

TEST_CASE("Times have one of Slurm's forms") {
  for (const char* good : {"30", "90", "30:00", "1:30:00", "01:00:00", "2-12", "1-06:30",
                           "1-06:30:15", "100:00:00", "UNLIMITED"}) {
    INFO(good);
    CHECK_NOTHROW(check_time("slurm_time", good));
  }
  for (const char* wrong :
       {"",     "0",  "0:00",  "-5",    "1.5",         "30m", "30 ", "1:60", "1:00:61", "1:2:3:4",
        "1-24", "1-", "-1:00", "1-2-3", "99999999999", "5:",  ":5",  "30\n", "9999999", "$(id)"}) {
    INFO(wrong);
    CHECK_THROWS_WITH(check_time("slurm_time", wrong),
                      test::contains("slurm_time: expected minutes"));
  }
}

TEST_CASE("A launcher is a program with flags, no other shell") {
  for (const char* good :
       {"srun", "srun --mpi=pmi2", "mpirun -np $SLURM_NTASKS", "mpiexec -n ${SLURM_NTASKS}"}) {
    CHECK_NOTHROW(check_launcher(good));
  }
  for (const char* wrong : {"", "  ", "srun; touch x", "srun\ntouch x", "srun $(touch x)",
                            "srun `touch x`", "srun > x", "srun | x", "srun & x", "srun \"x\""}) {
    INFO(wrong);
    CHECK_THROWS_WITH(check_launcher(wrong), test::contains("slurm_launcher: expected a program"));
  }
}

TEST_CASE("A script has no line that a name of a file put there") {
  const std::string script = batch_script(row_in("out $(touch x) #1 50%"), {}, "/opt/a'b/program");
  std::istringstream lines(script);
  std::string output;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("#SBATCH --output=")) output = as_sbatch_reads(line).at(0);
  }
  CHECK(output.ends_with("/out $(touch x) #1 50%%/pnp-drunet-1-rank/output.txt"));
  CHECK_THROWS_WITH(batch_script(row_in("a\\b"), {}, "p"), test::contains("a backslash"));
  GridRow row = row_in("out");
  row.out = "a\ntouch x";
  CHECK_THROWS_WITH(batch_script(row, {}, "p"), test::contains("--out: expected one line"));
  row = row_in("out");
  CHECK_THROWS_WITH(batch_script(row, {}, "a\nb"), test::contains("expected one line"));
  row.run.arguments.push_back("a\nb");
  CHECK_THROWS_WITH(batch_script(row, {}, "p"), test::contains("expected one line"));
  CHECK_THROWS_WITH(batch_script(row_in("out"), {.setup = {"a\nb"}}, "p"),
                    test::contains("slurm_setup: expected one line"));
  CHECK_THROWS_AS(threads_of({.parameters = {{"cpus-per-task", "10x"}}}), InvalidArgument);
}
