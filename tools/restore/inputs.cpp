// SPDX-License-Identifier: BSD-3-Clause
#include "restore/inputs.hpp"

#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "restoration/sharing.hpp"
#include "restore/add_up.hpp"
#include "restore/at_key.hpp"
#include "restore/boxed.hpp"
#include "restore/operators.hpp"
#include "restore/report.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/partition.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/io/digest.hpp"
#include "tessera/physics/algebra.hpp"

namespace restore {

using namespace tessera;

namespace {

/// Facts as numbers, for ranks to add up: those of the others are 0.
constexpr std::size_t numbers_of_facts = 24;
constexpr std::size_t most_axes = 3;

std::vector<double> packed(const Facts& facts) {
  std::vector<double> numbers = {static_cast<double>(facts.extents.size())};
  for (const Extents* each : {&facts.extents, &facts.image, &facts.first, &facts.frame}) {
    numbers.insert(numbers.end(), each->begin(), each->end());
    numbers.insert(numbers.end(), most_axes - each->size(), 0.0);
  }
  numbers.insert(numbers.end(),
                 {static_cast<double>(facts.channels), static_cast<double>(facts.samples),
                  facts.white, facts.smallest, facts.largest, facts.mean, facts.noise, facts.values,
                  facts.per_count, facts.dark, facts.gain});
  return numbers;
}

Facts unpacked(const double* numbers) {
  const auto extents = [&](std::size_t which) {
    const double* const from = numbers + 1 + which * most_axes;
    Extents result;
    for (std::size_t axis = 0; axis < static_cast<std::size_t>(*numbers); ++axis) {
      result.push_back(static_cast<std::int64_t>(from[axis]));
    }
    return result;
  };
  const double* const rest = numbers + 1 + 4 * most_axes;
  return {.extents = extents(0),
          .image = extents(1),
          .first = extents(2),
          .frame = extents(3),
          .channels = static_cast<std::int64_t>(rest[0]),
          .samples = static_cast<Samples>(static_cast<int>(rest[1])),
          .white = rest[2],
          .smallest = rest[3],
          .largest = rest[4],
          .mean = rest[5],
          .noise = rest[6],
          .values = rest[7],
          .per_count = rest[8],
          .dark = rest[9],
          .gain = rest[10]};
}

/// Of all measurements, from the ranks that hold them.
std::vector<Facts> facts_of_all(const Inputs& inputs, Communicator& world) {
  const std::size_t count = inputs.config.measurements.size();
  std::vector<double> numbers(count * numbers_of_facts, 0.0);
  guarded(world, program, [&] {
    for (const auto& [index, loaded] : inputs.held) {
      const auto i = static_cast<std::size_t>(index);
      const auto mine = packed(facts_of(inputs.config.measurements[i], loaded));
      std::copy(mine.begin(), mine.end(),
                numbers.begin() + static_cast<std::ptrdiff_t>(i * numbers_of_facts));
    }
  });
  add_up(world, numbers);
  std::vector<Facts> facts;
  for (std::size_t i = 0; i < count; ++i) {
    facts.push_back(unpacked(numbers.data() + i * numbers_of_facts));
  }
  return facts;
}

/// A result does not replace what it was made of.
void check_is_no_input(const Config& config) {
  for (const Measurement& each : config.measurements) {
    std::error_code failed;
    if (!std::filesystem::equivalent(config.output, each.file, failed)) continue;
    throw error::InvalidArgument(fmt::format("{}{}: is a measurement, which would be overwritten",
                                             config.output_where + ": ", config.output));
  }
}

/// (y - b) / white, scaled as the plan says, in its precision.
Tensor scaled_measurement(const Plan& plan, std::int64_t index, const LoadedMeasurement& loaded) {
  const auto i = static_cast<std::size_t>(index);
  const auto type_of = [&](at::ScalarType type) {
    return loaded.picture.values.is_complex() ? c10::toComplexType(type) : type;
  };
  const Tensor values = loaded.picture.values.to(type_of(at::kDouble)) - plan.subtracted[i];
  return (values * (plan.scales[i] / plan.white)).to(type_of(plan.type));
}

}  // namespace

Inputs read_inputs(const RunOrders& orders, const CommunicatorPtr& world) {
  Inputs inputs;
  const std::string digest = guarded(*world, program, [&] {
    inputs.config = read_config(orders.config);
    if (!orders.output.empty()) {
      inputs.config.output = orders.output;
      inputs.config.output_where = "--output";
    }
    if (!orders.report.empty()) {
      inputs.config.report = orders.report;
      inputs.config.report_where = "--report";
    }
    return digest_of_file(orders.config);
  });
  same_on_all_ranks(*world, program, "the digest of the file of --config", digest);

  const auto count = static_cast<std::int64_t>(inputs.config.measurements.size());
  const auto measurement = [&](std::int64_t index) -> const Measurement& {
    return inputs.config.measurements[static_cast<std::size_t>(index)];
  };
  const bool is_boxed = orders.distribute_image;
  guarded(*world, program, [&] {
    if (is_boxed) check_on_boxes(inputs.config);
    const Partition shares = Partition::block(count, is_boxed ? 1 : world->size());
    for (const std::int64_t index : shares.of(is_boxed ? 0 : world->rank())) {
      inputs.held.emplace(index,
                          is_boxed ? load_outline(measurement(index)) : load(measurement(index)));
    }
  });
  std::vector<LinearPhysicsPtr> boxed;
  std::vector<Facts> facts;
  if (is_boxed) {
    inputs.space = boxes_of_image(inputs.config, inputs.held, world);
    for (auto& [index, loaded] : inputs.held) {
      boxed.push_back(load_on_boxes(measurement(index), loaded, inputs.space));
      facts.push_back(facts_on_boxes(measurement(index), loaded));
    }
  } else {
    facts = facts_of_all(inputs, *world);
  }
  guarded(*world, program, [&] {
    inputs.plan = make_plan(inputs.config, facts);
    if (is_boxed) {
      inputs.plan.rows.insert(inputs.plan.rows.begin() + 1, row_of_boxes(*inputs.space));
    }
    at_key(inputs.config.output_where + ": ",
           [&] { check_output(inputs.config.output, inputs.plan.samples, inputs.plan.image); });
    check_is_no_input(inputs.config);
    if (!inputs.config.report.empty()) {
      at_key(inputs.config.report_where + ": ", [&] { check_report(inputs.config.report); });
    }
    Extents shape = inputs.plan.image;
    for (std::size_t axis = 0; is_boxed && axis + 2 < shape.size(); ++axis) {
      shape[axis + 2] = inputs.space->local().axes[axis].length();
    }
    inputs.image = at::zeros(shape, inputs.plan.type);
  });
  inputs.physics = restoration::make_physics(
      world->size() > 1 && !is_boxed, count,
      [&](std::int64_t index) {
        const LinearPhysicsPtr made =
            is_boxed ? boxed[static_cast<std::size_t>(index)]
                     : make_operator(measurement(index), inputs.held.at(index), inputs.image);
        const double scale = inputs.plan.scales[static_cast<std::size_t>(index)];
        return scale == 1 ? made : weighted(made, scale);
      },
      world);
  guarded(*world, program, [&] {
    for (const std::int64_t index : inputs.physics->held()) {
      inputs.measured.push_back(scaled_measurement(inputs.plan, index, inputs.held.at(index)));
    }
  });
  // Boxes that are too small for a kernel are found out now.
  if (is_boxed) inputs.physics->forward(inputs.image);
  return inputs;
}

}  // namespace restore
