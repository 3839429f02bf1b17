// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <optional>

#include "tessera/denoiser/denoiser.hpp"
#include "tessera/fidelity/data_fidelity.hpp"
#include "tessera/fidelity/squared_distance.hpp"
#include "tessera/physics/linear_operator.hpp"
#include "tessera/prior/prior.hpp"

/// Parts so simple that their results can be worked out by hand.
namespace test {

using tessera::Tensor;

/// A x = x.
class Identity : public tessera::LinearOperator {
 public:
  std::string name() const override { return "identity"; }

 private:
  Tensor do_apply(const Tensor& x) const override { return x; }
  Tensor do_apply_adjoint(const Tensor& v) const override { return v; }
};

/// f(x) = 0.5 ||x - target||^2, prox(z, g) = (z + g target) / (1 + g), gradient 1-Lipschitz.
class Halfway : public tessera::DataFidelity {
 public:
  explicit Halfway(const Tensor& target)
      : DataFidelity(std::make_shared<Identity>(), {target},
                     std::make_shared<tessera::SquaredDistance>()) {}
  std::string name() const override { return "halfway"; }

 private:
  Tensor do_prox(const Tensor& z, double step) const override {
    return (z + step * measurements().front()) / (1 + step);
  }
  std::optional<double> do_gradient_lipschitz(const Tensor& /*image*/) const override {
    return 1.0;
  }
};

/// prox(z, step) = factor z; remembers the step.
class Shrink : public tessera::Prior {
 public:
  explicit Shrink(double factor) : factor_(factor) {}
  std::string name() const override { return "shrink"; }
  double last_step() const { return last_step_; }

 private:
  Tensor do_prox(const Tensor& z, double step) const override {
    last_step_ = step;
    return factor_ * z;
  }

  double factor_;
  mutable double last_step_ = 0;
};

/// D(x, sigma) = (1 - sigma) x, with sigma per pixel if it is a map.
class Dimmer : public tessera::Denoiser {
 public:
  std::string name() const override { return "dimmer"; }
  std::optional<std::int64_t> reach() const override { return 0; }

 private:
  Tensor do_denoise(const Tensor& x, const tessera::NoiseLevel& sigma) const override {
    return x - sigma.broadcastable(x) * x;
  }
};

/// D(x, sigma) = x / (1 + sigma x^2), pixel by pixel.
class Saturate : public tessera::Denoiser {
 public:
  std::string name() const override { return "saturate"; }

 private:
  Tensor do_denoise(const Tensor& x, const tessera::NoiseLevel& sigma) const override {
    return x / (1 + sigma.broadcastable(x) * x.square());
  }
};

}  // namespace test
