// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "catch.hpp"
#include "grid/process.hpp"
#include "grid/rows.hpp"
#include "highres.hpp"
#include "tessera/core/error.hpp"

using namespace grid;
using tessera::error::InvalidArgument;

namespace {

const Target two_cores = {.machine = {.cores = 2}};

GridConfig grid_of(const std::string& solver) {
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
  CHECK(gpus_of("gpu:a100_1g.5gb:2") == 2);
  for (const char* wrong : {"gpu:", "gpu:two", "tpu:2", "gpu:-1", "2", "gpu:04", "gpu:2x", "gpu::2",
                            "gpu:a b:2", "gpu:a\nb:2", "gpu:99999999999", "gpu:1,tpu:2"}) {
    INFO(wrong);
    CHECK_THROWS_AS(gpus_of(wrong), InvalidArgument);
  }
}

TEST_CASE("Rows have ranks, threads and a device that fit where they run") {
  const GridConfig config = grid_of(gpu_rows);
  const std::vector<GridRow> here = make_rows(config, {}, two_cores);
  REQUIRE(here.size() == 3);
  CHECK(here[2].ranks() == 8);
  CHECK(options_of(here[0]).threads == 2);
  CHECK(options_of(here[1]).threads == 1);
  CHECK(options_of(here[2]).threads == 1);
  CHECK(options_of(here[1]).device == at::kCPU);
  CHECK(options_of(here[0]).distribute_physics == false);
  CHECK(options_of(here[1]).distribute_physics == true);

  const std::vector<GridRow> gpus = make_rows(config, {}, {.machine = {.cores = 16, .gpus = 4}});
  CHECK(options_of(gpus[1]).device == at::kCUDA);
  CHECK(options_of(gpus[1]).threads == 8);

  const Machine told = {.cores = 16, .gpus = 0, .threads = 3, .available_bytes = 0};
  CHECK(make_rows(config, {}, {.machine = told})[0].run.threads == 3);

  const std::vector<GridRow> cluster = make_rows(config, {}, {.is_cluster = true, .threads = 10});
  CHECK(options_of(cluster[2]).device == at::kCUDA);
  CHECK(options_of(cluster[2]).threads == 10);
}

TEST_CASE("The command line overrides the file") {
  const GridConfig config =
      grid_of("n_iter: 7\n      denoiser: tv\n      distribute_physics: true\n");
  const Options command_line = parse_arguments(
      {"--iterations", "3", "--no-distribute-physics", "--out", "there", "--max-image-size", "32"});
  const std::vector<GridRow> rows = make_rows(config, command_line, two_cores);
  REQUIRE(rows.size() == 1);
  CHECK(options_of(rows[0]).iterations == 3);
  CHECK(options_of(rows[0]).distribute_physics == false);
  CHECK(options_of(rows[0]).denoiser == DenoiserKind::tv);
  CHECK(options_of(rows[0]).image_size == 32);
  CHECK(rows[0].out == "there/pnp-tv-1-rank");
}

TEST_CASE("A row's arguments are complete: parsed again they are the same") {
  for (const GridRow& row : make_rows(grid_of("step_size: [auto, 0.1]\n"), {}, two_cores)) {
    const std::vector<std::string> arguments = row.arguments();
    CHECK(has(arguments, {"--image-size", "64"}));
    CHECK(has(arguments, {"--iterations", "30"}));
    CHECK(has(arguments, {"--noise-level", "0.1"}));
    CHECK(has(arguments, {"--no-distribute-denoiser"}));
    CHECK(has(arguments, {"--device", "cpu"}));
    const Options again = parse_arguments(arguments);
    CHECK(again.arguments == row.run.arguments);
    CHECK(again.step_size == options_of(row).step_size);
  }
}

TEST_CASE("Tasks that do not match GPUs, and impossible counts, are refused with their place") {
  const auto refused = [](const std::string& solver, const std::string& text) {
    CHECK_THROWS_WITH(make_rows(grid_of(solver), {}, two_cores), test::contains(text));
  };
  refused("slurm_gres, slurm_ntasks_per_node: [[gpu:4, 2]]\n",
          "grid.yml:5:44: slurm_gres gpu:4 and slurm_ntasks_per_node 2 do not fit");
  refused("slurm_nodes: 0\n", "grid.yml:5:20: slurm_nodes: expected 1 to");
  refused("slurm_ntasks_per_node: -3\n", "slurm_ntasks_per_node: expected 1 to");
  refused("slurm_nodes: 1000000\n      slurm_ntasks_per_node: 1000000\n", "too many");
  refused("slurm_gres: tpu:1\n", "grid.yml:5:19: slurm_gres: expected gpu:COUNT");
  refused("overlap: [8, -8]\n", "grid.yml:5:20: overlap, row 2 of the grid: --overlap: is -8, ");
  refused("denoiser: magic\n", "grid.yml:5:17: denoiser, row 1 of the grid: --denoiser: is magic");
}

TEST_CASE("Values out of range are refused with place, key, expected and given, for every key") {
  struct Case {
    const char* key;
    const char* value;
    const char* expected;
  };
  const auto refused = [](const std::string& text, int line, std::size_t column,
                          const Case& wrong) {
    INFO(text);
    const std::string place = fmt::format("grid.yml:{}:{}: {}", line, column, wrong.key);
    try {
      make_rows(parse_config(text, "grid.yml"), {}, two_cores);
      FAIL("accepted");
    } catch (const InvalidArgument& error) {
      INFO(error.what());
      CHECK(std::string(error.what()).starts_with(place));
      CHECK(std::string(error.what()).find(wrong.expected) != std::string::npos);
      CHECK(std::string(error.what()).find(wrong.value) != std::string::npos);
    }
  };
  const std::vector<Case> of_dataset = {{"image", "\"\"", "the name of a file"},
                                        {"image_size", "010", "without leading zeros"},
                                        {"image_size", "7", "8 to"},
                                        {"image_size", "99999999", "8 to"},
                                        {"num_operators", "0", "1 to"},
                                        {"factor", "0", "1 to"},
                                        {"border", "mirror", "reflect"},
                                        {"noise", "pink", "poisson"},
                                        {"noise_level", "25", "0 to 1"},
                                        {"noise_level", "-0.1", "0 to 1"},
                                        {"noise_level", ".inf", "a finite number"},
                                        {"seed", "-1", "0 to 2^64 - 1"},
                                        {"truth", "\"\"", "the name of a file"},
                                        {"measurements", "\"\"", "the name of a file"},
                                        {"num_workers", "eight", "an integer"}};
  for (const Case& wrong : of_dataset) {
    refused(fmt::format("solver: [PnP]\ndataset:\n  - highres_color_image:\n      {}: {}\n",
                        wrong.key, wrong.value),
            4, 9 + std::string(wrong.key).size(), wrong);
  }
  const std::vector<Case> of_solver = {{"denoiser", "drunett", "drunet"},
                                       {"weights", "\"\"", "the name of a file"},
                                       {"fidelity", "l1", "l2"},
                                       {"prior", "blue", "red"},
                                       {"red_weight", "-1", "zero or more"},
                                       {"red_weight", "nan", "a finite number"},
                                       {"tv_weight", "0", "more than zero"},
                                       {"prior_weight", "0", "more than zero"},
                                       {"denoiser_sigma", "25", "0 to 1"},
                                       {"denoiser_sigma_start", "0", "more than 0"},
                                       {"step_size", "inf", "a finite number"},
                                       {"step_size", "0", "more than zero"},
                                       {"step_size", "-0.1", "more than zero"},
                                       {"n_iter", "0", "1 to"},
                                       {"n_iter", "1e3", "an integer"},
                                       {"init_method", "ones", "zeros"},
                                       {"distribute_physics", "2", "true or false"},
                                       {"distribute_denoiser", "\"true\"", "true or false"},
                                       {"distribute_image", "2", "true or false"},
                                       {"denoiser_halo", "wide", "layers"},
                                       {"tiling", "none", "auto"},
                                       {"patch_size", "-1", "zero or more"},
                                       {"overlap", "-8", "zero or more"},
                                       {"receptive_field_size", "-8", "zero or more"},
                                       {"max_batch_size", "-1", "zero or more"},
                                       {"dtype", "float8", "float32"},
                                       {"device", "tpu", "cuda"},
                                       {"backend", "gloo", "nccl"},
                                       {"threads", "100000", "0 to 1024"},
                                       {"warmup", "-1", "zero or more"},
                                       {"slurm_gres", "tpu:1", "gpu:COUNT"},
                                       {"slurm_ntasks_per_node", "0", "1 to"},
                                       {"slurm_nodes", "99999999999", "1 to"}};
  for (const Case& wrong : of_solver) {
    refused(fmt::format("dataset: [highres_color_image]\nsolver:\n  - PnP:\n      {}: {}\n",
                        wrong.key, wrong.value),
            4, 9 + std::string(wrong.key).size(), wrong);
  }
  const Case weight{"dpir_weight", "0", "more than zero"};
  refused("dataset: [highres_color_image]\nsolver:\n  - DPIR:\n      dpir_weight: 0\n", 4, 20,
          weight);
  std::set<std::string_view> tried = {weight.key};
  for (const Case& wrong : of_dataset) tried.insert(wrong.key);
  for (const Case& wrong : of_solver) tried.insert(wrong.key);
  for (const Key& key : program().vocabulary().keys) {
    INFO(key.name);
    CHECK(tried.contains(key.name));
  }
  const std::string rest = "dataset: [highres_color_image]\nsolver: [PnP]\n";
  refused("max-runs: 0\n" + rest, 1, 11, {"n_iter", "0", "1 to"});
  refused("n-repetitions: 0\n" + rest, 1, 16, {"repetitions", "0", "1 to"});
}

TEST_CASE("Entries mean the same whatever the program's own defaults are") {
  const std::vector<GridRow> rows = make_rows(
      parse_config("dataset: [highres_color_image]\nsolver: [PnP, DPIR, PnP: {prior: red}]\n", "g"),
      {}, two_cores);
  REQUIRE(rows.size() == 3);
  CHECK(options_of(rows[0]).solver == SolverKind::pnp);
  CHECK(options_of(rows[1]).solver == SolverKind::dpir);
  CHECK(options_of(rows[2]).solver == SolverKind::pnp);
  CHECK(options_of(rows[2]).prior == PriorKind::red);
  for (const GridRow& row : rows) {
    CHECK(options_of(row).fidelity == FidelityKind::l2);
    CHECK(has(row.arguments(), {"--fidelity", "l2"}));
    CHECK(
        has(row.arguments(), {"--solver", std::string(settings::name_of(options_of(row).solver))}));
  }
}

TEST_CASE("An option of one solver overrides the rows of that solver") {
  const GridConfig config =
      parse_config("dataset: [highres_color_image]\nsolver: [PnP, DPIR]\n", "grid.yml");
  const std::vector<GridRow> rows =
      make_rows(config, parse_arguments({"--step-size", "0.2"}), two_cores);
  REQUIRE(rows.size() == 2);
  CHECK(options_of(rows[0]).step_size == 0.2);
  CHECK_FALSE(has(rows[1].arguments(), {"--step-size"}));
  const std::vector<GridRow> all =
      make_rows(config, parse_arguments({"--solver", "dpir", "--dpir-weight", "0.3"}), two_cores);
  CHECK(options_of(all[0]).solver == SolverKind::dpir);
  CHECK(options_of(all[0]).dpir_weight == 0.3);
  CHECK_THROWS_WITH(make_rows(config, parse_arguments({"--noise-level", "0"}), two_cores),
                    test::contains("row 2 of the grid: --noise-level"));
}

TEST_CASE("The weight of a prior overrides the rows whose solvers have such priors") {
  const GridConfig config =
      parse_config("dataset: [highres_color_image]\nsolver: [PnP, PrimalDual]\n", "grid.yml");
  const std::vector<GridRow> rows =
      make_rows(config, parse_arguments({"--tv-weight", "0.03"}), two_cores);
  REQUIRE(rows.size() == 2);
  CHECK_FALSE(has(rows[0].arguments(), {"--tv-weight"}));
  CHECK(options_of(rows[1]).tv_weight == 0.03);
  const GridConfig others = parse_config(
      "dataset: [highres_color_image]\nsolver:\n  - ProximalGradient:\n      prior: ridge\n",
      "grid.yml");
  const Options wavelet = parse_arguments({"--prior", "wavelet", "--prior-weight", "0.4"});
  CHECK(options_of(make_rows(others, wavelet, two_cores)[0]).prior_weight == 0.4);
  CHECK_THROWS_WITH(make_rows(others, parse_arguments({"--tv-weight", "0.03"}), two_cores),
                    test::contains("row 1 of the grid: --tv-weight: is for --prior tv"));
}

TEST_CASE("Names of files that a script or a summary would not keep are refused") {
  const GridConfig config = grid_of("n_iter: 3\n");
  const auto refused = [&](std::vector<std::string> arguments, const std::string& text) {
    CHECK_THROWS_WITH(make_rows(config, parse_arguments(std::move(arguments)), two_cores),
                      test::contains(text));
  };
  refused({"--image", "a\nb.png"}, "--image: expected one line of UTF-8");
  refused({"--truth", "a\xff.npy"}, "--truth: expected one line of UTF-8");
  refused({"--measurements", "a\x1b[2J.npy"}, "the control character 0x1b at byte");
  refused({"--weights", "a\tb"}, "the control character 0x09 at byte");
  refused({"--out", "a\n#SBATCH --nodes=9"}, "--out: expected one line of UTF-8");
  const std::vector<GridRow> rows =
      make_rows(config, parse_arguments({"--image", "/a b/\xc3\xa9'$x\".png"}), two_cores);
  CHECK(has(rows[0].arguments(), {"--image", "/a b/\xc3\xa9'$x\".png"}));
}

TEST_CASE("Rows are named by what they do, each differently") {
  CHECK(names(make_rows(grid_of(gpu_rows), {}, two_cores)) ==
        std::vector<std::string>{"pnp-drunet-1-rank", "pnp-drunet-2-ranks", "pnp-drunet-8-ranks"});
  CHECK(names(make_rows(grid_of("denoiser: [tv, drunet]\n      overlap: [8, 16]\n"), {},
                        two_cores)) ==
        std::vector<std::string>{"pnp-tv-1-rank-overlap-8", "pnp-tv-1-rank-overlap-16",
                                 "pnp-drunet-1-rank-overlap-8", "pnp-drunet-1-rank-overlap-16"});
  CHECK(names(make_rows(grid_of("prior: [pnp, red]\n"), {}, two_cores)) ==
        std::vector<std::string>{"pnp-drunet-1-rank", "red-drunet-1-rank"});
  CHECK(names(make_rows(grid_of("n_iter: [5, 5]\n"), {}, two_cores)) ==
        std::vector<std::string>{"pnp-drunet-1-rank-copy-1", "pnp-drunet-1-rank-copy-2"});
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
