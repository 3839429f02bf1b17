#include <algorithm>

#include "../../examples/highres_deblurring/grid_rows.hpp"
#include "../../examples/highres_deblurring/process.hpp"
#include "../../examples/highres_deblurring/slurm.hpp"
#include "catch.hpp"
#include "tessera/core/error.hpp"

using tessera::error::InvalidArgument;

namespace {

const Target two_cores = {.machine = {.cores = 2}};

GridConfig grid(const std::string& solver) {
  return parse_config(
      "dataset:\n  - highres_color_image: {image_size: 64}\nsolver:\n  - PnP:\n      " + solver,
      "grid.yml");
}

const std::string gpu_rows =
    "slurm_gres, slurm_ntasks_per_node, slurm_nodes, distribute_physics: "
    "[[gpu:1, 1, 1, false], [gpu:2, 2, 1, true], [gpu:4, 4, 2, true]]\n";

std::vector<std::string> names(const std::vector<GridRow>& rows) {
  std::vector<std::string> result;
  for (const GridRow& row : rows) result.push_back(row.name);
  return result;
}

bool has(const std::vector<std::string>& arguments, const std::vector<std::string>& part) {
  INFO(shell_command(arguments));
  return std::search(arguments.begin(), arguments.end(), part.begin(), part.end()) !=
         arguments.end();
}

}  // namespace

TEST_CASE("GPUs per node are read from slurm_gres") {
  CHECK(gpus_of("gpu:2") == 2);
  CHECK(gpus_of("gpu:a100:4") == 4);
  CHECK(gpus_of("gpu") == 1);
  CHECK(gpus_of("none") == 0);
  CHECK(gpus_of("") == 0);
  for (const char* wrong : {"gpu:", "gpu:two", "tpu:2", "gpu:-1", "2"}) {
    CHECK_THROWS_AS(gpus_of(wrong), InvalidArgument);
  }
}

TEST_CASE("Rows have ranks, threads and a device that fit where they run") {
  const GridConfig config = grid(gpu_rows);
  const std::vector<GridRow> here = make_rows(config, {}, two_cores);
  REQUIRE(here.size() == 3);
  CHECK(here[2].ranks() == 8);
  CHECK(here[0].options.threads == 2);
  CHECK(here[1].options.threads == 1);
  CHECK(here[2].options.threads == 1);
  CHECK(here[1].options.device == "cpu");
  CHECK(here[0].options.distribute_physics == false);
  CHECK(here[1].options.distribute_physics == true);

  const std::vector<GridRow> gpus = make_rows(config, {}, {.machine = {.cores = 16, .gpus = 4}});
  CHECK(gpus[1].options.device == "cuda");
  CHECK(gpus[1].options.threads == 8);

  const std::vector<GridRow> cluster = make_rows(config, {}, {.is_cluster = true, .threads = 10});
  CHECK(cluster[2].options.device == "cuda");
  CHECK(cluster[2].options.threads == 10);
}

TEST_CASE("The command line overrides the file") {
  const GridConfig config = grid("n_iter: 7\n      denoiser: tv\n      distribute_physics: true\n");
  const Options command_line = parse_arguments(
      {"--iterations", "3", "--no-distribute-physics", "--out", "there", "--max-image-size", "32"});
  const std::vector<GridRow> rows = make_rows(config, command_line, two_cores);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].options.iterations == 3);
  CHECK(rows[0].options.distribute_physics == false);
  CHECK(rows[0].options.denoiser == "tv");
  CHECK(rows[0].options.image_size == 32);
  CHECK(rows[0].options.out == "there/pnp-tv-1-rank");
}

TEST_CASE("A row's arguments are complete: parsed again they are the same") {
  for (const GridRow& row : make_rows(grid("step_size: [auto, 0.1]\n"), {}, two_cores)) {
    const std::vector<std::string> arguments = row.arguments();
    CHECK(has(arguments, {"--image-size", "64"}));
    CHECK(has(arguments, {"--iterations", "30"}));
    CHECK(has(arguments, {"--noise-level", "0.1"}));
    CHECK(has(arguments, {"--no-distribute-denoiser"}));
    CHECK(has(arguments, {"--device", "cpu"}));
    const Options again = parse_arguments(arguments);
    CHECK(again.arguments == row.options.arguments);
    CHECK(again.step_size == row.options.step_size);
  }
}

