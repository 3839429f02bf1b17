// SPDX-License-Identifier: BSD-3-Clause
#include "grid/config.hpp"

#include "catch.hpp"
#include "highres.hpp"
#include "tessera/core/error.hpp"

using namespace grid;

namespace {

const char* const published = R"(
objective:
  - reconstruction_objective
dataset:
  - highres_color_image:
      image_size: 2048
      num_operators: 8
      noise_level: 0.1
      num_workers : 8
solver:
  - PnP:
      denoiser: drunet
      denoiser_sigma: 0.005
      step_size: 0.1
      init_method: ["zeros"]
      slurm_gres, slurm_ntasks_per_node, slurm_nodes, distribute_physics, distribute_denoiser, patch_size, overlap, max_batch_size: [
        ["gpu:1", 1, 1, false, false, 0, 0, 0],
        ["gpu:2", 2, 1, true, true, 448, 32, 0],
        ["gpu:4", 4, 1, true, true, 448, 32, 0],
      ]
max-runs: 10
n-repetitions: 1
plot: true
html: true
)";

std::string value(const Settings& row, const std::string& key) {
  const Setting* setting = find(row, key);
  return setting == nullptr ? "(none)" : setting->value;
}

/// What parsing complains about; "accepted" if it does not.
std::string complaint(const std::string& text) {
  try {
    expand(parse_config(text, "grid.yml"));
  } catch (const tessera::error::InvalidArgument& error) {
    return error.what();
  }
  return "accepted";
}

std::string with_dataset(const std::string& parameters) {
  return "dataset:\n  - highres_color_image: {" + parameters + "}\nsolver:\n  - PnP\n";
}

std::string with_solver(const std::string& parameters) {
  return "dataset:\n  - highres_color_image\nsolver:\n  - PnP:\n      " + parameters + "\n";
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("The published file is a grid of three rows") {
  const std::vector<Settings> rows = expand(parse_config(published, "grid.yml"));
  REQUIRE(rows.size() == 3);
  const std::vector<std::string> gpus = {"gpu:1", "gpu:2", "gpu:4"};
  const std::vector<std::string> tasks = {"1", "2", "4"};
  const std::vector<std::string> patches = {"0", "448", "448"};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CHECK(value(rows[i], "solver") == "pnp");
    CHECK(value(rows[i], "image_size") == "2048");
    CHECK(value(rows[i], "num_operators") == "8");
    CHECK(value(rows[i], "noise_level") == "0.1");
    CHECK(value(rows[i], "denoiser_sigma") == "0.005");
    CHECK(value(rows[i], "step_size") == "0.1");
    CHECK(value(rows[i], "init_method") == "zeros");
    CHECK(value(rows[i], "slurm_gres") == gpus[i]);
    CHECK(value(rows[i], "slurm_ntasks_per_node") == tasks[i]);
    CHECK(value(rows[i], "distribute_denoiser") == (i == 0 ? "false" : "true"));
    CHECK(value(rows[i], "patch_size") == patches[i]);
    CHECK(value(rows[i], "n_iter") == "10");
    CHECK(value(rows[i], "repetitions") == "1");
  }
}

TEST_CASE("A data set's name is the problem") {
  const std::vector<Settings> rows = expand(parse_config(
      "dataset: [highres_color_image, multiframe_superres: {factor: 3}]\nsolver: [DPIR]\n", "g"));
  REQUIRE(rows.size() == 2);
  CHECK(value(rows[0], "problem") == "highres_blur");
  CHECK(value(rows[1], "problem") == "multiframe_superres");
  CHECK(value(rows[1], "factor") == "3");
  CHECK(to_arguments(*find(rows[1], "problem")) ==
        std::vector<std::string>{"--problem", "multiframe_superres"});
  CHECK(contains(to_yaml(rows[1]), "- multiframe_superres:\n      factor: 3\n"));
  CHECK(contains(complaint(with_dataset("problem: highres_blur")), "unknown key"));
}

TEST_CASE("Lists multiply, the last one fastest; joined keys stay together") {
  const std::vector<Settings> rows =
      expand(parse_config("dataset:\n"
                          "  - highres_color_image: {image_size: [64, 128], noise_level: 0.1}\n"
                          "solver:\n"
                          "  - PnP:\n"
                          "      step_size: [0.1, auto]\n"
                          "      tiling, overlap: [[auto, 16], [exact, 0]]\n"
                          "  - DPIR: {denoiser: tv}\n",
                          "grid.yml"));
  REQUIRE(rows.size() == 2 * (4 + 1));
  CHECK(value(rows[0], "tiling") == "auto");
  CHECK(value(rows[0], "overlap") == "16");
  CHECK(value(rows[1], "tiling") == "exact");
  CHECK(value(rows[1], "overlap") == "0");
  CHECK(value(rows[1], "step_size") == "0.1");
  CHECK(value(rows[2], "step_size") == "auto");
  CHECK(value(rows[4], "solver") == "dpir");
  CHECK(value(rows[4], "image_size") == "64");
  CHECK(value(rows[5], "image_size") == "128");
  CHECK(value(rows[5], "n_iter") == "(none)");
}

