#include "tessera/distributed/distributed_physics.hpp"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>

#include "physics/shared_transforms.hpp"
#include "shard.hpp"
#include "tessera/comm/tensor_view.hpp"

namespace tessera {

namespace {

constexpr const char* constructor = "DistributedPhysics";

/// What the ranks agree upon before they add their shares of a spectrum.
struct SpectrumPacket {
  // missing, batch, channels, then dtype, dimensions and extents of x with their negatives
  std::array<std::int64_t, 15> values{};

  SpectrumPacket(const Tensor& x, const Tensor& share, bool missing) {
    values[0] = missing ? 1 : 0;
    values[1] = share.defined() ? share.size(0) : 1;
    values[2] = share.defined() ? share.size(1) : 1;
    values[3] = static_cast<std::int64_t>(x.scalar_type());
    for (std::int64_t axis = 0; axis < x.dim(); ++axis)
      values[4 + static_cast<std::size_t>(axis)] = x.size(axis);
    for (std::size_t i = 0; i < 6; ++i) values[9 + i] = -values[3 + i];
  }
  bool missing() const { return values[0] != 0; }
  bool same_images() const {
    for (std::size_t i = 0; i < 6; ++i) {
      if (values[3 + i] != -values[9 + i]) return false;
    }
    return true;
  }
  /// Shape of the whole spectrum: real transform, so the last extent is halved.
  std::vector<std::int64_t> shape(const Tensor& x) const {
    std::vector<std::int64_t> extents = x.sizes().vec();
    extents[0] = values[1];
    extents[1] = values[2];
    extents.back() = extents.back() / 2 + 1;
    return extents;
  }
};

}  // namespace

DistributedPhysics::DistributedPhysics(std::vector<LinearPhysicsPtr> operators,
                                       CommunicatorPtr communicator,
                                       DistributedPhysicsOptions options)
    : communicator_(detail::checked(communicator, constructor)),
      partition_(detail::agreed_partition(static_cast<std::int64_t>(operators.size()), options,
                                          *communicator_, constructor)),
      reduction_(options.reduction),
      operators_(detail::make_held<LinearPhysics>(
          *partition_, *communicator_, constructor,
          [&](std::int64_t index) { return operators[static_cast<std::size_t>(index)]; })) {}

DistributedPhysics::DistributedPhysics(std::int64_t count, const Factory& factory,
                                       CommunicatorPtr communicator,
                                       DistributedPhysicsOptions options)
    : communicator_(detail::checked(communicator, constructor)),
      partition_(detail::agreed_partition(count, options, *communicator_, constructor)),
      reduction_(options.reduction),
      operators_(
          detail::make_held<LinearPhysics>(*partition_, *communicator_, constructor, factory)) {}

std::vector<std::int64_t> DistributedPhysics::held() const {
  return partition_->of(communicator_->rank());
}

double DistributedPhysics::measurement_weight() const {
  return detail::weight(reduction_, operator_count());
}

TensorList DistributedPhysics::select(const TensorList& all) const {
  return detail::select_held(all, *partition_, communicator_->rank(), name() + ".select");
}

TensorList DistributedPhysics::gather(const TensorList& measurements) const {
  return detail::gather_held(measurements, *partition_, *communicator_, name() + ".gather");
}

TensorList DistributedPhysics::scatter(const TensorList& all, int root) const {
  return detail::scatter_held(all, root, *partition_, *communicator_, name() + ".scatter");
}

TensorList DistributedPhysics::do_forward(const Tensor& x) const {
  return detail::forward_each(operators_, x);
}

TensorList DistributedPhysics::do_measure(const Tensor& x) const {
  TensorList y;
  for (const LinearPhysicsPtr& one : operators_) y.push_back(one->measure(x).front());
  return y;
}

Tensor DistributedPhysics::do_adjoint(const TensorList& v) const {
  const std::string who = name() + ".adjoint";
  return detail::sum_over_ranks(*communicator_, who, measurement_weight(), [&](Tensor& sum) {
    const Tensor mine = detail::adjoint_sum(operators_, v, who);
    if (mine.defined()) detail::accumulate(sum, mine, who);
  });
}

Tensor DistributedPhysics::mean_of_pseudo_inverses(const TensorList& y,
                                                   const ConjugateGradientOptions& options) const {
  const std::string who = name() + ".mean_of_pseudo_inverses";
  const double weight = detail::weight(OperatorReduction::mean, operator_count());
  return detail::sum_over_ranks(*communicator_, who, weight, [&](Tensor& sum) {
    check_measurements(y, "mean_of_pseudo_inverses");
    for (std::size_t i = 0; i < operators_.size(); ++i)
      detail::accumulate(sum, operators_[i]->pseudo_inverse({y[i]}, options), who);
  });
}

Tensor DistributedPhysics::do_normal_spectrum(const Tensor& x) const {
  const std::string who = name() + ".normal_spectrum";
  Tensor share;
  bool missing = false;
  std::exception_ptr failure;
  try {
    for (const LinearPhysicsPtr& one : operators_) {
      const Tensor& spectrum = one->normal_spectrum(x);
      missing = missing || !spectrum.defined();
      if (missing) break;
      share = share.defined() ? share + spectrum : spectrum;
    }
  } catch (...) {
    failure = std::current_exception();
  }
  SpectrumPacket packet(x, share, missing);
  agree(*communicator_, who, failure, packet.values);
  if (!packet.same_images()) {
    throw error::ShapeMismatch(
        who + ": the ranks' images differ in shape or dtype; every rank must give the same one");
  }
  if (packet.missing()) return {};
  return committed(*communicator_, who, [&] {
    Tensor spectrum = at::zeros(packet.shape(x), x.options().requires_grad(false));
    if (share.defined()) spectrum.add_(share);
    spectrum.mul_(measurement_weight());
    if (communicator_->size() > 1) all_reduce(*communicator_, spectrum, Reduction::sum);
    return spectrum;
  });
}

}  // namespace tessera
