#pragma once

#include "tessera/denoiser/total_variation.hpp"

namespace tessera::detail {

/// The dual of 0.5 ||u - z||^2 + sum_p weight_p ||(D u)_p|| for one image z (C, spatial...):
/// maximise over fields q (S, C, spatial...) with ||q_p|| <= weight_p. The primal point of q is u =
/// z - D^T q.
class TotalVariationDual {
 public:
  /// `weight` is broadcastable against z.
  TotalVariationDual(Tensor z, Tensor weight, ChannelCoupling channels);

  /// One accelerated projected gradient step.
  void step();
  /// z - D^T q; valid until the next call of a member.
  const Tensor& primal();

  struct Objective {
    double value;  ///< of the primal point
    double gap;    ///< above the optimum by at most this
  };
  Objective objective();

 private:
  void primal_of(const Tensor& field);
  void projection();

  Tensor z_;
  Tensor weight_;
  ChannelCoupling channels_;
  std::int64_t steps_ = 0;
  Tensor u_;              // like z
  Tensor field_;          // q
  Tensor extrapolated_;   // q plus momentum
  Tensor work_;           // like q; zero at the far borders, as q is
  Tensor lengths_;        // like z
  Tensor joint_lengths_;  // one channel of z
};

/// D u: forward differences along each spatial dimension of (C, spatial...), zero across the far
/// borders, into `field`, which must be zero there already.
void forward_differences(const Tensor& u, Tensor& field);

/// Euclidean norm of a field per pixel: over directions, and over channels where they are joint.
Tensor pixel_norms(const Tensor& field, ChannelCoupling channels);

/// The same solution after `steps` steps, through operations that autograd can follow.
Tensor total_variation_graph(const Tensor& z, const Tensor& weight, ChannelCoupling channels,
                             std::int64_t steps);

}  // namespace tessera::detail
