#include "tessera/fidelity/data_fidelity.hpp"

#include <fmt/format.h>

#include "tessera/core/error.hpp"

namespace tessera {

DataFidelity::DataFidelity(PhysicsPtr physics, TensorList measurements)
    : physics_(std::move(physics)), measurements_(std::move(measurements)) {
  if (!physics_) throw error::InvalidArgument("DataFidelity: physics is null");
  const std::size_t expected = physics_->held().size();
  if (measurements_.size() != expected) {
    throw error::ShapeMismatch(fmt::format(
        "DataFidelity: got {} measurements, expected {}, one per operator that this rank holds{}",
        measurements_.size(), expected,
        static_cast<std::int64_t>(measurements_.size()) == physics_->operator_count()
            ? "; physics.select(all) takes those of this rank"
            : ""));
  }
}

double DataFidelity::value(const Tensor& x) const {
  check_image(x, name() + ".value: x");
  return do_value(x);
}

Tensor DataFidelity::gradient(const Tensor& x) const {
  check_image(x, name() + ".gradient: x");
  return do_gradient(x);
}

Tensor DataFidelity::prox(const Tensor& z, double step) const {
  check_image(z, name() + ".prox: z");
  if (!(step > 0)) {
    throw error::InvalidArgument(fmt::format("{}.prox: step is {}, expected > 0", name(), step));
  }
  return do_prox(z, step);
}

TensorList DataFidelity::predicted(const Tensor& x) const {
  TensorList u = physics_->forward(x);
  for (std::size_t i = 0; i < u.size(); ++i) {
    check_like(u[i], measurements_[i],
               fmt::format("{}: the prediction of held operator {}", name(), i));
  }
  return u;
}

double DataFidelity::do_value(const Tensor& x) const {
  const TensorList u = predicted(x);
  double local = 0;
  for (std::size_t i = 0; i < u.size(); ++i) local += do_distance(u[i], measurements_[i]);
  return physics_->sum(local);
}

Tensor DataFidelity::do_gradient(const Tensor& x) const {
  TensorList u = predicted(x);
  for (std::size_t i = 0; i < u.size(); ++i) u[i] = do_distance_gradient(u[i], measurements_[i]);
  return physics_->vjp(x, u);
}

Tensor DataFidelity::do_prox(const Tensor& /*z*/, double /*step*/) const {
  throw error::InvalidArgument(name() + ".prox: this fidelity has no proximal operator");
}

}  // namespace tessera