TEST_CASE("A solver's own n_iter stands before max-runs") {
  const std::vector<Settings> rows = expand(parse_config(
      "dataset: [highres_color_image]\nsolver: [PnP: {n_iter: 3}, DPIR]\nmax-runs: 7\n", "g"));
  REQUIRE(rows.size() == 2);
  CHECK(value(rows[0], "n_iter") == "3");
  CHECK(value(rows[1], "n_iter") == "7");
}

TEST_CASE("Settings become arguments") {
  CHECK(to_arguments({"image_size", "64", {}}) == std::vector<std::string>{"--image-size", "64"});
  CHECK(to_arguments({"n_iter", "3", {}}) == std::vector<std::string>{"--iterations", "3"});
  CHECK(to_arguments({"distribute_physics", "true", {}}) ==
        std::vector<std::string>{"--distribute-physics"});
  CHECK(to_arguments({"distribute_physics", "false", {}}) ==
        std::vector<std::string>{"--no-distribute-physics"});
  CHECK(to_arguments({"slurm_nodes", "2", {}}).empty());
}

TEST_CASE("A row written as a file reads as the same row") {
  for (const Settings& row : expand(parse_config(published, "grid.yml"))) {
    const std::vector<Settings> again = expand(parse_config(to_yaml(row), "again.yml"));
    REQUIRE(again.size() == 1);
    for (const Setting& setting : row) {
      INFO(setting.key);
      CHECK(value(again.front(), setting.key) == setting.value);
    }
  }
  const Settings odd = {{"solver", "dpir", {}}, {"image", "a \"b\" \\c.png", {}}};
  CHECK(value(expand(parse_config(to_yaml(odd), "odd.yml")).front(), "image") == "a \"b\" \\c.png");
  CHECK(contains(to_yaml({{"image", "a\nb", {}}}), "image: \"a\\x0ab\""));
}

TEST_CASE("An unknown key is refused with its place and the nearest known one") {
  const std::string key = complaint(with_dataset("image_sise: 64"));
  CHECK(contains(key, "grid.yml:2:27: "));
  CHECK(contains(key, "\"image_sise\""));
  CHECK(contains(key, "nearest known one is \"image_size\""));
  CHECK(contains(complaint(with_solver("denoiser, patchsize: [[tv, 3]]")), "\"patch_size\""));
  CHECK(contains(complaint(std::string(published) + "max_runs: 3\n"), "\"max-runs\""));
  CHECK(contains(complaint("dataset: [highres_colour_image]\nsolver: [PnP]\n"),
                 "nearest known one is \"highres_color_image\""));
  CHECK(contains(complaint("dataset: [highres_color_image]\nsolver: [pnp]\n"), "\"PnP\""));
}

TEST_CASE("A value of the wrong type is refused with key, place, expected and given") {
  const std::string size = complaint(with_dataset("image_size: large"));
  CHECK(size ==
        "grid.yml:2:39: image_size: expected an integer in decimal digits without leading zeros, "
        "got \"large\"");
  CHECK(contains(complaint(with_dataset("image_size: 64.5")), "expected an integer"));
  CHECK(contains(complaint(with_dataset("image_size: \"64\"")), "because of its quotes"));
  CHECK(contains(complaint(with_dataset("image_size:")), "got nothing"));
  CHECK(contains(complaint(with_dataset("noise_level: .nan")), "expected a finite number"));
  CHECK(contains(complaint(with_dataset("noise_level: {a: 1}")), "got keys and values"));
  CHECK(contains(complaint(with_solver("distribute_physics: 3")), "expected true or false"));
  CHECK(contains(complaint(with_solver("step_size: fast")), "0.1, or auto, got \"fast\""));
  CHECK(contains(complaint(with_solver("step_size: [[0.1]]")), "got a list of 1"));
}

