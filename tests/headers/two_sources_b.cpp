// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/sharded.hpp"

std::string describe_elsewhere(const tessera::Tensor& tensor);

std::string describe_elsewhere(const tessera::Tensor& tensor) {
  return tessera::describe(tensor);
}
