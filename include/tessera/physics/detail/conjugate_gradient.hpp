// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tessera/comm/detail/image_products.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/physics/conjugate_gradient.hpp"
#include "tessera/physics/detail/conjugate_gradient_loop.hpp"

namespace tessera {

namespace detail {

/// Iterations between two recomputed residuals.
inline constexpr std::int64_t residual_interval = 16;

inline double rounding_of(const Tensor& x) {
  return x.scalar_type() == at::kDouble ? std::numeric_limits<double>::epsilon()
                                        : std::numeric_limits<float>::epsilon();
}

inline Tensor group_of(const Tensor& x, std::int64_t groups, std::size_t i) {
  return x.view({groups, -1})[static_cast<std::int64_t>(i)];
}

/// The work on one system.
class ConjugateGradientLoop {
 public:
  ConjugateGradientLoop(NormalEquations& equations, const ConjugateGradientStart& start,
                        const ConjugateGradientOptions& options, const ImageSpace& space,
                        Communicator& ranks, const std::string& who)
      : equations_(equations),
        options_(options),
        space_(space),
        ranks_(ranks),
        who_(who),
        groups_(start.groups),
        count_(static_cast<std::size_t>(start.groups)),
        starts_at_zero_(!start.x.defined()),
        x_(starts_at_zero_ ? at::zeros_like(start.right)
                           : start.x.clone(at::MemoryFormat::Contiguous)),
        images_(count_),
        is_active_(count_, true),
        is_flat_(count_, 0.0),
        steepest_(count_, 0.0),
        slope_(count_, 0.0),
        best_norm_(count_, std::numeric_limits<double>::infinity()) {
    right_norm_ = shared(space_.norm_each(start.right, groups_));
    norm_ = start_norm_ = right_norm_;
    residual_ = start.right;
    best_ = x_.clone();
  }

  ConjugateGradientResult run() {
    if (starts_at_zero_) {
      for (std::size_t i = 0; i < count_; ++i) settle(i, 0, 0);
    } else {
      check_residual(0, std::vector<bool>(count_, true));
    }
    for (std::int64_t k = 1; any_active(); ++k) {
      step();
      norm_ = shared(space_.norm_each(residual_, groups_));
      share(ranks_, who_, is_flat_);
      const bool is_time = k % residual_interval == 0 || k == options_.max_iterations;
      std::vector<bool> is_due(count_);
      for (std::size_t i = 0; i < count_; ++i) {
        images_[i].iterations += is_active_[i] ? 1 : 0;
        const bool is_claimed = is_small(i) || is_flat_[i] > 0;
        is_due[i] = is_active_[i] && (is_claimed || is_time);
      }
      if (std::find(is_due.begin(), is_due.end(), true) != is_due.end()) check_residual(k, is_due);
    }
    return {best_, images_};
  }

 private:
  std::vector<double> shared(std::vector<double> numbers) const {
    share(ranks_, who_, numbers);
    for (const double number : numbers) {
      if (!std::isfinite(number)) {
        throw error::InvalidArgument(
            formatted("{}: conjugate gradients met numbers that are not finite: the operator "
                      "makes them, or its values overflow",
                      who_));
      }
    }
    return numbers;
  }

  /// Whether the residual is as small as the options ask.
  bool is_small(std::size_t i) const {
    return norm_[i] <= options_.tolerance * right_norm_[i] &&
           norm_[i] <= options_.reduction * start_norm_[i];
  }

  bool any_active() const {
    return std::any_of(is_active_.begin(), is_active_.end(), [](bool active) { return active; });
  }

  /// One step of each active group, from the residual and the last direction.
  void step() {
    std::vector<double> slope = norm_;
    for (double& each : slope) each *= each;
    std::vector<double> turn(count_, 0.0);
    for (std::size_t i = 0; i < count_; ++i) {
      if (is_active_[i] && slope_[i] > 0) turn[i] = slope[i] / slope_[i];
    }
    slope_ = slope;
    direction_ =
        direction_.defined() ? residual_ + per_group(turn, residual_) * direction_ : residual_;
    const std::vector<double> curvature = equations_.curvature(direction_);
    const std::vector<double> length_squared = space_.dot_each(direction_, direction_, groups_);
    const double flatness = equations_.flatness(rounding_of(x_));
    std::vector<double> lengths(count_, 0.0);
    for (std::size_t i = 0; i < count_; ++i) {
      if (!is_active_[i]) continue;
      const double steepness = length_squared[i] > 0 ? curvature[i] / length_squared[i] : 0;
      steepest_[i] = std::max(steepest_[i], steepness);
      is_flat_[i] = steepness > flatness * steepest_[i] ? 0 : 1;
      if (is_flat_[i] == 0) lengths[i] = slope[i] / curvature[i];
    }
    const Tensor factors = per_group(lengths, x_);
    x_.add_(factors * direction_);
    equations_.advance(factors);
    residual_ = equations_.residual();
  }

