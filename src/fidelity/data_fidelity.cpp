#include "tessera/fidelity/data_fidelity.hpp"

#include <fmt/format.h>

#include "tessera/comm/agreement.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

DataFidelity::DataFidelity(PhysicsPtr physics, TensorList measurements)
    : physics_(std::move(physics)), measurements_(std::move(measurements)) {
  if (!physics_) throw error::InvalidArgument("DataFidelity: physics is null");
  guarded(physics_->communicator(), "DataFidelity", [&] { check_measurements(); });
}

void DataFidelity::check_measurements() const {
  const std::size_t expected = physics_->held().size();
  if (measurements_.size() != expected) {
    throw error::ShapeMismatch(fmt::format(
        "DataFidelity: got {} measurements, expected {}, one per operator that this rank holds{}",
        measurements_.size(), expected,
        static_cast<std::int64_t>(measurements_.size()) == physics_->operator_count()
            ? "; physics.select(all) takes those of this rank"
            : ""));
  }
  for (std::size_t i = 0; i < expected; ++i) {
    if (!measurements_[i].defined()) {
      throw error::ShapeMismatch(fmt::format(
          "DataFidelity: the measurement of operator {} is undefined", physics_->held()[i]));
    }
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
  check_positive(step, name() + ".prox", "step");
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
