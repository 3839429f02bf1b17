#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tessera/comm/communicator.hpp"
#include "tessera/core/tensor.hpp"

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
  virtual std::vector<std::int64_t> held() const;

  /// The ranks that share the operators; the self communicator unless distributed.
  virtual Communicator& communicator() const;

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
  virtual TensorList do_measure(const Tensor& x) const;
  /// Default: reverse-mode differentiation of forward, all operators held.
  virtual Tensor do_vjp(const Tensor& x, const TensorList& v) const;
};

using PhysicsPtr = std::shared_ptr<const Physics>;

}  // namespace tessera
