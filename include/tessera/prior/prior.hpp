// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tessera/comm/communicator.hpp"
#include "tessera/comm/image_space.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// What images look like before any measurement: a regulariser g, known through its proximal
/// operator, its gradient, or both.
class Prior {
 public:
  virtual ~Prior() = default;

  virtual std::string name() const = 0;

  /// argmin_u step * g(u) + 0.5 ||u - z||^2, step > 0 and finite. Shape of z.
  /// Throws error::InvalidArgument where the prior has none.
  Tensor prox(const Tensor& z, double step) const;

  /// The gradient of g at x. Throws error::InvalidArgument where the prior has none.
  Tensor gradient(const Tensor& x) const;

  /// True if what prox does depends on its step; false if the step is ignored, as by a denoiser of
  /// one level. Solvers refuse to vary the step of a prior that ignores it.
  virtual bool follows_step() const { return true; }

  /// True if g is a convex function, and prox and gradient are its own; false if not, or not known,
  /// as where they are a denoiser's.
  virtual bool is_convex() const { return false; }

  /// A Lipschitz constant of the gradient of g; nullopt where none is known. Local.
  virtual std::optional<double> gradient_lipschitz() const { return std::nullopt; }

  /// g(x), where g exists as a function.
  virtual std::optional<double> value(const Tensor& /*x*/) const { return std::nullopt; }

  /// The ranks that evaluate the prior together; the self communicator unless distributed.
  virtual inline Communicator& communicator() const;

  /// Where the images live that the prior takes; whole on every rank unless shared out.
  virtual const ImageSpace& space() const { return ImageSpace::whole(); }

 private:
  virtual inline Tensor do_prox(const Tensor& z, double step) const;
  virtual inline Tensor do_gradient(const Tensor& x) const;
};

using PriorPtr = std::shared_ptr<const Prior>;

inline Communicator& Prior::communicator() const {
  static const CommunicatorPtr self = self_communicator();
  return *self;
}

inline Tensor Prior::prox(const Tensor& z, double step) const {
  check_image(z, formatted("{}.prox: z", name()));
  check_positive(step, formatted("{}.prox", name()), "step");
  return do_prox(z, step);
}

inline Tensor Prior::gradient(const Tensor& x) const {
  check_image(x, formatted("{}.gradient: x", name()));
  return do_gradient(x);
}

inline Tensor Prior::do_prox(const Tensor& /*z*/, double /*step*/) const {
  throw error::InvalidArgument(formatted("{}.prox: this prior has no proximal operator", name()));
}

inline Tensor Prior::do_gradient(const Tensor& /*x*/) const {
  throw error::InvalidArgument(formatted("{}.gradient: this prior has no gradient", name()));
}

}  // namespace tessera
