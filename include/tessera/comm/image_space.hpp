// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/comm/detail/image_products.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera {

/// Where an image lives. Arithmetic on images is elementwise and the same wherever their parts are;
/// inner products, neighbours and Fourier transforms are not. Whoever needs one of these asks the
/// space that the physics and the prior name: all of the library keeps images whole on every rank,
/// and a space whose ranks hold one part each is where an image that is shared out comes in. So far
/// a space knows inner products: solvers, conjugate gradients and norms take theirs from it.
///
/// A tensor is cut along its first dimension into `groups` equal ones with a product each: one per
/// image of the batch, or one for all. Sums are taken in float64 for every dtype. Everything is
/// collective if images are shared out, and then the same on all ranks.
class ImageSpace {
 public:
  /// Every rank has every image whole: nothing communicates.
  static inline const ImageSpace& whole();

  /// Each of `ranks` holds a part of every image; the parts do not overlap.
  explicit ImageSpace(CommunicatorPtr ranks) : ranks_(std::move(ranks)) {}

  /// The ranks that hold the parts of one image; the self communicator where images are whole.
  Communicator& communicator() const { return *ranks_; }

  /// real_dot(a_i, b_i) of each group, all parts together. `a` and `b` are this rank's parts, real
  /// and of one shape.
  inline std::vector<double> dot_each(const Tensor& a, const Tensor& b, std::int64_t groups) const;
  /// The same of each image of the batch.
  std::vector<double> dot_each(const Tensor& a, const Tensor& b) const {
    return dot_each(a, b, a.size(0));
  }

  /// ||a_i|| of each group, without overflow or underflow on the way.
  inline std::vector<double> norm_each(const Tensor& a, std::int64_t groups) const;

  /// The largest magnitude in each group.
  inline std::vector<double> largest_each(const Tensor& a, std::int64_t groups) const;

  /// Elements of the image of which `a` is this rank's part.
  inline std::int64_t numel(const Tensor& a) const;

 private:
  CommunicatorPtr ranks_;
};

inline const ImageSpace& ImageSpace::whole() {
  static const ImageSpace space(self_communicator());
  return space;
}

inline std::vector<double> ImageSpace::dot_each(const Tensor& a, const Tensor& b,
                                                std::int64_t groups) const {
  std::vector<double> products = detail::inner_each(a, b, groups);
  if (ranks_->size() > 1) {
    agree(*ranks_, "ImageSpace.dot_each", nullptr);
    ranks_->control().all_reduce(products.data(), static_cast<std::int64_t>(products.size()),
                                 DataType::f64, Reduction::sum);
  }
  return products;
}

inline std::vector<double> ImageSpace::norm_each(const Tensor& a, std::int64_t groups) const {
  std::vector<double> norms = detail::norm_each(a, groups);
  if (ranks_->size() == 1) return norms;
  return detail::norms_over_ranks(*ranks_, "ImageSpace.norm_each", 1, std::move(norms));
}

inline std::vector<double> ImageSpace::largest_each(const Tensor& a, std::int64_t groups) const {
  std::vector<double> largest = detail::largest_each(a, groups);
  detail::share(*ranks_, "ImageSpace.largest_each", largest);
  return largest;
}

inline std::int64_t ImageSpace::numel(const Tensor& a) const {
  if (ranks_->size() == 1) return a.numel();
  agree(*ranks_, "ImageSpace.numel", nullptr);
  std::int64_t elements = a.numel();
  ranks_->control().all_reduce(&elements, 1, DataType::i64, Reduction::sum);
  return elements;
}

}  // namespace tessera
