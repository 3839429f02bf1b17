// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
#include <cmath>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/detail/image_products.hpp"
#include "tessera/core/check.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"
#include "tessera/solver/anderson.hpp"

namespace tessera {

namespace detail {

/// The solution of A x = b, by A = L L^T; A, row by row, is symmetric and positive definite.
inline std::vector<double> cholesky_solution(std::vector<double> a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t k = 0; k < j; ++k) {
      for (std::size_t i = j; i < n; ++i) a[i * n + j] -= a[i * n + k] * a[j * n + k];
    }
    const double pivot = std::sqrt(a[j * n + j]);
    for (std::size_t i = j; i < n; ++i) a[i * n + j] /= pivot;
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return b;
}

/// argmin_c ||f - sum_j c_j d_j||^2 + regularization sum_j ||d_j||^2 c_j^2 over the first `count`
/// columns, from gram[i][j] = <d_i, d_j> and right[j] = <d_j, f>; 0 for the other columns and for
/// those of no length.
inline std::vector<double> regularized_least_squares(const std::vector<std::vector<double>>& gram,
                                                     const std::vector<double>& right,
                                                     std::size_t count, double regularization) {
  std::vector<std::size_t> used;
  for (std::size_t j = 0; j < count; ++j) {
    if (gram[j][j] != 0) used.push_back(j);
  }
  std::vector<double> a;
  std::vector<double> b;
  for (const std::size_t i : used) {
    for (const std::size_t j : used) {
      a.push_back(i == j ? 1 + regularization
                         : gram[std::max(i, j)][std::min(i, j)] /
                               (std::sqrt(gram[i][i]) * std::sqrt(gram[j][j])));
    }
    b.push_back(right[i] / std::sqrt(gram[i][i]));
  }
  const std::vector<double> solution = cholesky_solution(std::move(a), std::move(b));
  std::vector<double> c(right.size(), 0.0);
  for (std::size_t k = 0; k < used.size(); ++k) {
    c[used[k]] = solution[k] / std::sqrt(gram[used[k]][used[k]]);
  }
  return c;
}

/// The names of what Anderson keeps of the iteration `age` before the next.
inline std::string anderson_step(std::int64_t age) {
  return formatted("anderson step {}", age);
}
inline std::string anderson_residual(std::int64_t age) {
  return formatted("anderson residual {}", age);
}

/// The name of <d_row, d_column>, row >= column, of an image of the batch; d_0 is the newest of the
/// differences of residuals.
inline std::string anderson_product(std::size_t image, std::size_t row, std::size_t column) {
  return formatted("anderson product {} {} {}", image, row, column);
}

/// The entry `name`, or a new one.
inline double& entry(SolverState& state, const std::string& name, double value) {
  return state.numbers.try_emplace(name, value).first->second;
}

}  // namespace detail

inline Anderson::Anderson(const Solver& method, AndersonOptions options)
    : Solver(options.stopping), method_(&method), options_(options) {
  if (options_.depth < 1 || !(options_.restart_factor >= 1)) {
    throw error::InvalidArgument(
        formatted("anderson: expected depth >= 1 and restart_factor >= 1, got {} and {}",
                  options_.depth, options_.restart_factor));
  }
  check_positive(options_.regularization, "anderson", "regularization");
  if (options_.clamp_range) check_range(*options_.clamp_range, "anderson", "clamp_range");
}

inline void Anderson::step_of_method(SolverState& state, StepTimes& times) const {
  const SolverState before = state;
  method_->do_step(state, times);
  const auto refuse_if = [&](bool is_memory, const std::string& what) {
    if (!is_memory) return;
    throw error::InvalidArgument(
        formatted("anderson: {} keeps '{}' from one iteration to the next, expected a method whose "
                  "next iterate depends on the last one alone",
                  method_->name(), what));
  };
  // Tensors of a state are replaced, not written into.
  for (const auto& image : state.images) {
    const auto same = before.images.find(image.first);
    refuse_if(same == before.images.end() || !same->second.is_same(image.second), image.first);
  }
  for (const auto& list : state.measured) {
    const auto same = before.measured.find(list.first);
    refuse_if(same == before.measured.end() ||
                  !std::equal(list.second.begin(), list.second.end(), same->second.begin(),
                              same->second.end(),
                              [](const Tensor& a, const Tensor& b) { return a.is_same(b); }),
              list.first);
  }
}

