// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>

#include "tessera/comm/agreement.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// DataFidelity::gradient_lipschitz(image) where a fidelity has it; nullopt otherwise.
template <typename Fidelity>
std::optional<double> gradient_lipschitz(const Fidelity& fidelity, const Tensor& image) {
  if constexpr (requires { fidelity.gradient_lipschitz(image); }) {
    return fidelity.gradient_lipschitz(image);
  } else {
    return std::nullopt;
  }
}

/// Prior::gradient_lipschitz() where a prior has it; nullopt otherwise.
template <typename P>
std::optional<double> gradient_lipschitz(const P& prior) {
  if constexpr (requires { prior.gradient_lipschitz(); }) {
    return prior.gradient_lipschitz();
  } else {
    return std::nullopt;
  }
}

/// Collective. The step 1 / lipschitz, from the largest constant that a rank found: the same bits
/// everywhere. Throws error::InvalidArgument, or error::RankFailure on several ranks, where a rank
/// knows none or a useless one, saying that `who` must be given a step.
inline double default_step(Communicator& ranks, const std::string& who,
                           std::optional<double> lipschitz) {
  std::int64_t largest = 0;  // its bits: positive numbers are ordered as theirs are
  guarded(ranks, who,
          [&] {
            if (!lipschitz) {
              throw error::InvalidArgument(formatted(
                  "{}: no Lipschitz constant of the gradient is known here: give the options "
                  "a step",
                  who));
            }
            if (!(std::isfinite(*lipschitz) && *lipschitz > 0)) {
              throw error::InvalidArgument(formatted(
                  "{}: the Lipschitz constant of the gradient is {}: give the options a step", who,
                  *lipschitz));
            }
            largest = std::bit_cast<std::int64_t>(*lipschitz);
          },
          {&largest, 1});
  return 1 / std::bit_cast<double>(largest);
}

}  // namespace tessera
