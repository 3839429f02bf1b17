#include "tessera/solver/log_spaced.hpp"

#include <cmath>
#include <string>

#include "tessera/core/error.hpp"

namespace tessera {

std::vector<double> log_spaced(double first, double last, std::int64_t count) {
  if (!(first > 0) || !(last > 0) || count < 1) {
    throw error::InvalidArgument("log_spaced: expected first > 0, last > 0 and count >= 1, got " +
                                 std::to_string(first) + ", " + std::to_string(last) + " and " +
                                 std::to_string(count));
  }
  std::vector<double> numbers;
  for (std::int64_t k = 0; k < count; ++k) {
    const double t = count == 1 ? 1.0 : static_cast<double>(k) / static_cast<double>(count - 1);
    numbers.push_back(first * std::pow(last / first, t));
  }
  return numbers;
}

}  // namespace tessera
