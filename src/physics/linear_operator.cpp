#include "tessera/physics/linear_operator.hpp"

namespace tessera {

TensorList LinearOperator::do_measure(const Tensor& x) const {
  const Tensor clean = do_apply(x);
  return {noise_ ? noise_->add(clean) : clean};
}

}  // namespace tessera