inline std::vector<std::int64_t> Anderson::depths(SolverState& state,
                                                  const Tensor& residual) const {
  const std::vector<double> norms = do_space().norm_each(residual, residual.size(0));
  std::vector<std::int64_t> depths;
  for (std::size_t i = 0; i < norms.size(); ++i) {
    double& least = detail::entry(state, formatted("anderson least residual {}", i), norms[i]);
    double& depth = detail::entry(state, formatted("anderson depth {}", i), -1);
    const bool grows = norms[i] > options_.restart_factor * least;
    depth = grows ? 0 : std::min(depth + 1, static_cast<double>(options_.depth));
    least = grows ? norms[i] : std::min(least, norms[i]);
    depths.push_back(static_cast<std::int64_t>(depth));
  }
  return depths;
}

inline std::vector<std::vector<double>> Anderson::coefficients(
    SolverState& state, const Tensor& residual, const TensorList& differences) const {
  const std::vector<std::int64_t> usable = depths(state, residual);
  const std::size_t count = differences.size();
  // [image][row][column], the lower half.
  std::vector<std::vector<std::vector<double>>> gram(
      usable.size(), std::vector<std::vector<double>>(count, std::vector<double>(count)));
  std::vector<std::vector<double>> right(usable.size(), std::vector<double>(count));
  // From the last row on: each takes from the one before it, whose differences were a step younger.
  for (std::size_t j = count; j-- > 0;) {
    const std::vector<double> with_residual = do_space().dot_each(differences[j], residual);
    for (std::size_t i = 0; i < usable.size(); ++i) right[i][j] = with_residual[i];
    for (std::size_t k = 0; k <= j; ++k) {
      const bool is_known =
          k > 0 && state.numbers.count(detail::anderson_product(0, j - 1, k - 1)) > 0;
      std::vector<double> products;
      if (!is_known) products = do_space().dot_each(differences[j], differences[k]);
      for (std::size_t i = 0; i < usable.size(); ++i) {
        gram[i][j][k] =
            is_known ? state.numbers.at(detail::anderson_product(i, j - 1, k - 1)) : products[i];
        state.numbers[detail::anderson_product(i, j, k)] = gram[i][j][k];
      }
    }
  }
  std::vector<double> all;
  for (std::size_t i = 0; i < usable.size(); ++i) {
    const std::vector<double> c = detail::regularized_least_squares(
        gram[i], right[i], std::min(static_cast<std::size_t>(usable[i]), count),
        options_.regularization);
    all.insert(all.end(), c.begin(), c.end());
  }
  // Rounding may differ from rank to rank, and iterates must not.
  Communicator& ranks = do_communicator();
  agree(ranks, "anderson", nullptr);
  if (ranks.size() > 1) {
    ranks.control().broadcast(all.data(), static_cast<std::int64_t>(all.size()), DataType::f64, 0);
  }
  std::vector<std::vector<double>> c(count, std::vector<double>(usable.size()));
  for (std::size_t i = 0; i < usable.size(); ++i) {
    for (std::size_t j = 0; j < count; ++j) c[j][i] = all[i * count + j];
  }
  return c;
}

inline void Anderson::do_step(SolverState& state, StepTimes& times) const {
  const Tensor x = state.x;
  step_of_method(state, times);
  TensorList steps = {state.x};  // g(x_k), then those before it
  TensorList residuals = {state.x - x};
  for (std::int64_t age = 0; age < options_.depth; ++age) {
    const auto step = state.images.find(detail::anderson_step(age));
    if (step == state.images.end()) break;
    steps.push_back(step->second);
    residuals.push_back(state.images.at(detail::anderson_residual(age)));
  }
  TensorList differences;
  for (std::size_t j = 0; j + 1 < residuals.size(); ++j) {
    differences.push_back(residuals[j] - residuals[j + 1]);
  }
  const auto c = coefficients(state, residuals.front(), differences);
  for (std::size_t j = 0; j < c.size(); ++j) {
    state.x = state.x - detail::per_group(c[j], state.x) * (steps[j] - steps[j + 1]);
  }
  state.x = clamped(state.x, options_.clamp_range);
  const auto kept = std::min(steps.size(), static_cast<std::size_t>(options_.depth));
  for (std::size_t j = 0; j < kept; ++j) {
    state.images[detail::anderson_step(static_cast<std::int64_t>(j))] = steps[j];
    state.images[detail::anderson_residual(static_cast<std::int64_t>(j))] = residuals[j];
  }
}

}  // namespace tessera
