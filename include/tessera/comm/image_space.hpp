// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/real_dot.hpp"
#include "tessera/core/tensor.hpp"

namespace tessera {

/// Where an image lives. Arithmetic on images is elementwise and the same wherever their parts are;
/// inner products, neighbours and Fourier transforms are not. Whoever needs one of these asks the
/// space that the physics and the prior name: all of the library keeps images whole on every rank,
/// and a space whose ranks hold one part each is where an image that is shared out comes in. So far
/// a space knows inner products.
class ImageSpace {
 public:
  /// Every rank has every image whole: nothing communicates.
  static inline const ImageSpace& whole();

  /// Each of `ranks` holds a part of every image; the parts do not overlap.
  explicit ImageSpace(CommunicatorPtr ranks) : ranks_(std::move(ranks)) {}

  /// The ranks that hold the parts of one image; the self communicator where images are whole.
  Communicator& communicator() const { return *ranks_; }

  /// real_dot(a_i, b_i) of each image of the batch, all parts together; the same on all ranks.
  /// `a` and `b` are this rank's parts, real and of one shape. Collective if images are shared out.
  inline std::vector<double> dot_each(const Tensor& a, const Tensor& b) const;

 private:
  CommunicatorPtr ranks_;
};

inline const ImageSpace& ImageSpace::whole() {
  static const ImageSpace space(self_communicator());
  return space;
}

inline std::vector<double> ImageSpace::dot_each(const Tensor& a, const Tensor& b) const {
  std::vector<double> products;
  for (std::int64_t i = 0; i < a.size(0); ++i) products.push_back(real_dot(a[i], b[i]));
  if (ranks_->size() > 1) {
    agree(*ranks_, "ImageSpace.dot_each", nullptr);
    ranks_->control().all_reduce(products.data(), static_cast<std::int64_t>(products.size()),
                                 DataType::f64, Reduction::sum);
  }
  return products;
}

}  // namespace tessera
