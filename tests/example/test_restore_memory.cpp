// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/rand.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "catch.hpp"
#include "files.hpp"
#include "tessera/io/npy.hpp"

namespace {

/// What a run of the program in a process of its own printed.
struct Run {
  int code = -1;
  std::string text;
};

Run run_alone(const test::TemporaryFolder& folder, const std::string& config) {
  test::write_bytes(folder.file("c.yml"), config);
  const std::string printed = folder.file("printed.txt");
  std::vector<std::string> words = {TESSERA_RESTORE_PROGRAM, "--config=" + folder.file("c.yml"),
                                    "--threads=1"};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  REQUIRE(posix_spawn_file_actions_init(&files) == 0);
  posix_spawn_file_actions_addopen(&files, 1, printed.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  pid_t child = 0;
  REQUIRE(posix_spawn(&child, arguments[0], &files, nullptr, arguments.data(), environ) == 0);
  posix_spawn_file_actions_destroy(&files);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  std::ifstream file(printed);
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          .text = {std::istreambuf_iterator<char>(file), {}}};
}

/// The number behind these words, in GB; 0: they are not there.
double gigabytes_behind(const std::string& words, const std::string& text) {
  const std::size_t at = text.find(words);
  return at == std::string::npos ? 0 : std::stod(text.substr(at + words.size()));
}

}  // namespace

TEST_CASE("restore: the memory that a run will take is told beforehand", "[restore]") {
  const test::TemporaryFolder folder;
  tessera::write_npy(folder.file("picture.npy"), 0.2 + 0.6 * at::rand({900, 900}));
  tessera::write_npy(folder.file("small.npy"), 0.2 + 0.6 * at::rand({300, 300}));
  // The responses of ridge's filters are more than 32 MB, then: what malloc takes for smaller ones
  // depends on the holes in its heap, even on the length of the names of files.
  tessera::write_npy(folder.file("middle.npy"), 0.2 + 0.6 * at::rand({400, 400}));
  tessera::write_npy(folder.file("volume.npy"), 0.2 + 0.6 * at::rand({45, 90, 90}));
  const std::string level = "noise: {level: 0.05}\noutput: o.npy\n";
  const std::string counts = "noise: {model: poisson, gain: 0.01}\noutput: o.npy\n";
  const std::string blur = "operator: {blur: {gaussian: 1, border: circular}}\n";
  const std::string tv = "prior: {name: tv, weight: 5}\n";
  const auto [name, config] = GENERATE_COPY(table<std::string, std::string>(
      {{"tv", "measurements: [picture.npy]\n" + blur + level + tv + "solver: {iterations: 8}\n"},
       {"three measurements", "measurements: [picture.npy, picture.npy, picture.npy]\n" + blur +
                                  level + tv + "solver: {iterations: 4}\n"},
       {"network",
        "measurements: [small.npy]\n" + level + "prior: drunet\nsolver: {iterations: 1}\n"},
       {"volume", "measurements: [{file: volume.npy, axes: zyx}]\n" + blur + level + tv +
                      "solver: {iterations: 8}\n"},
       {"single", "measurements: [picture.npy]\n" + blur + level + tv +
                      "solver: {iterations: 8, precision: single}\n"},
       {"counts",
        "measurements: [picture.npy]\n" + blur + counts + "solver: {name: mlem, iterations: 4}\n"},
       {"wavelets", "measurements: [picture.npy]\n" + blur + level +
                        "prior: {name: wavelet, weight: 5}\nsolver: {iterations: 3}\n"},
       {"aliases", "measurements: [small.npy]\noperator: {down_sampling: {factor: 2}}\n" + level +
                       tv + "solver: {iterations: 3}\n"},
       {"large aliases", "measurements: [picture.npy]\noperator: {down_sampling: {factor: 2}}\n" +
                             level + tv + "solver: {iterations: 2}\n"},
       {"ridge", "measurements: [middle.npy]\n" + blur + level +
                     "prior: {name: ridge, weight: 5}\nsolver: {iterations: 3}\n"}}));
  const Run run = run_alone(folder, config);
  INFO(name << "\n" << run.text);
  REQUIRE(run.code == 0);
  // The program's own figure: what wait4() says of a child is never less than what its parent had.
  const double taken = gigabytes_behind("of the noise,", run.text);
  const double told = gigabytes_behind("\nmemory", run.text);
  CHECK(told >= 0.75 * taken);
  CHECK(told <= 1.25 * taken);
  CHECK(taken > 0.1);
}
