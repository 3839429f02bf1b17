// SPDX-License-Identifier: BSD-3-Clause
#include "restore/boxed.hpp"

#include <ATen/ops/abs.h>
#include <ATen/ops/le.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "restoration/boxed_parts.hpp"
#include "restoration/sharing.hpp"
#include "restore/add_up.hpp"
#include "restore/at_key.hpp"
#include "restore/motion.hpp"
#include "restore/operators.hpp"
#include "restore/part_reader.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/distributed/boxed_operators.hpp"
#include "tessera/distributed/slab_blur.hpp"

namespace restore {

using namespace tessera;

namespace {

constexpr const char* of_boxes = " with --distribute-image";

[[noreturn]] void refuse_on_boxes(const std::string& where, const std::string& what,
                                  const std::string& instead) {
  throw error::InvalidArgument(where + what + of_boxes + ": " + instead);
}

/// Throws for steps that are not offered.
struct StepCheck {
  void operator()(const BlurStep& /*step*/) const {}
  void operator()(const SpaceVaryingBlurStep& /*step*/) const {}
  void operator()(const MaskStep& /*step*/) const {}
  void operator()(const DownSamplingStep& /*step*/) const {}
  template <typename Other>
  void operator()(const Other& step) const {
    refuse_on_boxes(step.where, "is not offered",
                    "blur, space_varying_blur, down_sampling and mask are");
  }
};

/// Steps one after the other, each on the boxes in which the one before measures.
class BoxedChain final : public LinearPhysics {
 public:
  explicit BoxedChain(std::vector<LinearPhysicsPtr> steps) : steps_(std::move(steps)) {}

  std::string name() const override { return "boxed_chain"; }
  Communicator& communicator() const override { return steps_.front()->communicator(); }
  const ImageSpace& space() const override { return steps_.front()->space(); }

 private:
  TensorList do_forward(const Tensor& x) const override {
    TensorList y = {x};
    for (const LinearPhysicsPtr& step : steps_) y = step->forward(y.front());
    return y;
  }
  Tensor do_adjoint(const TensorList& v) const override {
    Tensor x = v.front();
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) x = (*step)->adjoint({x});
    return x;
  }

  std::vector<LinearPhysicsPtr> steps_;
};

/// Makes the operator of a step on boxes. Collective.
struct BoxedStepMaker {
  Tensor& part;  ///< the kernel; of a mask read here
  const BoxSpacePtr& space;

  template <typename Work>
  auto locally(const std::string& where, Work&& work) const {
    return guarded(space->communicator(), program,
                   [&] { return at_key(where, std::forward<Work>(work)); });
  }

  restoration::SharedOperator operator()(const BlurStep& step) const {
    return locally(step.where, [&] { return restoration::shared_blur(space, part, step.border); });
  }
  restoration::SharedOperator operator()(const SpaceVaryingBlurStep& step) const {
    return placed(boxed_space_varying_blur(space, part, step.border));
  }
  restoration::SharedOperator operator()(const DownSamplingStep& step) const {
    return locally(step.where, [&] {
      return placed(boxed_downsampling(space, step.factor, kernel_of(step), Padding::circular));
    });
  }
  restoration::SharedOperator operator()(const MaskStep& step) const {
    part = locally(step.where, [&] { return read_mask_window(step.file, space->local()); });
    return placed(boxed_mask(space, part));
  }
  template <typename Other>
  restoration::SharedOperator operator()(const Other& step) const {
    StepCheck{}(step);  // throws
    return {};
  }

