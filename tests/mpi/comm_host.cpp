// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/Parallel.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "tessera/comm/host.hpp"
#include "world.hpp"

using namespace tessera;

/// Ranks of one host and its cores: every rank binds itself to some of them. Where the launcher has
/// bound the ranks, or a quota is in force, some of it has nothing to test.

namespace {

/// The affinity mask of this rank, put back at the end of the scope.
class Binding {
 public:
  Binding() { sched_getaffinity(0, sizeof(before_), &before_); }
  ~Binding() { sched_setaffinity(0, sizeof(before_), &before_); }
  Binding(const Binding&) = delete;
  Binding& operator=(const Binding&) = delete;

  std::vector<int> cores() const {
    std::vector<int> cores;
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &before_)) cores.push_back(core);
    }
    return cores;
  }
  static void bind(const std::vector<int>& cores) {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    for (const int core : cores) CPU_SET(core, &mask);
    REQUIRE(sched_setaffinity(0, sizeof(mask), &mask) == 0);
  }

 private:
  cpu_set_t before_;
};

/// A variable of the environment with another value, or without one, for a scope.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~Variable() { set(before_ ? before_->c_str() : nullptr); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void set(const char* value) const {
    if (value != nullptr) {
      ::setenv(name_, value, 1);
    } else {
      ::unsetenv(name_);
    }
  }
  const char* name_;
  std::optional<std::string> before_;
};

/// Every rank may use all that any of them may, and no quota stops it.
bool is_free(const Binding& binding) {
  const auto cores = static_cast<int>(binding.cores().size());
  return cores == usable_cores() && cores == cores_of_host(*test::world());
}

}  // namespace

TEST_CASE("host: ranks that may use the same cores share them") {
  const Variable omp("OMP_NUM_THREADS", nullptr);
  const Variable slurm("SLURM_CPUS_PER_TASK", nullptr);
  const Binding binding;
  Communicator& world = *test::world();
  const std::vector<int> cores = binding.cores();
  const int total = cores_of_host(world);
  if (is_free(binding)) CHECK(threads_for_this_rank(world) == std::max(1, total / world.size()));

  // Bound to one and the same core.
  Binding::bind({cores.front()});
  CHECK(usable_cores() == 1);
  CHECK(threads_for_this_rank(world) == 1);
  if (is_free(binding)) CHECK(cores_of_host(world) == 1);
  CHECK(threads_for_this_rank(world, 5) == 5);
}

TEST_CASE("host: ranks bound to cores of their own have them for themselves") {
  const Variable omp("OMP_NUM_THREADS", nullptr);
  const Variable slurm("SLURM_CPUS_PER_TASK", nullptr);
  const Binding binding;
  Communicator& world = *test::world();
  const std::vector<int> cores = binding.cores();
  if (world.size() != 2 || cores.size() < 2 || !is_free(binding)) return;
  // The first rank has the first core, the second all others.
  const bool first = world.is_root();
  Binding::bind(first ? std::vector{cores.front()} : std::vector(cores.begin() + 1, cores.end()));
  CHECK(threads_for_this_rank(world) == (first ? 1 : static_cast<int>(cores.size()) - 1));
  CHECK(cores_of_host(world) == static_cast<int>(cores.size()));
}

TEST_CASE("host: what a rank was told decides about that rank alone") {
  const Variable slurm("SLURM_CPUS_PER_TASK", nullptr);
  Communicator& world = *test::world();
  {
    const Variable omp("OMP_NUM_THREADS", "3");
    CHECK(threads_for_this_rank(world) == 3);
    CHECK(threads_for_this_rank(world, world.is_root() ? 7 : 0) == (world.is_root() ? 7 : 3));
  }
  const Variable omp("OMP_NUM_THREADS", world.is_root() ? "3" : nullptr);
  const int threads = threads_for_this_rank(world);
  if (world.is_root()) CHECK(threads == 3);
  CHECK(threads >= 1);
}

TEST_CASE("host: a session has shared the cores before the program begins") {
  CHECK(test::threads_at_start() == threads_for_this_rank(*test::world()));
  const int before = at::get_num_threads();
  CHECK(share_cores(*test::world(), 2) == 2);
  CHECK(at::get_num_threads() == 2);
  at::set_num_threads(before);
}

TEST_CASE("host: every rank is told of a GPU or of none") {
  const GpuChoice gpu = gpu_of_this_rank(*test::world());
  CHECK((gpu.device >= 0) == (gpu.sharers > 0));
  CHECK(gpu.sharers <= test::world()->size());
}
