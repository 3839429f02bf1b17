// SPDX-License-Identifier: BSD-3-Clause
#include "restore/operators.hpp"

#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <Eigen/SparseCore>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <memory>
#include <numbers>
#include <utility>
#include <variant>
#include <vector>

#include "restore/at_key.hpp"
#include "restore/motion.hpp"
#include "restore/slicewise.hpp"
#include "tessera/core/error.hpp"
#include "tessera/physics/algebra.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/downsampling.hpp"
#include "tessera/physics/fourier_sampling.hpp"
#include "tessera/physics/masking.hpp"
#include "tessera/physics/matrix_physics.hpp"
#include "tessera/physics/space_varying_blur.hpp"
#include "tessera/physics/translation.hpp"
#include "tessera/physics/warp.hpp"
#include "tessera/tomography/tomography.hpp"

namespace restore {

using namespace tessera;

namespace {

/// The mean of the factor x factor pixels from a pixel on. The centre of 2 factor - 1 elements is
/// the last of the first `factor`, which see the pixel and those after it.
Tensor mean_of_pixels(std::int64_t factor) {
  Tensor kernel = at::zeros({1, 1, 2 * factor - 1, 2 * factor - 1}, at::kDouble);
  kernel.narrow(2, 0, factor).narrow(3, 0, factor).fill_(1 / static_cast<double>(factor * factor));
  return kernel;
}

/// Parallel rays as ScanGeometry::parallel has them, at any angles.
ScanGeometry scan_of(const TomographyStep& step, std::int64_t cells) {
  Tensor vectors = at::zeros({std::ssize(step.angles), 6}, at::kDouble);
  auto view = vectors.accessor<double, 2>();
  for (std::int64_t k = 0; k < vectors.size(0); ++k) {
    const double angle = step.angles[static_cast<std::size_t>(k)] * std::numbers::pi / 180;
    view[k][0] = -std::sin(angle);
    view[k][1] = std::cos(angle);
    view[k][4] = step.spacing * std::cos(angle);
    view[k][5] = step.spacing * std::sin(angle);
  }
  return ScanGeometry::from_vectors(vectors, {cells}, /*parallel_rays=*/true);
}

using SparseMatrix = Eigen::SparseMatrix<double, Eigen::RowMajor, std::int64_t>;

SparseMatrix sparse_matrix(const Tensor& matrix) {
  const Tensor places = matrix._indices();
  const Tensor values = matrix._values();
  const auto place = places.accessor<std::int64_t, 2>();
  const auto value = values.accessor<double, 1>();
  std::vector<Eigen::Triplet<double, std::int64_t>> entries;
  entries.reserve(static_cast<std::size_t>(value.size(0)));
  for (std::int64_t i = 0; i < value.size(0); ++i) {
    entries.emplace_back(place[0][i], place[1][i], value[i]);
  }
  SparseMatrix sparse(matrix.size(0), matrix.size(1));
  sparse.setFromTriplets(entries.begin(), entries.end());
  return sparse;
}

LinearPhysicsPtr in_turn(LinearPhysicsPtr outer, const LinearPhysicsPtr& inner) {
  return inner ? compose(std::move(outer), inner) : outer;
}

/// The motion of a step after `before`, which may be null, as the result is.
LinearPhysicsPtr motion_before(const DownSamplingStep& step, const LinearPhysicsPtr& before) {
  const std::vector<double> motion = motion_of(step);
  return motion.empty() ? before : in_turn(std::make_shared<Translation>(motion), before);
}

/// Makes the operator of a step act after `before`, which may be null.
struct StepMaker {
  const Tensor& part;
  const Extents& from;  ///< spatial extents that it acts on,
  const Extents& to;    ///< and of its result
  LinearPhysicsPtr before;
  bool is_moved;  ///< already, of a step that moves

  LinearPhysicsPtr operator()(const BlurStep& step) const {
    return in_turn(std::make_shared<Blur>(part, step.border), before);
  }
  LinearPhysicsPtr operator()(const SpaceVaryingBlurStep& step) const {
    return in_turn(std::make_shared<SpaceVaryingBlur>(part, BlurOptions{.padding = step.border}),
                   before);
  }
  LinearPhysicsPtr operator()(const DownSamplingStep& step) const {
    // Means of blocks look at no border.
    return in_turn(std::make_shared<Downsampling>(step.factor, kernel_of(step),
                                                  BlurOptions{.padding = Padding::circular}),
                   is_moved ? before : motion_before(step, before));
  }
  LinearPhysicsPtr operator()(const MaskStep& /*step*/) const {
    return in_turn(std::make_shared<Masking>(part), before);
  }
  LinearPhysicsPtr operator()(const WarpStep& step) const {
    const Tensor matrix = at::tensor(at::ArrayRef<double>(step.matrix), at::kDouble).view({2, 3});
    return in_turn(std::make_shared<Warp>(matrix), before);
  }
  LinearPhysicsPtr operator()(const MatrixStep& /*step*/) const {
    Extents shape = {1};
    shape.insert(shape.end(), from.begin(), from.end());
    return in_turn(std::make_shared<MatrixPhysics<SparseMatrix>>(sparse_matrix(part), shape),
                   before);
  }
  LinearPhysicsPtr operator()(const TomographyStep& step) const {
    const auto scan = std::make_shared<Tomography>(Extents(from.end() - 2, from.end()), /*voxel=*/1,
                                                   scan_of(step, to.back()));
    if (from.size() == 2) return in_turn(scan, before);
    return in_turn(std::make_shared<Slicewise>(scan), before);
  }
  LinearPhysicsPtr operator()(const FourierStep& /*step*/) const {
    return in_turn(std::make_shared<FourierSampling>(part[0][0]), before);
  }
};

}  // namespace

Tensor kernel_of(const DownSamplingStep& step) {
  return step.averages ? mean_of_pixels(step.factor) : at::ones({1, 1, 1, 1}, at::kDouble);
}

LinearPhysicsPtr make_operator(const Measurement& measurement, const LoadedMeasurement& loaded,
                               const Tensor& image) {
  const DownSamplingStep* const first = first_motion(measurement.steps);
  LinearPhysicsPtr made = first != nullptr ? motion_before(*first, nullptr) : nullptr;
  for (std::size_t i = 0; i < measurement.steps.size(); ++i) {
    const Step& step = measurement.steps[i];
    const bool is_moved = first != nullptr && std::get_if<DownSamplingStep>(&step) == first;
    const Extents result = i + 1 < measurement.steps.size()
                               ? loaded.inputs[i + 1]
                               : loaded.picture.values.sizes().slice(2).vec();
    made = at_key(where_of(step), [&] {
      return std::visit(StepMaker{loaded.parts[i], loaded.inputs[i], result, made, is_moved}, step);
    });
  }
  if (!made) {
    // A blur by one pixel: its inverse is known in Fourier space, as that of other blurs.
    const Extents one(static_cast<std::size_t>(image.dim()), 1);
    made = std::make_shared<Blur>(at::ones(one, at::kDouble), Padding::circular);
  }
  at_key(measurement.where, [&] {
    const Tensor tried = made->forward(at::zeros(image.sizes(), image.options())).front();
    if (tried.sizes() == loaded.picture.values.sizes()) return;
    throw error::ShapeMismatch(
        fmt::format("{}: its operator measures {} of the image {}, expected {}", measurement.file,
                    to_string(tried.sizes()), to_string(image.sizes()),
                    to_string(loaded.picture.values.sizes())));
  });
  return made;
}

}  // namespace restore
