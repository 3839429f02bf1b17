// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/grad_mode.h>

#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/comm/image_space.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// The forward model y_i = A_i(x), i = 0..N-1: one image in, one measurement per operator out.
///
/// Public functions check their arguments, then call the private virtuals (do_...) that an
/// implementation supplies. An implementation that lives on several ranks (DistributedPhysics)
/// holds only some of the operators; everything else holds all of them and never communicates.
class Physics {
 public:
  virtual ~Physics() = default;

  /// Name for messages, e.g. "blur".
  virtual std::string name() const = 0;

  /// Number of operators N over all ranks.
  virtual std::int64_t operator_count() const { return 1; }

  /// Global indices of the operators this rank holds, ascending: 0..N-1 unless distributed.
  virtual inline std::vector<std::int64_t> held() const;

  /// The ranks that share the operators; the self communicator unless distributed.
  virtual inline Communicator& communicator() const;

  /// Where images live that this physics takes and gives; whole on every rank unless shared out.
  virtual const ImageSpace& space() const { return ImageSpace::whole(); }

  /// A_i(x) for the operators this rank holds, in the order of held(). Local, no noise.
  /// Throws error::ShapeMismatch if x is not an image the operators accept.
  TensorList forward(const Tensor& x) const;

  /// forward(x) with each operator's noise. Repeatable: the noise of operator i depends on its own
  /// seed alone, never on the number of ranks.
  TensorList measure(const Tensor& x) const;

  /// Vector-Jacobian product sum_i J_i(x)^T v_i over all operators, complete on every rank. `v`
  /// holds one tensor per held operator. Collective if distributed.
  Tensor vjp(const Tensor& x, const TensorList& v) const;

  /// Weight of the inner product of measurements, <u, v> = weight * sum_i <u_i, v_i>, that
  /// adjoints, vjp and sum belong to: 1, unless a mean over operators was asked for.
  virtual double measurement_weight() const { return 1.0; }

  /// measurement_weight() times the sum over ranks of a number each rank computed from its own
  /// measurements. Collective if distributed.
  double sum(double local) const;

 protected:
  Physics() = default;
  Physics(const Physics&) = default;
  Physics& operator=(const Physics&) = default;

  /// Throws error::ShapeMismatch unless v has one defined tensor per held operator.
  void check_measurements(const TensorList& v, const std::string& function) const;

 private:
  virtual TensorList do_forward(const Tensor& x) const = 0;
  /// Default: forward(x).
  virtual inline TensorList do_measure(const Tensor& x) const;
  /// Default: reverse-mode differentiation of forward, all operators held.
  virtual inline Tensor do_vjp(const Tensor& x, const TensorList& v) const;
};

using PhysicsPtr = std::shared_ptr<const Physics>;

inline std::vector<std::int64_t> Physics::held() const {
  std::vector<std::int64_t> all(static_cast<std::size_t>(operator_count()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

inline Communicator& Physics::communicator() const {
  static const CommunicatorPtr self = self_communicator();
  return *self;
}

inline TensorList Physics::forward(const Tensor& x) const {
  check_image(x, formatted("{}.forward: x", name()));
  return do_forward(x);
}

inline TensorList Physics::measure(const Tensor& x) const {
  check_image(x, formatted("{}.measure: x", name()));
  return do_measure(x);
}

inline Tensor Physics::vjp(const Tensor& x, const TensorList& v) const {
  // Where several ranks share the operators, the others wait in do_vjp.
  fail_together(communicator(), formatted("{}.vjp", name()), [&] {
    check_image(x, formatted("{}.vjp: x", name()));
    check_measurements(v, "vjp");
  });
  return do_vjp(x, v);
}

inline double Physics::sum(double local) const {
  Communicator& ranks = communicator();
  local *= measurement_weight();
  if (ranks.size() == 1) return local;
  agree(ranks, formatted("{}.sum", name()), nullptr);
  ranks.control().all_reduce(&local, 1, DataType::f64, Reduction::sum);
  return local;
}

inline void Physics::check_measurements(const TensorList& v, const std::string& function) const {
  const std::size_t expected = held().size();
  if (v.size() != expected) {
    throw error::ShapeMismatch(
        formatted("{}.{}: got {} measurements, expected {}, one per held operator{}", name(),
                  function, v.size(), expected,
                  static_cast<std::int64_t>(v.size()) == operator_count()
                      ? "; select(all) takes those of this rank"
                      : ""));
  }
  for (std::size_t i = 0; i < v.size(); ++i) {
    if (!v[i].defined()) {
      throw error::ShapeMismatch(
          formatted("{}.{}: measurement {} is undefined", name(), function, i));
    }
  }
}

inline TensorList Physics::do_measure(const Tensor& x) const {
  return do_forward(x);
}

inline Tensor Physics::do_vjp(const Tensor& x, const TensorList& v) const {
  const at::AutoGradMode with_gradients(true);
  const Tensor input = x.detach().requires_grad_(true);
  const TensorList outputs = do_forward(input);
  const std::vector<Tensor> inputs = {input};
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const bool is_last = i + 1 == outputs.size();  // outputs may share parts of their graph
    outputs[i].backward(v[i], !is_last, false, at::TensorList(inputs));
  }
  return input.grad();
}

}  // namespace tessera
