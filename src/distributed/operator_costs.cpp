#include "tessera/distributed/operator_costs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>

#include "shard.hpp"

namespace tessera {

namespace {

double seconds_of(const LinearPhysics& one, const Tensor& x, int rounds) {
  double fastest = std::numeric_limits<double>::infinity();
  for (int round = 0; round <= rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    synchronize(one.adjoint(one.forward(x)));
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    if (round > 0) fastest = std::min(fastest, elapsed.count());
  }
  constexpr double least = 1e-9;  // a cost must be positive, whatever the clock says
  return std::max(fastest, least);
}

}  // namespace

std::vector<double> measured_costs(std::int64_t count, const DistributedPhysics::Factory& factory,
                                   const Tensor& x, Communicator& communicator, int rounds) {
  const std::string who = "measured_costs";
  std::vector<double> costs;
  std::exception_ptr failure;
  try {
    if (count < 0 || rounds < 1) {
      throw error::InvalidArgument(fmt::format(
          "{}: expected count >= 0 and rounds >= 1, got {} and {}", who, count, rounds));
    }
    costs.resize(static_cast<std::size_t>(count), 0.0);
    for (std::int64_t index = communicator.rank(); index < count; index += communicator.size()) {
      const std::unique_ptr<LinearPhysics> one = factory(index);
      detail::check_single_operator(one.get(), index, who);
      costs[static_cast<std::size_t>(index)] = seconds_of(*one, x, rounds);
    }
  } catch (...) {
    failure = std::current_exception();
  }
  std::array<std::int64_t, 2> counts = {count, -count};
  agree(communicator, who, failure, counts);
  if (counts[0] != -counts[1])
    throw error::InvalidArgument(who + ": the ranks were given different operator counts");
  communicator.control().all_reduce(costs.data(), count, DataType::f64, Reduction::sum);
  return costs;
}

}  // namespace tessera
