#include "tessera/denoiser/denoiser.hpp"

#include <ATen/ops/pad.h>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/flush_denormals.hpp"

namespace tessera {

namespace {

/// Repeats the border at the far end of each spatial dimension.
Tensor extended(const Tensor& x, const std::vector<std::int64_t>& extents) {
  std::vector<std::int64_t> pads;  // last dimension first, before and after
  for (std::size_t axis = extents.size(); axis-- > 0;) {
    pads.push_back(0);
    pads.push_back(extents[axis] - x.size(static_cast<std::int64_t>(axis) + 2));
  }
  return at::pad(x, pads, "replicate");
}

}  // namespace

Communicator& Denoiser::communicator() const {
  static const CommunicatorPtr self = self_communicator();
  return *self;
}

void Denoiser::check(const Tensor& x, const NoiseLevel& sigma, const std::string& who) const {
  try {
    check_image(x, who + ": x");
    do_check(x, who);
    sigma.check_fits(x, who);
  } catch (const error::InvalidArgument&) {
    // Where several ranks denoise together, the others wait in do_denoise: they must hear of it.
    agree(communicator(), who, std::current_exception());
  }
}

Tensor Denoiser::denoise(const Tensor& x, const NoiseLevel& sigma) const {
  const std::string who = name() + ".denoise";
  check(x, sigma, who);
  const FlushDenormals no_slow_numbers;
  const std::vector<std::int64_t> extents = extended_extents(x.sizes().slice(2));
  if (x.sizes().slice(2) == at::IntArrayRef(extents)) {
    Tensor result = do_denoise(x, sigma);
    check_like(result, x, who + ": the result");
    return result;
  }
  const Tensor whole = extended(x, extents);
  Tensor result =
      do_denoise(whole, sigma.is_map() ? NoiseLevel(extended(sigma.as_map(x), extents)) : sigma);
  check_like(result, whole, who + ": the result");
  for (std::int64_t axis = 2; axis < x.dim(); ++axis) result = result.narrow(axis, 0, x.size(axis));
  return result.contiguous();
}

Tensor Denoiser::denoise_window(const Tensor& x, const NoiseLevel& sigma) const {
  const std::string who = name() + ".denoise_window";
  check(x, sigma, who);
  const FlushDenormals no_slow_numbers;
  Tensor result = do_denoise(x, sigma);
  check_like(result, x, who + ": the result");
  return result;
}

}  // namespace tessera