TEST_CASE("Tasks that do not match GPUs, and impossible counts, are refused with their place") {
  const auto refused = [](const std::string& solver, const std::string& text) {
    CHECK_THROWS_WITH(make_rows(grid(solver), {}, two_cores), test::contains(text));
  };
  refused("slurm_gres, slurm_ntasks_per_node: [[gpu:4, 2]]\n",
          "grid.yml:5:44: slurm_gres gpu:4 and slurm_ntasks_per_node 2 do not fit");
  refused("slurm_nodes: 0\n", "grid.yml:5:20: slurm_nodes: expected 1 to");
  refused("slurm_ntasks_per_node: -3\n", "slurm_ntasks_per_node: expected 1 to");
  refused("slurm_nodes: 1000000\n      slurm_ntasks_per_node: 1000000\n", "too many");
  refused("slurm_gres: tpu:1\n", "grid.yml:5:19: slurm_gres: expected gpu:COUNT");
  refused("overlap: [8, -8]\n", "grid.yml:5:20: row 2 of the grid: --overlap");
  refused("denoiser: magic\n", "grid.yml:5:17: row 1 of the grid: --denoiser");
}

TEST_CASE("Rows are named by what they do, each differently") {
  CHECK(names(make_rows(grid(gpu_rows), {}, two_cores)) ==
        std::vector<std::string>{"pnp-drunet-1-rank", "pnp-drunet-2-ranks", "pnp-drunet-8-ranks"});
  CHECK(names(make_rows(grid("denoiser: [tv, drunet]\n      overlap: [8, 16]\n"), {}, two_cores)) ==
        std::vector<std::string>{"pnp-tv-1-rank-overlap-8", "pnp-tv-1-rank-overlap-16",
                                 "pnp-drunet-1-rank-overlap-8", "pnp-drunet-1-rank-overlap-16"});
  CHECK(names(make_rows(grid("prior: [pnp, red]\n"), {}, two_cores)) ==
        std::vector<std::string>{"pnp-drunet-1-rank", "red-drunet-1-rank"});
  CHECK(names(make_rows(grid("n_iter: [5, 5]\n"), {}, two_cores)) ==
        std::vector<std::string>{"pnp-drunet-1-rank-copy-1", "pnp-drunet-1-rank-copy-2"});
}

TEST_CASE("A batch script asks for what the row needs") {
  const ParallelConfig parallel = {.time = "45",
                                   .parameters = {{"cpus-per-task", "10"}, {"account", "me"}},
                                   .setup = {"module load mpich"},
                                   .launcher = "srun --mpi=pmi2"};
  CHECK(threads_of(parallel) == 10);
  const std::vector<GridRow> rows =
      make_rows(grid(gpu_rows), {}, {.is_cluster = true, .threads = 10});
  const std::string script = batch_script(rows[2], parallel, "/opt/a b/program");
  for (const char* line :
       {"#!/bin/bash\n", "#SBATCH --job-name=pnp-drunet-8-ranks\n", "#SBATCH --nodes=2\n",
        "#SBATCH --ntasks-per-node=4\n", "#SBATCH --gres=gpu:4\n", "#SBATCH --time=45\n",
        "#SBATCH --cpus-per-task=10\n", "#SBATCH --account=me\n", "\nmodule load mpich\n",
        "\nexec srun --mpi=pmi2 '/opt/a b/program' --image-size 64", " --threads 10",
        " --device cuda"}) {
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

TEST_CASE("Commands are quoted as a shell needs it") {
  CHECK(shell_command({"a", "--b=c", "d e", "it's", ""}) == "a --b=c 'd e' 'it'\\''s' ''");
}

TEST_CASE("A process's output and exit code come back") {
  std::string output;
  CHECK(capture_process({"sh", "-c", "echo out; echo err >&2; exit 3"}, output) == 3);
  CHECK(output == "out\nerr\n");
  CHECK(capture_process({"sh", "-c", "kill -9 $$"}, output) == 128 + 9);
  CHECK(capture_process({"/no/such/program"}, output) == 127);
  CHECK(output.find("cannot be started") != std::string::npos);
}
