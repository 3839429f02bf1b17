// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <map>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/distributed/boxed_operator.hpp"
#include "tessera/physics/stacked.hpp"

namespace tessera {

/// StackedPhysics of BoxedOperators that exchanges once per forward and once per adjoint, whatever
/// their number: the largest of their halos, in which each finds its own. Once for each padding, if
/// there are several. The same numbers, but for the order in which an adjoint adds up. subset()
/// gives a StackedPhysics, which exchanges once for each operator.
class BoxedStack : public StackedPhysics {
 public:
  /// Operators of one space, else error::InvalidArgument.
  explicit BoxedStack(std::vector<BoxedOperatorPtr> operators);

  const BoxSpace& boxes() const { return members_.front()->boxes(); }

 private:
  TensorList do_forward(const Tensor& x) const override;
  TensorList do_measure(const Tensor& x) const override;
  Tensor do_adjoint(const TensorList& v) const override;

  std::vector<BoxedOperatorPtr> members_;
  std::map<Padding, Halo> halos_;  // the largest of each padding
};

namespace detail {

inline std::vector<LinearPhysicsPtr> as_linear(const std::vector<BoxedOperatorPtr>& operators) {
  return {operators.begin(), operators.end()};
}

inline void grow(Extents& widths, const Extents& others) {
  widths.resize(others.size(), 0);
  for (std::size_t d = 0; d < others.size(); ++d) widths[d] = std::max(widths[d], others[d]);
}

}  // namespace detail

inline BoxedStack::BoxedStack(std::vector<BoxedOperatorPtr> operators)
    : StackedPhysics(detail::as_linear(operators)), members_(std::move(operators)) {
  for (const BoxedOperatorPtr& one : members_) {
    Halo& halo = halos_[one->padding()];
    detail::grow(halo.before, one->halo().before);
    detail::grow(halo.after, one->halo().after);
  }
}

inline TensorList BoxedStack::do_forward(const Tensor& x) const {
  std::map<Padding, Tensor> windows;
  for (const auto& [padding, halo] : halos_)
    windows[padding] = halo.is_none() ? x : boxes().with_halo(x, halo, padding);
  return fail_together(communicator(), "boxed_stack.forward", [&] {
    TensorList y;
    for (const BoxedOperatorPtr& one : members_) {
      const Padding padding = one->padding();
      const Box origin = boxes().window(halos_.at(padding), padding);
      y.push_back(one->of_window(
          part_of(windows[padding], origin, boxes().window(one->halo(), padding)).contiguous()));
    }
    return y;
  });
}

inline TensorList BoxedStack::do_measure(const Tensor& x) const {
  TensorList y = do_forward(x);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = members_[i]->with_noise(y[i]);
  return y;
}

inline Tensor BoxedStack::do_adjoint(const TensorList& v) const {
  std::map<Padding, Tensor> sums;
  fail_together(communicator(), "boxed_stack.adjoint", [&] {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const Padding padding = members_[i]->padding();
      const Tensor window = members_[i]->adjoint_window(v[i]);
      const Box origin = boxes().window(halos_.at(padding), padding);
      Tensor& sum = sums[padding];
      if (!sum.defined()) {
        Extents shape = detail::leading_of(window, origin);
        for (const std::int64_t extent : origin.extents()) shape.push_back(extent);
        sum = at::zeros(shape, window.options());
      }
      part_of(sum, origin, boxes().window(members_[i]->halo(), padding)).add_(window);
    }
  });
  Tensor image;
  for (const auto& [padding, halo] : halos_) {
    const Tensor& sum = sums[padding];
    const Tensor part = halo.is_none() ? sum : boxes().add_halo(sum, halo, padding);
    image = image.defined() ? image + part : part;
  }
  return image;
}

}  // namespace tessera
