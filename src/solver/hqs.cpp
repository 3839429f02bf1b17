#include "tessera/solver/hqs.hpp"

#include <algorithm>
#include <cmath>

#include "tessera/solver/log_spaced.hpp"

namespace tessera {

HqsSchedule HqsSchedule::dpir(double noise_sigma, std::int64_t iterations, double prior_weight) {
  check_positive(noise_sigma, "HqsSchedule::dpir", "noise_sigma");
  check_positive(prior_weight, "HqsSchedule::dpir", "prior_weight");
  constexpr double first = 49.0 / 255.0;
  HqsSchedule schedule;
  schedule.denoiser_sigma = log_spaced(first, noise_sigma, iterations);
  for (const double sigma : schedule.denoiser_sigma) {
    schedule.gamma.push_back(std::pow(sigma / std::max(0.01, noise_sigma), 2) / prior_weight);
  }
  return schedule;
}

}  // namespace tessera
