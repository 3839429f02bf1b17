#include "network.hpp"

namespace tessera::engine {

std::unique_ptr<Network> compile_drunet(const std::vector<Tensor>&, std::int64_t, std::int64_t) {
  return nullptr;
}

std::unique_ptr<Network> compile_dncnn(const std::vector<Tensor>&, bool) {
  return nullptr;
}

}  // namespace tessera::engine
