#include "tessera/core/eigen_map.hpp"

#include <fmt/format.h>

#include "tessera/core/error.hpp"

namespace tessera {

void check_mappable(const Tensor& tensor, at::ScalarType type, const std::string& who) {
  if (tensor.defined() && tensor.scalar_type() == type && tensor.device().is_cpu() &&
      tensor.layout() == at::kStrided && tensor.is_contiguous()) {
    return;
  }
  const bool strided =
      tensor.defined() && !(tensor.layout() == at::kStrided && tensor.is_contiguous());
  throw error::ShapeMismatch(fmt::format("{} is {}{}, expected {}, contiguous, on cpu", who,
                                         describe(tensor), strided ? ", not contiguous" : "",
                                         c10::toString(type)));
}

}  // namespace tessera
