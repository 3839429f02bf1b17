#include "tessera/prior/prior.hpp"

#include "tessera/comm/self.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

Communicator& Prior::communicator() const {
  static const CommunicatorPtr self = self_communicator();
  return *self;
}

Tensor Prior::prox(const Tensor& z, double step) const {
  check_image(z, name() + ".prox: z");
  check_positive(step, name() + ".prox", "step");
  return do_prox(z, step);
}

Tensor Prior::gradient(const Tensor& x) const {
  check_image(x, name() + ".gradient: x");
  return do_gradient(x);
}

Tensor Prior::do_prox(const Tensor& /*z*/, double /*step*/) const {
  throw error::InvalidArgument(name() + ".prox: this prior has no proximal operator");
}

Tensor Prior::do_gradient(const Tensor& /*x*/) const {
  throw error::InvalidArgument(name() + ".gradient: this prior has no gradient");
}

}  // namespace tessera