  static restoration::SharedOperator placed(const BoxedOperatorPtr& boxed) {
    return {boxed, boxed, boxed->measured_space()};
  }
};

/// Collective. estimate_noise() of an image that ranks share out, to the bit: the median is found
/// by halving the interval that it is in, of magnitudes' bits, which are ordered as they are.
double noise_on_boxes(const BoxSpace& space, const Tensor& own) {
  constexpr double median_of_normal = 0.67448975019608171;
  Communicator& ranks = space.communicator();
  const auto axes = space.extents().size();
  Tensor difference = space.with_halo(own, {Extents(axes, 0), Extents(axes, 1)}, Padding::valid);
  for (std::int64_t axis = 2; axis < difference.dim(); ++axis) {
    const std::int64_t last = std::max<std::int64_t>(difference.size(axis) - 1, 0);
    difference = (difference.narrow(axis, difference.size(axis) - last, last) -
                  difference.narrow(axis, 0, last)) /
                 std::sqrt(2.0);
  }
  const Tensor magnitudes = at::abs(difference).to(at::kDouble);
  auto values = static_cast<double>(magnitudes.numel());
  double largest = magnitudes.numel() == 0 ? 0 : magnitudes.max().item<double>();
  add_up(ranks, {&values, 1});
  add_up(ranks, {&largest, 1}, Reduction::max);
  const double rank_of_median = std::floor((values - 1) / 2) + 1;
  auto below = std::int64_t{-1};
  auto median = std::bit_cast<std::int64_t>(largest);
  while (median - below > 1) {
    const std::int64_t middle = below + (median - below) / 2;
    const auto bound = std::bit_cast<double>(middle);
    double count = at::le(magnitudes, bound).sum().item<double>();
    add_up(ranks, {&count, 1});
    (count >= rank_of_median ? median : below) = middle;
  }
  return std::bit_cast<double>(median) / median_of_normal;
}

/// Boxes begin and end at multiples of this where the prior splits them into halves.
std::int64_t multiple_of_prior(const Config& config, const Extents& image) {
  if (config.prior.name != PriorName::wavelet) return 1;
  Extents shape = {1, 1};
  shape.insert(shape.end(), image.begin(), image.end());
  return std::int64_t{1} << restoration::wavelet_levels(shape);
}

/// Where boxes are counted from along an axis: a multiple of the prior's, and of the down-sampling
/// before the frame, which a valid blur makes begin at `first`.
std::int64_t origin_of_boxes(const Config& config, std::int64_t first, std::int64_t sampling,
                             std::int64_t multiple) {
  for (std::int64_t origin = first; origin > first - sampling * multiple; origin -= sampling) {
    if (origin % multiple == 0) return origin;
  }
  refuse_on_boxes(
      config.prior.where,
      fmt::format("wavelet halves boxes at multiples of {}, and down_sampling by {} behind a blur "
                  "that sees {} pixels beyond has none there, not offered",
                  multiple, sampling, first),
      "give tv, or a kernel of another size");
}

}  // namespace

void check_on_boxes(const Config& config) {
  for (const Measurement& measurement : config.measurements) {
    for (const Step& step : measurement.steps) std::visit(StepCheck{}, step);
  }
  at_key(config.output_where + ": ", [&] { check_output_of_boxes(config.output); });
}

PlanRow row_of_boxes(const BoxSpace& space) {
  return {"boxes",
          fmt::format("{}, the largest {}", size_words(space.grid()),
                      size_words(restoration::largest_of(space.boxes()))),
          "one for each rank"};
}

BoxSpacePtr boxes_of_image(const Config& config,
                           const std::map<std::int64_t, LoadedMeasurement>& outlines,
                           const CommunicatorPtr& world) {
  const Extents& image = outlines.at(0).image;
  const std::int64_t sampling = guarded(*world, program, [&] {
    std::int64_t common = 1;
    for (const auto& [index, outline] : outlines) {
      const Measurement& each = config.measurements[static_cast<std::size_t>(index)];
      if (outline.image != image) {
        throw error::InvalidArgument(
            fmt::format("{}{}: its operator sees an image of {}, but measurement 1 one of {}",
                        each.where, each.file, size_words(outline.image), size_words(image)));
      }
      std::int64_t factor = 1;
      for (const Step& step : each.steps) {
        if (const auto* sampling = std::get_if<DownSamplingStep>(&step)) factor *= sampling->factor;
      }
      common = std::lcm(common, factor);
    }
    return common;
  });
  const Extents& first = outlines.at(0).first;
  const Extents& frame = outlines.at(0).frame;
  const std::int64_t multiple = multiple_of_prior(config, image);
  const Extents origin = guarded(*world, program, [&] {
    Extents found;
    for (const std::int64_t each : first) {
      found.push_back(origin_of_boxes(config, each, sampling, multiple));
    }
    return found;
  });
  const BoxSpace frames(world, frame, BoxSpaceOptions{.alignment = std::lcm(sampling, multiple)});
  std::vector<Box> boxes = frames.boxes();
  for (Box& box : boxes) {
    for (std::size_t axis = 0; axis < box.axes.size(); ++axis) {
      Interval& along = box.axes[axis];
      along.end = along.end == frame[axis] ? image[axis] : along.end + origin[axis];
      along.begin = along.begin == 0 ? 0 : along.begin + origin[axis];
    }
  }
  return std::make_shared<BoxSpace>(frames, image, std::move(boxes));
}

