// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>

#include "tessera/comm/partition.hpp"

namespace tessera {

/// How the operators of a distributed physics add up: which inner product of measurements its
/// adjoint, vector-Jacobian product and sum belong to.
enum class OperatorReduction {
  sum,  ///< <u, v> = sum_i <u_i, v_i>: adjoint(v) = sum_i A_i^T v_i
  mean  ///< <u, v> = 1/N sum_i <u_i, v_i>: adjoint(v) = 1/N sum_i A_i^T v_i; measurements stay what
        ///< they are
};

struct DistributedPhysicsOptions {
  /// Which rank holds which operator; the same on every rank. Default: contiguous shares.
  std::optional<Partition> partition = std::nullopt;
  OperatorReduction reduction = OperatorReduction::sum;
};

}  // namespace tessera