TEST_CASE("Numbers are written as on the command line: no octal, infinite or overlong ones") {
  for (const char* wrong : {"010", "0x10", "+8", "1_000", "1e3", "8.0", "99999999999999999999"}) {
    INFO(wrong);
    CHECK(contains(complaint(with_dataset(std::string("image_size: ") + wrong)),
                   "grid.yml:2:39: image_size: expected an integer"));
    CHECK(contains(complaint("max-runs: " + std::string(wrong)),
                   "grid.yml:1:11: max-runs: expected an integer"));
  }
  for (const char* wrong : {".inf", "inf", "-.inf", "nan", "1e999", "0.1x"}) {
    INFO(wrong);
    CHECK(contains(complaint(with_solver(std::string("step_size: ") + wrong)),
                   "grid.yml:5:18: step_size: expected a finite number like 0.1, or auto, got"));
  }
  for (const char* wrong : {"-1", "18446744073709551616", "042", "1.5"}) {
    INFO(wrong);
    CHECK(contains(complaint(with_dataset(std::string("seed: ") + wrong)),
                   "grid.yml:2:33: seed: expected an integer from 0 to 2^64 - 1"));
  }
  const GridConfig largest = parse_config(with_dataset("seed: 18446744073709551615"), "g");
  CHECK(value(expand(largest).front(), "seed") == "18446744073709551615");
}

TEST_CASE("Names of files are not empty, and texts are one line of UTF-8") {
  for (const char* key : {"image", "truth", "measurements"}) {
    INFO(key);
    CHECK(contains(complaint(with_dataset(std::string(key) + ": \"\"")),
                   std::string(key) + ": expected the name of a file, got \"\""));
  }
  CHECK(contains(complaint(with_solver("weights: ''")), "weights: expected the name of a file"));
  CHECK(
      contains(complaint(with_dataset("image: \"a\\nb\"")),
               "grid.yml:2:34: image: expected one line of UTF-8, got \"a\\x0ab\", a line break at "
               "byte 1"));
  CHECK(contains(complaint(with_solver("slurm_gres: \"gpu:1\\n#SBATCH --nodes=9\"")),
                 "slurm_gres: expected one line of UTF-8"));
  for (const char* escape : {"\\0", "\\e", "\\t", "\\x7f", "\\x9b", "\\N", "\\r"}) {
    INFO(escape);
    CHECK(
        contains(complaint(with_solver(std::string("weights: \"a") + escape + "\"")), "at byte 1"));
  }
  CHECK(complaint(with_dataset("image: \"h\\u00e9 \\u65e5.png\"")) == "accepted");
  CHECK(complaint(with_dataset("image: \xc3\xa9.png")) == "accepted");
  CHECK(complaint(with_dataset("image: \xff.png")) == "grid.yml:2:34: the byte 0xff is no UTF-8");
  CHECK(contains(complaint(with_dataset("image: \xc0\xaf.png")), "the byte 0xc0 is no UTF-8"));
  CHECK(contains(complaint(with_dataset("image: \xed\xa0\x80.png")), "is no UTF-8"));
  CHECK(
      contains(complaint(with_dataset("\"image\\e[2J\": a.png")), "the key \"image\\x1b[2J\" has"));
}

TEST_CASE("A row's fidelity does not depend on what the program would choose") {
  const std::vector<Settings> rows = expand(parse_config(
      "dataset: [highres_color_image]\nsolver: [PnP, DPIR, DPIR: {fidelity: clipped}]\n", "g"));
  REQUIRE(rows.size() == 3);
  CHECK(value(rows[0], "fidelity") == "l2");
  CHECK(value(rows[1], "fidelity") == "l2");
  CHECK(value(rows[2], "fidelity") == "clipped");
}

TEST_CASE("A small file does not become a large grid by aliases") {
  const auto repeated = [](const std::string& item, int times) {
    std::string list = item;
    for (int i = 1; i < times; ++i) list += ", " + item;
    return "[" + list + "]";
  };
  const std::string many = repeated("1", 1000);
  CHECK(contains(
      complaint("dataset: " + repeated("highres_color_image", 20000) + "\nsolver: [PnP]\n"),
      "a list of 20000 makes more than 1000 rows"));
  std::string entries = "dataset:\n  - &a {highres_color_image: {seed: " + many + "}}\n";
  for (int i = 0; i < 900; ++i) entries += "  - *a\n";
  CHECK(contains(complaint(entries + "solver: [PnP]\n"), "more than 50000 values"));
  CHECK(contains(complaint(with_solver("overlap: " + repeated("1", 2000))), "more than 1000 rows"));
  CHECK(contains(complaint(with_dataset("image: " + std::string(5000, 'a'))),
                 "the value has more than 4096 bytes"));
}

