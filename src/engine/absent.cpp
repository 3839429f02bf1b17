// SPDX-License-Identifier: BSD-3-Clause
#include "network.hpp"

namespace tessera::engine {

std::unique_ptr<Network> compile_drunet(const std::vector<Tensor>&, std::int64_t, std::int64_t,
                                        const CompileOptions&) {
  return nullptr;
}

std::unique_ptr<Network> compile_dncnn(const std::vector<Tensor>&, bool, const CompileOptions&) {
  return nullptr;
}

}  // namespace tessera::engine
