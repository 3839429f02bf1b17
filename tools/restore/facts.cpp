// SPDX-License-Identifier: BSD-3-Clause
#include "restore/facts.hpp"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "restore/operators.hpp"
#include "tessera/core/error.hpp"
#include "tessera/denoiser/estimate_noise.hpp"

namespace restore {

using namespace tessera;

namespace {

bool has_mask(const Measurement& measurement) {
  return std::any_of(measurement.steps.begin(), measurement.steps.end(),
                     [](const Step& step) { return is_mask(step); });
}

}  // namespace

Facts facts_of(const Measurement& measurement, const LoadedMeasurement& loaded) {
  const Tensor& values = loaded.picture.values;
  const Tensor numbers = real_numbers(values);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const bool is_empty = numbers.numel() == 0;
  const bool is_list = values.dim() == 2;
  Extents extents = loaded.boxes ? loaded.boxes->extents() : values.sizes().slice(2).vec();
  if (is_list) {  // one row
    extents.assign(loaded.image.size(), 1);
    extents.back() = values.numel();
  }
  Facts facts{.extents = extents,
              .image = loaded.image,
              .first = loaded.first,
              .frame = loaded.frame,
              .channels = is_list ? 1 : values.size(1),
              .samples = loaded.picture.samples,
              .white = loaded.picture.white.value_or(0),
              .smallest = is_empty ? infinity : numbers.min().item<double>(),
              .largest = is_empty ? -infinity : numbers.max().item<double>(),
              .noise = -1,
              .values = static_cast<double>(numbers.numel())};
  const Tensor mask = last_mask(measurement, loaded);
  if (mask.defined()) {
    const double parts = values.is_complex() ? 2 : 1;
    facts.values = parts * (mask > 0).expand(values.sizes()).to(at::kDouble).sum().item<double>();
  }
  if (facts.values > 0) facts.mean = numbers.sum(at::kDouble).item<double>() / facts.values;
  const bool is_wide = *std::min_element(facts.extents.begin(), facts.extents.end()) > 1;
  if (is_wide && !has_mask(measurement)) {
    facts.noise = loaded.boxes ? 0 : estimate_noise(values).item<double>();
    if (measurement.noise.kind == NoiseKind::poisson && facts.largest > 0 && !loaded.boxes) {
      facts.per_count = estimate_gain(values).item<double>();
      facts.dark = estimate_background(values).item<double>();
    }
  }
  if (has_own_unit(measurement.steps)) {
    Extents shape = {1, facts.channels};
    shape.insert(shape.end(), loaded.image.begin(), loaded.image.end());
    const Tensor image = at::zeros(shape, at::kDouble);
    const LinearPhysicsPtr physics = make_operator(measurement, loaded, image);
    facts.gain = std::sqrt(physics->norm_squared(image));
    if (!(facts.gain > 0)) {
      throw error::InvalidArgument(measurement.where + "the operator makes zeros of all images");
    }
  }
  return facts;
}

}  // namespace restore