  /// Computes the residual anew in the groups that are due, keeps what is best, and ends what can
  /// end.
  void check_residual(std::int64_t iteration, const std::vector<bool>& is_due) {
    const Tensor exact = equations_.exact_residual(x_);
    const std::vector<double> norms = shared(space_.norm_each(exact, groups_));
    const bool is_first = iteration == 0;
    if (is_first) start_norm_ = norms;
    const std::vector<double> drift = is_first
                                          ? std::vector<double>(count_, 0.0)
                                          : shared(space_.norm_each(exact - residual_, groups_));
    std::vector<double> mask(count_, 0.0);
    for (std::size_t i = 0; i < count_; ++i) {
      if (!is_due[i]) continue;
      mask[i] = 1;
      norm_[i] = norms[i];
      settle(i, drift[i], iteration);
    }
    const Tensor groups = per_group(mask, x_) > 0;
    equations_.adopt(groups);
    residual_ = at::where(groups, exact, residual_);
  }

  void settle(std::size_t i, double drift, std::int64_t iteration) {
    const double norm = norm_[i];
    const double before = best_norm_[i];
    if (norm < before) {
      best_norm_[i] = norm;
      group_of(best_, groups_, i).copy_(group_of(x_, groups_, i));
    }
    const auto end = [&](ConjugateGradientEnd reason) {
      is_active_[i] = false;
      images_[i].end = reason;
      images_[i].relative_residual = right_norm_[i] > 0 ? best_norm_[i] / right_norm_[i] : 0;
    };
    if (is_small(i)) return end(ConjugateGradientEnd::tolerance);
    const bool is_rounding = drift > 0.5 * norm;
    if (is_rounding && norm > 0.5 * before) return end(ConjugateGradientEnd::rounding);
    if (is_flat_[i] > 0) return end(ConjugateGradientEnd::null_space);
    if (iteration >= options_.max_iterations) return end(ConjugateGradientEnd::limit);
    if (is_rounding) slope_[i] = 0;  // the direction belongs to another residual: begin anew
  }

  NormalEquations& equations_;
  const ConjugateGradientOptions& options_;
  const ImageSpace& space_;
  Communicator& ranks_;
  const std::string& who_;
  std::int64_t groups_;
  std::size_t count_;
  bool starts_at_zero_;
  Tensor x_;
  Tensor residual_;
  Tensor direction_;
  Tensor best_;
  std::vector<ConjugateGradientReport> images_;
  std::vector<bool> is_active_;
  std::vector<double> is_flat_;   // 1: the last direction lies in the null space
  std::vector<double> steepest_;  // largest <p, N p> / <p, p> so far
  std::vector<double> slope_;     // <r, r> of the step before; 0: none
  std::vector<double> norm_;      // of the residual
  std::vector<double> best_norm_;
  std::vector<double> start_norm_;
  std::vector<double> right_norm_;
};

}  // namespace detail

inline std::string to_string(ConjugateGradientEnd end) {
  switch (end) {
    case ConjugateGradientEnd::tolerance:
      return "the tolerance";
    case ConjugateGradientEnd::rounding:
      return "rounding";
    case ConjugateGradientEnd::null_space:
      return "the null space";
    case ConjugateGradientEnd::limit:
      return "the limit of iterations";
  }
  return "unknown";
}

inline bool ConjugateGradientResult::converged(double tolerance) const {
  const double attainable = std::sqrt(detail::rounding_of(x));
  return std::all_of(images.begin(), images.end(), [&](const ConjugateGradientReport& image) {
    const bool is_stuck = image.end == ConjugateGradientEnd::rounding ||
                          image.end == ConjugateGradientEnd::null_space;
    return image.relative_residual <= (is_stuck ? std::max(tolerance, attainable) : tolerance);
  });
}

namespace detail {

inline ConjugateGradientResult conjugate_gradient(NormalEquations& equations,
                                                  const ConjugateGradientStart& start,
                                                  const ConjugateGradientOptions& options,
                                                  const ImageSpace& space, Communicator& ranks,
                                                  const std::string& who) {
  return ConjugateGradientLoop(equations, start, options, space, ranks, who).run();
}

}  // namespace detail

}  // namespace tessera
