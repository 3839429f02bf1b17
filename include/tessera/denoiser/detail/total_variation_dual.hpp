// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/add.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/div.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

#include <limits>

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

/// Keeps a vanishing weight on a vanishing difference from dividing zero by zero.
inline double smallest(const Tensor& like) {
  return like.scalar_type() == at::kDouble ? std::numeric_limits<double>::min()
                                           : std::numeric_limits<float>::min();
}

/// ||D||^2 is at most 4 per direction.
inline double step_length(std::int64_t directions) {
  return 1.0 / (4.0 * static_cast<double>(directions));
}

inline double momentum(std::int64_t steps) {
  const auto k = static_cast<double>(steps);
  return (k - 1) / (k + 3);
}

inline void forward_differences(const Tensor& u, Tensor& field) {
  for (std::int64_t axis = 1; axis < u.dim(); ++axis) {
    const std::int64_t count = u.size(axis) - 1;
    Tensor inner = field.select(0, axis - 1).narrow(axis, 0, count);
    at::sub_out(inner, u.narrow(axis, 1, count), u.narrow(axis, 0, count));
  }
}

inline Tensor pixel_norms(const Tensor& field, ChannelCoupling channels) {
  return channels == ChannelCoupling::joint
             ? at::linalg_vector_norm(field, 2, {0, 1}, true).squeeze(0)
             : at::linalg_vector_norm(field, 2, {0}, false);
}

inline TotalVariationDual::TotalVariationDual(Tensor z, Tensor weight, ChannelCoupling channels)
    : z_(std::move(z)),
      weight_(std::move(weight)),
      channels_(channels),
      u_(at::empty_like(z_)),
      lengths_(at::empty_like(z_)) {
  std::vector<std::int64_t> shape = z_.sizes().vec();
  shape.insert(shape.begin(), z_.dim() - 1);
  field_ = at::zeros(shape, z_.options());
  extrapolated_ = at::zeros(shape, z_.options());
  work_ = at::zeros(shape, z_.options());
  if (channels_ == ChannelCoupling::joint) joint_lengths_ = at::empty_like(z_.narrow(0, 0, 1));
}

inline void TotalVariationDual::primal_of(const Tensor& field) {
  for (std::int64_t axis = 1; axis < z_.dim(); ++axis) {
    const Tensor component = field.select(0, axis - 1);
    const std::int64_t count = z_.size(axis) - 1;
    at::add_out(u_, axis == 1 ? z_ : u_, component);
    u_.narrow(axis, 1, count).sub_(component.narrow(axis, 0, count));
  }
}

/// Scales each vector of work_ to at most the weight's length.
inline void TotalVariationDual::projection() {
  at::mul_out(lengths_, work_[0], work_[0]);
  for (std::int64_t axis = 1; axis < work_.size(0); ++axis)
    lengths_.addcmul_(work_[axis], work_[axis]);
  Tensor& norms = channels_ == ChannelCoupling::joint ? joint_lengths_ : lengths_;
  if (channels_ == ChannelCoupling::joint) at::sum_out(joint_lengths_, lengths_, 0, true);
  norms.sqrt_();
  at::maximum_out(norms, norms, weight_.expand_as(norms));
  norms.clamp_min_(smallest(norms));
  at::div_out(norms, weight_.expand_as(norms), norms);
  work_.mul_(norms);
}

inline void TotalVariationDual::step() {
  primal_of(extrapolated_);
  forward_differences(u_, work_);
  at::add_out(work_, extrapolated_, work_, step_length(work_.size(0)));
  projection();
  at::lerp_out(extrapolated_, field_, work_, 1 + momentum(++steps_));
  std::swap(field_, work_);
}

inline const Tensor& TotalVariationDual::primal() {
  primal_of(field_);
  return u_;
}

// weight ||D u|| - <D u, q> is a sum of terms that are never negative, so that nothing cancels.
inline TotalVariationDual::Objective TotalVariationDual::objective() {
  primal_of(field_);
  forward_differences(u_, work_);
  const double variation =
      (pixel_norms(work_, channels_) * weight_).sum(at::kDouble).item<double>();
  work_.mul_(field_);
  const double gap = variation - work_.sum(at::kDouble).item<double>();
  at::sub_out(lengths_, u_, z_);
  const double distance = lengths_.square_().sum(at::kDouble).item<double>();
  return {0.5 * distance + variation, gap};
}

inline Tensor total_variation_graph(const Tensor& z, const Tensor& weight, ChannelCoupling channels,
                                    std::int64_t steps) {
  const std::int64_t directions = z.dim() - 1;
  const auto pads = [&](std::int64_t axis, std::int64_t before, std::int64_t after) {
    std::vector<std::int64_t> pad(static_cast<std::size_t>(2 * z.dim()),
                                  0);  // last dimension first
    pad[static_cast<std::size_t>(2 * (z.dim() - 1 - axis))] = before;
    pad[static_cast<std::size_t>(2 * (z.dim() - 1 - axis) + 1)] = after;
    return pad;
  };
  const auto differences = [&](const Tensor& u) {
    std::vector<Tensor> components;
    for (std::int64_t axis = 1; axis < z.dim(); ++axis) {
      const std::int64_t count = z.size(axis) - 1;
      const Tensor inner = u.narrow(axis, 1, count) - u.narrow(axis, 0, count);
      components.push_back(at::constant_pad_nd(inner, pads(axis, 0, 1)));
    }
    return at::stack(components);
  };
  const auto primal = [&](const Tensor& field) {
    Tensor u = z;
    for (std::int64_t axis = 1; axis < z.dim(); ++axis) {
      const Tensor component = field[axis - 1];
      u = u + component -
          at::constant_pad_nd(component.narrow(axis, 0, z.size(axis) - 1), pads(axis, 1, 0));
    }
    return u;
  };
  Tensor field = at::zeros({1}, z.options().requires_grad(false));
  Tensor extrapolated;
  for (std::int64_t k = 1; k <= steps; ++k) {
    const Tensor ahead =
        k == 1 ? differences(z) * step_length(directions)
               : extrapolated + step_length(directions) * differences(primal(extrapolated));
    const Tensor norms = pixel_norms(ahead, channels);
    const Tensor next = ahead * (weight / at::maximum(norms, weight).clamp_min(smallest(norms)));
    extrapolated = next + momentum(k) * (next - field);
    field = next;
  }
  return steps == 0 ? z : primal(field);
}

}  // namespace tessera::detail
