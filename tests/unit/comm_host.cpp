// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/comm/host.hpp"

#include <ATen/Parallel.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "catch.hpp"
#include "files.hpp"
#include "tessera/comm/detail/cores.hpp"
#include "tessera/comm/detail/gpu.hpp"
#include "tessera/comm/detail/launcher.hpp"
#include "tessera/comm/self.hpp"

using namespace tessera;
namespace rules = tessera::detail;
using tessera::detail::Environment;
using tessera::detail::RankCores;

namespace {

Environment environment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

/// Control groups below a folder.
class Groups {
 public:
  std::string mount() const { return folder_.path(); }
  void write(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = folder_.file(file);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }

 private:
  test::TemporaryFolder folder_;
};

std::vector<int> devices_of(const std::vector<rules::VisibleGpus>& ranks) {
  std::vector<int> devices;
  for (const GpuChoice& choice : rules::choose_gpus(ranks)) devices.push_back(choice.device);
  return devices;
}

std::vector<int> sharers_of(const std::vector<rules::VisibleGpus>& ranks) {
  std::vector<int> sharers;
  for (const GpuChoice& choice : rules::choose_gpus(ranks)) sharers.push_back(choice.sharers);
  return sharers;
}

std::vector<int> shares_of(const std::vector<RankCores>& ranks) {
  std::vector<int> shares;
  for (std::size_t r = 0; r < ranks.size(); ++r)
    shares.push_back(rules::share_of_cores(ranks, static_cast<int>(r)));
  return shares;
}

}  // namespace

TEST_CASE("host: whole numbers, and nothing else, are read from variables") {
  CHECK(rules::whole_number("0") == 0);
  CHECK(rules::whole_number(" 12\n") == 12);
  CHECK(rules::whole_number("2147483647") == 2147483647);
  for (const char* text : {"", " ", "-1", "+1", "1x", "1 2", "0x10", "2147483648",
                           "99999999999999999999", "1e3", "four"}) {
    CAPTURE(text);
    CHECK_FALSE(rules::whole_number(text));
  }
}

