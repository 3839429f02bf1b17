// SPDX-License-Identifier: BSD-3-Clause
#include <cmath>
#include <cstdlib>
#include <type_traits>
#include <vector>

#include "communicator_suite.hpp"
#include "tessera/comm/counting.hpp"
#include "tessera/comm/mpi.hpp"
#include "tessera/comm/mpi_interop.hpp"
#include "world.hpp"

using namespace tessera;

TEST_CASE("mpi: every operation in every type") {
  CHECK(test::world()->name() == "mpi");
  CHECK(test::world()->memory() == Memory::host);
  CHECK(&test::world()->control() == test::world().get());
  test::check_communicator(*test::world());
}

TEST_CASE("counting: passes everything on, over several ranks too") {
  CountingCommunicator counting(test::world());
  test::check_communicator(counting);
  CHECK(counting.name() == "mpi");
}

TEST_CASE("mpi: counts beyond one message are sent in pieces") {
  const CommunicatorPtr small = mpi_communicator(MpiOptions{.largest_count = 3});
  test::check_all_types(*small, {});
  test::check_split(*small, {});
  CHECK_THROWS_AS(mpi_communicator(MpiOptions{.largest_count = 0}), error::InvalidArgument);
  CHECK_THROWS_AS(mpi_communicator(MpiOptions{.largest_count = std::int64_t{1} << 31}),
                  error::InvalidArgument);
}

TEMPLATE_TEST_CASE("mpi: sums of several pieces miss no element", "", float, double) {
  Communicator& world = *test::world();
  const int size = world.size();
  std::vector<TestType> numbers(1100001);  // 4.4 and 8.8 MB; the last piece is short
  const auto cycle = [](std::size_t i) { return static_cast<int>(i % 1009); };
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<TestType>(world.rank() + cycle(i));
  }
  world.all_reduce(numbers.data(), static_cast<std::int64_t>(numbers.size()),
                   std::is_same_v<TestType, float> ? DataType::f32 : DataType::f64, Reduction::sum);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const int expected = size * cycle(i) + size * (size - 1) / 2;
    if (numbers[i] != static_cast<TestType>(expected)) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("mpi: a NaN on one rank is a NaN on all, in minima and maxima too") {
  Communicator& world = *test::world();
  for (int culprit = 0; culprit < world.size(); culprit += std::max(1, world.size() - 1)) {
    for (const Reduction reduction : {Reduction::min, Reduction::max}) {
      double number = world.rank() == culprit ? std::nan("") : 1.0 + world.rank();
      world.all_reduce(&number, 1, DataType::f64, reduction);
      CHECK(std::isnan(number));
    }
  }
}

TEST_CASE("mpi: a communicator over the ranks of a given MPI_Comm") {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm reversed = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, 0, -rank, &reversed);
  const CommunicatorPtr communicator = mpi_communicator(reversed);
  MPI_Comm_free(&reversed);  // ours is a duplicate
  CHECK(communicator->size() == test::world()->size());
  CHECK(communicator->rank() == test::world()->size() - 1 - rank);
  test::check_broadcast<double>(*communicator, {});
  CHECK_THROWS_AS(mpi_communicator(MPI_COMM_NULL), error::Communication);
}

TEST_CASE("mpi: messages of different lengths are an error that names the ranks") {
  Communicator& world = *test::world();
  if (world.size() == 1) return;
  std::vector<double> data(8, 0.0);
  const int other = world.rank() ^ 1;
  if (other >= world.size()) return;
  const auto exchange = [&](std::int64_t sent, std::int64_t expected) {
    const Message send{other, data.data(), sent};
    const Message receive{other, data.data() + 4, expected};
    world.exchange({&send, 1}, {&receive, 1}, DataType::f64);
  };
  CHECK_THROWS_WITH(exchange(2, 3), test::contains("sent 2 elements, expected 3"));
  CHECK_THROWS_AS(exchange(3, 2), error::Communication);
}

TEST_CASE("mpi: a launcher that started more tasks than MPI sees is refused") {
  if (test::world()->size() != 1) return;
  const auto refused = [](const char* variable) {
    const char* before = std::getenv(variable);
    const std::string kept = before == nullptr ? "" : before;
    ::setenv(variable, "4", 1);
    std::string message;
    try {
      mpi_communicator();
    } catch (const error::Communication& error) {
      message = error.what();
    }
    before == nullptr ? ::unsetenv(variable) : ::setenv(variable, kept.c_str(), 1);
    return message;
  };
  CHECK_THAT(refused("OMPI_COMM_WORLD_SIZE"),
             test::contains("started 4 tasks (OMPI_COMM_WORLD_SIZE=4)"));
  CHECK_THAT(refused("PMI_SIZE"), test::contains("started 4 tasks (PMI_SIZE=4)"));
  // An mpiexec that says one task knows better than the size of the allocation that it runs in.
  ::setenv("PMI_SIZE", "1", 1);
  CHECK(refused("SLURM_NTASKS").empty());
  ::unsetenv("PMI_SIZE");
  CHECK_THAT(refused("SLURM_NTASKS"), test::contains("allocation of 4 tasks (SLURM_NTASKS=4)") &&
                                          test::contains("mpiexec -n 1"));
}
