// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <map>
#include <string>

#include "tessera/core/tensor.hpp"

namespace tessera {

/// Named parameters of a network, as read from a weights file (io/state_dict.hpp).
using StateDict = std::map<std::string, Tensor>;

}  // namespace tessera