TEST_CASE("host: threads that the environment asks for") {
  const auto threads = [](std::map<std::string, std::string> variables) {
    return rules::threads_asked_for(environment(std::move(variables)), 4);
  };
  CHECK_FALSE(threads({}));
  CHECK(threads({{"OMP_NUM_THREADS", "1"}}) == 1);
  CHECK(threads({{"OMP_NUM_THREADS", "6,2"}}) == 6);  // of nested regions: the outer one counts
  CHECK(threads({{"SLURM_CPUS_PER_TASK", "3"}}) == 3);
  CHECK(threads({{"SLURM_CPUS_PER_TASK", "64"}}) == 4);  // more than there are
  CHECK(threads({{"OMP_NUM_THREADS", "2"}, {"SLURM_CPUS_PER_TASK", "3"}}) == 2);
  for (const char* text : {"0", "-2", "", "many", "100000", "99999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(threads({{"OMP_NUM_THREADS", text}}));
    CHECK(threads({{"OMP_NUM_THREADS", text}, {"SLURM_CPUS_PER_TASK", "3"}}) == 3);
  }
}

TEST_CASE("host: the strictest quota of a control group and those above it counts") {
  const Groups version2;
  version2.write("job/cpu.max", "250000 100000\n");
  version2.write("job/step/cpu.max", "max 100000\n");
  CHECK(rules::cpu_quota("0::/job/step\n", version2.mount()) == 2.5);
  version2.write("job/step/cpu.max", "50000 100000\n");
  CHECK(rules::cpu_quota("0::/job/step\n", version2.mount()) == 0.5);
  CHECK_FALSE(rules::cpu_quota("0::/elsewhere\n", version2.mount()));
  CHECK_FALSE(rules::cpu_quota("", version2.mount()));
  // A container whose paths are those of its host sees its own bound at the top.
  version2.write("cpu.max", "300000 100000\n");
  CHECK(rules::cpu_quota("0::/docker/0123\n", version2.mount()) == 3);

  const Groups version1;
  version1.write("cpu/job/cpu.cfs_quota_us", "150000\n");
  version1.write("cpu/job/cpu.cfs_period_us", "100000\n");
  const std::string memberships = "5:memory:/job\n4:cpu,cpuacct:/job\n3:cpuset:/\n";
  CHECK(rules::cpu_quota(memberships, version1.mount()) == 1.5);
  version1.write("cpu/job/cpu.cfs_quota_us", "-1\n");
  CHECK_FALSE(rules::cpu_quota(memberships, version1.mount()));
  version1.write("cpu/job/cpu.cfs_quota_us", "150000\n");
  version1.write("cpu/job/cpu.cfs_period_us", "0\n");
  CHECK_FALSE(rules::cpu_quota(memberships, version1.mount()));
}

TEST_CASE("host: ranks share the cores that several of them may use") {
  const std::vector<int> four = {0, 1, 2, 3};
  const auto none = std::nullopt;
  CHECK(shares_of({{"a", "", four, none}}) == std::vector{4});
  CHECK(shares_of({{"a", "", four, none}, {"a", "", four, none}}) == std::vector{2, 2});
  CHECK(shares_of(std::vector<RankCores>(3, {"a", "", four, none})) == std::vector{1, 1, 1});
  CHECK(shares_of(std::vector<RankCores>(9, {"a", "", four, none})) == std::vector(9, 1));
  // 3 x 1/3 is a core.
  CHECK(shares_of(std::vector<RankCores>(3, {"a", "", {5, 6, 7}, none})) == std::vector{1, 1, 1});
  // Ranks of another host, or bound to other cores.
  CHECK(shares_of({{"a", "", four, none}, {"b", "", four, none}}) == std::vector{4, 4});
  CHECK(shares_of({{"a", "", {0, 1}, none}, {"a", "", {2, 3}, none}}) == std::vector{2, 2});
  CHECK(shares_of({{"a", "", {0}, none}, {"a", "", {2, 3, 1024}, none}}) == std::vector{1, 3});
  // One bound to a core, one free: 1/2 and 1/2 + 3.
  CHECK(shares_of({{"a", "", {0}, none}, {"a", "", four, none}}) == std::vector{1, 3});
}

TEST_CASE("host: a quota bounds the ranks of its control group together") {
  const std::vector<int> eight = {0, 1, 2, 3, 4, 5, 6, 7};
  CHECK(shares_of({{"a", "g", eight, 2.5}}) == std::vector{2});
  CHECK(shares_of({{"a", "g", eight, 0.5}}) == std::vector{1});
  CHECK(shares_of({{"a", "g", eight, 4.0}, {"a", "g", eight, 4.0}}) == std::vector{2, 2});
  CHECK(shares_of({{"a", "g", eight, 3.0}, {"a", "h", eight, 3.0}}) == std::vector{3, 3});
  CHECK(shares_of({{"a", "g", {0, 1}, 100.0}}) == std::vector{2});
}

TEST_CASE("host: cores of a host are counted once, whoever may use them") {
  const std::vector<RankCores> ranks = {{"a", "g", {0, 1}, std::nullopt},
                                        {"a", "g", {1, 2}, std::nullopt},
                                        {"b", "g", {0, 1, 2, 3}, 2.0},
                                        {"b", "h", {0, 1, 2, 3}, 1.0}};
  CHECK(rules::cores_of_host(ranks, 0) == 3);
  CHECK(rules::cores_of_host(ranks, 1) == 3);
  CHECK(rules::cores_of_host(ranks, 2) == 3);
  CHECK(rules::cores_of_host({{"a", "g", {0, 1}, 0.5}}, 0) == 1);
}

TEST_CASE("host: launchers are told by their variables") {
  const auto launched = [](std::map<std::string, std::string> variables) {
    return rules::launched_by_mpi(environment(std::move(variables)));
  };
  CHECK_FALSE(launched({}));
  CHECK(launched({{"PMI_RANK", "0"}}));
  CHECK(launched({{"PMIX_RANK", "3"}}));
  CHECK(launched({{"OMPI_COMM_WORLD_RANK", "1"}}));
  CHECK_FALSE(launched({{"SLURM_NTASKS", "4"}, {"SLURM_JOB_ID", "1"}}));  // a shell of salloc
  CHECK_FALSE(launched({{"SLURM_STEP_NUM_TASKS", "1"}}));
  CHECK(launched({{"SLURM_STEP_NUM_TASKS", "2"}}));
  CHECK_FALSE(launched({{"SLURM_STEP_NUM_TASKS", "99999999999"}}));

  const auto first = [](std::map<std::string, std::string> variables) {
    return rules::first_of_launcher(environment(std::move(variables)));
  };
  CHECK(first({}));
  CHECK(first({{"PMI_RANK", "0"}, {"SLURM_PROCID", "2"}}));
  CHECK_FALSE(first({{"PMI_RANK", "1"}, {"SLURM_PROCID", "0"}}));
  CHECK_FALSE(first({{"SLURM_PROCID", "2"}}));
}

TEST_CASE("host: a launcher and an MPI that contradict each other") {
  const auto contradiction = [](std::map<std::string, std::string> variables, int size = 1) {
    return rules::launcher_contradiction(environment(std::move(variables)), size).value_or("none");
  };
  CHECK(contradiction({}) == "none");
  CHECK_THAT(contradiction({{"PMI_SIZE", "4"}}), test::contains("another MPI than its launcher"));
  CHECK_THAT(contradiction({{"OMPI_COMM_WORLD_SIZE", "4"}}),
             test::contains("4 tasks (OMPI_COMM_WORLD_SIZE=4)"));
  CHECK(contradiction({{"PMI_SIZE", "4"}}, 4) == "none");
  const std::string shell = contradiction({{"SLURM_NTASKS", "4"}});
  CHECK_THAT(shell, test::contains("SLURM_NTASKS=4"));
  CHECK_THAT(shell, test::contains("mpiexec -n 1"));
  CHECK(contradiction({{"SLURM_NTASKS", "4"}, {"PMI_SIZE", "1"}}) == "none");
  CHECK(contradiction({{"SLURM_NTASKS", "1"}}) == "none");
  CHECK(contradiction({{"SLURM_NTASKS", "four"}}) == "none");
}

TEST_CASE("host: ranks that see the same GPUs take different ones") {
  const std::vector<std::string> four = {"A", "B", "C", "D"};
  CHECK(devices_of({{"a", four}, {"a", four}, {"a", four}, {"a", four}}) ==
        std::vector{0, 1, 2, 3});
  CHECK(devices_of({{"a", four}, {"b", four}, {"a", four}, {"b", four}}) ==
        std::vector{0, 0, 1, 1});
  // One visible GPU per rank, whatever its name: --gpus-per-task=1.
  CHECK(devices_of({{"a", {"A"}}, {"a", {"B"}}, {"a", {"C"}}}) == std::vector{0, 0, 0});
  // Two per rank, apart or not.
  CHECK(devices_of({{"a", {"A", "B"}}, {"a", {"C", "D"}}}) == std::vector{0, 0});
  CHECK(devices_of({{"a", {"A", "B"}}, {"a", {"B", "C"}}}) == std::vector{0, 0});
  CHECK(devices_of({{"a", {"A", "B"}}, {"a", {"A", "C"}}}) == std::vector{0, 1});
  // Seen in another order by another rank.
  CHECK(devices_of({{"a", {"A", "B"}}, {"a", {"B", "A"}}}) == std::vector{0, 0});
  // The first rank leaves the second the only one that it sees.
  CHECK(devices_of({{"a", {"A", "B"}}, {"a", {"A"}}}) == std::vector{1, 0});
  CHECK(sharers_of({{"a", {"A", "B"}}, {"a", {"A"}}}) == std::vector{1, 1});
}

TEST_CASE("host: ranks share GPUs evenly where there are too few") {
  const std::vector<std::string> two = {"A", "B"};
  const std::vector<rules::VisibleGpus> three = {{"a", two}, {"a", two}, {"a", two}};
  CHECK(devices_of(three) == std::vector{0, 1, 0});
  CHECK(sharers_of(three) == std::vector{2, 1, 2});
  const std::vector<rules::VisibleGpus> some = {{"a", {}}, {"a", two}};
  CHECK(devices_of(some) == std::vector{-1, 0});
  CHECK(sharers_of(some) == std::vector{0, 1});
}

TEST_CASE("host: one rank has the cores of its process, and the threads that it wants") {
  const CommunicatorPtr self = self_communicator();
  CHECK(usable_cores() >= 1);
  CHECK(cores_of_host(*self) == usable_cores());
  CHECK(threads_for_this_rank(*self) == threads_asked_for().value_or(usable_cores()));
  CHECK(threads_for_this_rank(*self, 3) == 3);
  const int before = at::get_num_threads();
  CHECK(share_cores(*self, before + 1) == before + 1);
  CHECK(at::get_num_threads() == before + 1);
  at::set_num_threads(before);
}
