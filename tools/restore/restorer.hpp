// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "restore/inputs.hpp"
#include "restore/kept_run.hpp"
#include "restore/weight_search.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/solver/solver.hpp"

namespace restore {

/// Collective. What the prior is made of; null if it is made of no denoiser. Throws what its
/// weights are refused with, beginning with file, line and key.
tessera::DenoiserPtr denoiser_of(const Inputs& inputs, const tessera::CommunicatorPtr& world);

/// One way to restore: fidelity and prior with their solver, for any weight of the prior.
class Restorer {
 public:
  /// Collective. Estimates the norm, and begins at a checkpoint if `orders` say so.
  Restorer(Inputs& inputs, const RunOrders& orders, const tessera::CommunicatorPtr& world);

  /// Collective. Where a rule is to find the weight.
  std::optional<FoundWeight> find_weight();

  tessera::SolveResult restore();

  /// Relative changes of the iterations of the last restoration.
  const std::vector<double>& changes() const { return changes_; }
  /// Weights that find_weight() has tried, and what its rule looks at.
  const std::vector<std::pair<double, double>>& trials() const { return trials_; }

  /// The squared residuals of an image over what the noise makes of them: 1 if it fits.
  double misfit(const tessera::Tensor& x) const;

  /// Of each measurement that this rank holds: what an image leaves of it, over the standard
  /// deviation of its noise.
  tessera::TensorList residuals(const tessera::Tensor& x) const;

  /// Collective. The mean over the measurements of the energy of their residuals' correlations.
  double correlation(const tessera::Tensor& x) const;

  /// Collective. How many degrees of freedom the image has taken from the measurements, per value:
  /// misfit() and twice this are an unbiased estimate of how well the noise-free measurements are
  /// predicted (Stein, Ann. Statist. 9, 1981). By the change of what the image predicts with
  /// measurements that are moved by a random part of their noise (Ramani, Blu and Unser, IEEE
  /// Trans. Image Process. 17, 2008). `x` is what solve() makes with this weight.
  double fitted_share(const tessera::Tensor& x);

 private:
  bool is_counted() const;
  double background() const { return is_counted() ? inputs_.plan.method.background : 0.0; }

  /// The standard deviation of the noise of these values; of none less than that of one count.
  tessera::Tensor level_at(const tessera::Tensor& values) const;

  tessera::DataFidelityPtr fidelity_of(const tessera::TensorList& measured) const;

  tessera::SolveResult solve(const tessera::SolverState& from,
                             std::vector<std::reference_wrapper<tessera::Observer>> observers = {});

  Inputs& inputs_;
  tessera::CommunicatorPtr world_;
  bool shows_progress_;
  tessera::DataFidelityPtr fidelity_;
  double norm_squared_ = 0;
  tessera::Tensor start_;
  tessera::SolverState from_;  // where restore() begins: start_, or a checkpoint
  std::optional<KeptRun> kept_;
  std::vector<double> changes_;
  std::vector<std::pair<double, double>> trials_;
};

}  // namespace restore
