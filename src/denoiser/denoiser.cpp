#include "tessera/denoiser/denoiser.hpp"

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

Communicator& Denoiser::communicator() const {
  static const CommunicatorPtr self = self_communicator();
  return *self;
}

Tensor Denoiser::denoise(const Tensor& x, const NoiseLevel& sigma) const {
  try {
    check_image(x, name() + ".denoise: x");
    sigma.check_fits(x, name() + ".denoise");
  } catch (const error::ShapeMismatch&) {
    // Where several ranks denoise together, the others wait in do_denoise: they must hear of it.
    agree(communicator(), name() + ".denoise", std::current_exception());
  }
  Tensor result = do_denoise(x, sigma);
  check_like(result, x, name() + ".denoise: the result");
  return result;
}

}  // namespace tessera
