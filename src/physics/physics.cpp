#include "tessera/physics/physics.hpp"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <numeric>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"

namespace tessera {

std::vector<std::int64_t> Physics::held() const {
  std::vector<std::int64_t> all(static_cast<std::size_t>(operator_count()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

Communicator& Physics::communicator() const {
  static const CommunicatorPtr self = self_communicator();
  return *self;
}

TensorList Physics::forward(const Tensor& x) const {
  check_image(x, name() + ".forward: x");
  return do_forward(x);
}

TensorList Physics::measure(const Tensor& x) const {
  check_image(x, name() + ".measure: x");
  return do_measure(x);
}

Tensor Physics::vjp(const Tensor& x, const TensorList& v) const {
  try {
    check_image(x, name() + ".vjp: x");
    check_measurements(v, "vjp");
  } catch (const error::ShapeMismatch&) {
    // Where several ranks share the operators, the others wait in do_vjp: they must hear of it.
    agree(communicator(), name() + ".vjp", std::current_exception());
  }
  return do_vjp(x, v);
}

double Physics::sum(double local) const {
  Communicator& ranks = communicator();
  local *= measurement_weight();
  if (ranks.size() == 1) return local;
  agree(ranks, name() + ".sum", nullptr);
  ranks.control().all_reduce(&local, 1, DataType::f64, Reduction::sum);
  return local;
}

void Physics::check_measurements(const TensorList& v, const std::string& function) const {
  const std::size_t expected = held().size();
  if (v.size() != expected) {
    throw error::ShapeMismatch(
        fmt::format("{}.{}: got {} measurements, expected {}, one per held operator{}", name(),
                    function, v.size(), expected,
                    static_cast<std::int64_t>(v.size()) == operator_count()
                        ? "; select(all) takes those of this rank"
                        : ""));
  }
  for (std::size_t i = 0; i < v.size(); ++i) {
    if (!v[i].defined()) {
      throw error::ShapeMismatch(
          fmt::format("{}.{}: measurement {} is undefined", name(), function, i));
    }
  }
}

TensorList Physics::do_measure(const Tensor& x) const {
  return do_forward(x);
}

Tensor Physics::do_vjp(const Tensor& x, const TensorList& v) const {
  const at::AutoGradMode with_gradients(true);
  const Tensor input = x.detach().requires_grad_(true);
  const TensorList outputs = do_forward(input);
  return torch::autograd::grad(outputs, {input}, v).front();
}

}  // namespace tessera