LinearPhysicsPtr load_on_boxes(const Measurement& measurement, LoadedMeasurement& loaded,
                               const BoxSpacePtr& image) {
  loaded.boxes = image;
  std::vector<LinearPhysicsPtr> steps;
  const auto move = [&](const DownSamplingStep& step) {
    const std::vector<double> motion = motion_of(step);
    if (motion.empty()) return;
    steps.push_back(guarded(image->communicator(), program,
                            [&] { return slab_translation(loaded.boxes, motion); }));
  };
  const DownSamplingStep* const first = first_motion(measurement.steps);
  if (first != nullptr) move(*first);
  for (std::size_t i = 0; i < measurement.steps.size(); ++i) {
    const auto* sampling = std::get_if<DownSamplingStep>(&measurement.steps[i]);
    if (sampling != nullptr && sampling != first) move(*sampling);
    const restoration::SharedOperator one =
        std::visit(BoxedStepMaker{loaded.parts[i], loaded.boxes}, measurement.steps[i]);
    steps.push_back(one.physics);
    loaded.boxes = one.measured;
  }
  guarded(image->communicator(), program, [&] { load_part(measurement, loaded); });
  if (steps.empty()) {  // a blur by one pixel, as make_operator() has it
    const Extents one(image->extents().size() + 2, 1);
    steps.push_back(
        restoration::shared_blur(image, at::ones(one, at::kDouble), Padding::circular).physics);
  }
  return steps.size() == 1 ? steps.front() : std::make_shared<BoxedChain>(std::move(steps));
}

Facts facts_on_boxes(const Measurement& measurement, const LoadedMeasurement& loaded) {
  Communicator& ranks = loaded.boxes->communicator();
  Facts facts = guarded(ranks, program, [&] { return facts_of(measurement, loaded); });
  std::array<double, 2> bounds = {facts.largest, -facts.smallest};
  std::array<double, 2> sums = {facts.mean * facts.values, facts.values};
  add_up(ranks, bounds, Reduction::max);
  add_up(ranks, sums);
  facts.largest = bounds[0];
  facts.smallest = -bounds[1];
  facts.values = sums[1];
  guarded(ranks, program, [&] {
    if (facts.values > 0) return;
    throw error::InvalidArgument(measurement.where + "the mask is 0 everywhere");
  });
  facts.mean = sums[0] / sums[1];
  if (facts.noise == 0) facts.noise = noise_on_boxes(*loaded.boxes, loaded.picture.values);
  return facts;
}

ImagePart frame_on_boxes(const Plan& plan, const BoxSpace& space, const Tensor& own) {
  std::vector<Box> boxes = space.boxes();
  for (Box& box : boxes) {
    for (std::size_t axis = 0; axis < box.axes.size(); ++axis) {
      for (std::int64_t* end : {&box.axes[axis].begin, &box.axes[axis].end}) {
        *end = std::clamp<std::int64_t>(*end - plan.first[axis], 0, plan.frame[axis]);
      }
    }
  }
  const auto frame = std::make_shared<BoxSpace>(space, plan.frame, std::move(boxes));
  Box mine = frame->local();
  for (std::size_t axis = 0; axis < mine.axes.size(); ++axis) {
    mine.axes[axis].begin += plan.first[axis];
    mine.axes[axis].end += plan.first[axis];
    if (mine.axes[axis].length() == 0)
      mine.axes[axis] = {space.local().axes[axis].begin, space.local().axes[axis].begin};
  }
  return {part_of(own, space.local(), mine), frame};
}

}  // namespace restore