TEST_CASE("A grid that cannot be expanded is refused") {
  CHECK(contains(complaint(with_solver("init_method: []")), "leaves nothing to run"));
  CHECK(contains(complaint(with_solver("denoiser, overlap: [[tv, 3], [tv]]")),
                 "grid.yml:5:36: row 2: expected 2 values, one per key, got a list of 1"));
  CHECK(contains(complaint(with_solver("denoiser, overlap: tv")), "expected a list of rows"));
  CHECK(contains(complaint(with_solver("overlap: 3\n      overlap: 4")), "is there twice"));
  CHECK(contains(complaint(with_solver("overlap: 3\n      denoiser, overlap: [[tv, 3]]")),
                 "is there twice"));
  CHECK(contains(complaint(with_solver("overlap: 3\n      receptive_field_size: 4")),
                 "is there twice"));
  CHECK(contains(complaint("solver: [PnP]\n"), "there is no key \"dataset\""));
  CHECK(contains(complaint("dataset: [highres_color_image]\n"), "there is no key \"solver\""));
  CHECK(contains(complaint("dataset: []\nsolver: [PnP]\n"), "expected a list"));
  std::string many = "seed: [0";
  for (int i = 1; i < 40; ++i) many += ", " + std::to_string(i);
  const std::string grid = "dataset:\n  - highres_color_image: {" + many +
                           "]}\nsolver:\n  - PnP: {overlap: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,"
                           "16,17,18,19,20,21,22,23,24,25,26,27]}\n";
  CHECK(contains(complaint(grid), "more than 1000 rows"));
}

TEST_CASE("What is not YAML, or not a configuration, is refused with its place") {
  CHECK(contains(complaint("dataset: [a, b\nsolver: {"), "grid.yml:"));
  CHECK(contains(complaint("dataset: [a, b\nsolver: {"), "not YAML"));
  CHECK(contains(complaint("a: b: c"), "grid.yml:1:5: not YAML"));
  CHECK(contains(complaint(""), "is empty"));
  CHECK(contains(complaint("- 1\n- 2\n"), "expected keys and values at the top"));
  CHECK(contains(complaint("a: 1\n---\nb: 2\n"), "a second document"));
  CHECK(contains(complaint(std::string(5000, '[')), "not YAML"));
  CHECK(contains(complaint("? [a, b]\n: 1\n"), "expected a key"));
  CHECK(contains(complaint(std::string(2 << 20, ' ')), "megabyte"));
}

TEST_CASE("A parallel configuration says how Slurm starts rows") {
  const ParallelConfig config = parse_parallel_config(
      "backend: submitit\n"
      "slurm_time: 30\n"
      "slurm_stderr_to_stdout: True\n"
      "slurm_additional_parameters:\n"
      "  cpus-per-task: 10\n"
      "  account: me\n"
      "slurm_setup:\n"
      "  - module purge\n"
      "  - export A=\"b c\"\n",
      "parallel.yml");
  CHECK(config.time == "30");
  CHECK(config.launcher == "srun");
  REQUIRE(config.parameters.size() == 2);
  CHECK(config.parameters[0] == std::pair<std::string, std::string>("cpus-per-task", "10"));
  CHECK(config.parameters[1] == std::pair<std::string, std::string>("account", "me"));
  REQUIRE(config.setup.size() == 2);
  CHECK(config.setup[1] == "export A=\"b c\"");
  CHECK_THROWS_WITH(parse_parallel_config("backend: dask\n", "p.yml"),
                    test::contains("p.yml:1:10: unknown backend \"dask\""));
  CHECK_THROWS_WITH(parse_parallel_config("slurm_tme: 3\n", "p.yml"),
                    test::contains("\"slurm_time\""));
  CHECK_THROWS_WITH(parse_parallel_config("slurm_setup: module purge\n", "p.yml"),
                    test::contains("expected a list of shell lines"));
}

TEST_CASE("What a parallel configuration cannot mean is refused with its place") {
  const auto refused = [](const std::string& text, const std::string& message) {
    INFO(text);
    CHECK_THROWS_WITH(parse_parallel_config(text, "p.yml"), test::contains(message));
  };
  const auto parameter = [](const std::string& text) {
    return "slurm_additional_parameters:\n  " + text + "\n";
  };
  refused(
      parameter("cpus-per-task: 10x"),
      "p.yml:2:18: slurm_additional_parameters: cpus-per-task: expected a count from 1 to 1024, "
      "got \"10x\"");
  refused(parameter("nodes: 3"), "p.yml:2:10: slurm_additional_parameters: nodes follows from");
  refused("slurm_time: soon\n", "p.yml:1:13: slurm_time: expected minutes");
  refused("slurm_launcher: srun; true\n", "p.yml:1:17: slurm_launcher: expected a program");
  refused("slurm_setup: [\"a\\nb\"]\n", "p.yml:1:15: slurm_setup: expected one line");
  refused("slurm_setup:\n  - |\n    a\n    b\n", "slurm_setup: expected one line");
  refused(parameter("\"account\\n\": me"), "p.yml:2:3: the key \"account\\x0a\" has a line break");
  refused(parameter("account: \"me\\n#SBATCH --nodes=9\""), "expected one line of UTF-8");
  std::string long_one = "slurm_setup:\n  - &a " + std::string(4000, 'a') + "\n";
  for (int i = 0; i < 60000; ++i) long_one += "  - *a\n";
  refused(long_one, "more than 50000 values");
}
