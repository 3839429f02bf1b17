// SPDX-License-Identifier: BSD-3-Clause
#include "restore/run.hpp"

#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "restoration/networks.hpp"
#include "restoration/outcome.hpp"
#include "restoration/sharing.hpp"
#include "restoration/starting_point.hpp"
#include "restore/kept_run.hpp"
#include "restore/report.hpp"
#include "restore/weight_search.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/host.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/core/real_dot.hpp"
#include "tessera/denoiser/adapted.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/io/digest.hpp"
#include "tessera/metric/whiteness.hpp"
#include "tessera/physics/algebra.hpp"
#include "tessera/physics/noise.hpp"
#include "tessera/prior/ridge_denoiser.hpp"
#include "tessera/run/progress.hpp"

namespace restore {

using namespace tessera;
using restoration::SolverKind;

namespace {

constexpr const char* program = "tessera_restore";

/// Tiles of every run, so that the number of ranks changes nothing; smaller images have none.
constexpr std::int64_t tile_side = 512;

/// All that a run reads, on one rank.
struct Inputs {
  Config config;
  std::map<std::int64_t, LoadedMeasurement> held;  ///< by index
  Plan plan;
  LinearPhysicsPtr physics;
  TensorList measured;  ///< of the held ones, in intensities, scaled
};

/// Facts as numbers, for ranks to add up: those of the others are 0.
constexpr std::size_t numbers_of_facts = 22;
constexpr std::size_t most_axes = 3;

std::vector<double> packed(const Facts& facts) {
  std::vector<double> numbers = {static_cast<double>(facts.extents.size())};
  for (const Extents* each : {&facts.extents, &facts.image, &facts.first, &facts.frame}) {
    numbers.insert(numbers.end(), each->begin(), each->end());
    numbers.insert(numbers.end(), most_axes - each->size(), 0.0);
  }
  numbers.insert(numbers.end(), {static_cast<double>(facts.channels),
                                 static_cast<double>(facts.samples), facts.white, facts.smallest,
                                 facts.largest, facts.mean, facts.noise, facts.values, facts.gain});
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
          .gain = rest[8]};
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
  committed(world, program, [&] {
    world.control().all_reduce(numbers.data(), static_cast<std::int64_t>(numbers.size()),
                               DataType::f64, Reduction::sum);
  });
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

/// Reads, checks and settles everything. Collective; all ranks throw together.
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
  guarded(*world, program, [&] {
    for (const std::int64_t index : Partition::block(count, world->size()).of(world->rank())) {
      inputs.held.emplace(index, load(measurement(index)));
    }
  });
  const std::vector<Facts> facts = facts_of_all(inputs, *world);
  const Tensor image = guarded(*world, program, [&] {
    inputs.plan = make_plan(inputs.config, facts);
    at_key(inputs.config.output_where + ": ",
           [&] { check_output(inputs.config.output, inputs.plan.samples, inputs.plan.image); });
    check_is_no_input(inputs.config);
    if (!inputs.config.report.empty()) {
      at_key(inputs.config.report_where + ": ", [&] { check_report(inputs.config.report); });
    }
    return at::zeros(inputs.plan.image, inputs.plan.type);
  });
  inputs.physics = restoration::make_physics(
      world->size() > 1, count,
      [&](std::int64_t index) {
        const LinearPhysicsPtr made =
            make_operator(measurement(index), inputs.held.at(index), image);
        const double scale = inputs.plan.scales[static_cast<std::size_t>(index)];
        return scale == 1 ? made : weighted(made, scale);
      },
      world);
  guarded(*world, program, [&] {
    for (const std::int64_t index : inputs.physics->held()) {
      inputs.measured.push_back(scaled_measurement(inputs.plan, index, inputs.held.at(index)));
    }
  });
  return inputs;
}

/// The prior's denoiser, tiled where the image is large.
DenoiserPtr make_denoiser(const Inputs& inputs, const CommunicatorPtr& world) {
  const std::int64_t channels = inputs.plan.image[1];
  const bool is_colour = channels == 3;
  std::string weights = inputs.config.prior.weights;
  const auto kind = inputs.plan.prior == PriorName::dncnn    ? restoration::DenoiserKind::dncnn
                    : inputs.plan.prior == PriorName::drunet ? restoration::DenoiserKind::drunet
                                                             : restoration::DenoiserKind::tv;
  DenoiserPtr denoiser = guarded(*world, program, [&] {
    return at_key(inputs.config.prior.where, [&] {
      const DenoiserPtr made = restoration::make_denoiser(
          kind, weights, at::kCPU,
          is_colour ? DefaultWeights::drunet : DefaultWeights::drunet_grey);
      const bool is_network = kind != restoration::DenoiserKind::tv;
      const DenoiserPtr each = is_network && !is_colour && channels > 1 ? channelwise(made) : made;
      return is_network ? in_float32(each) : each;
    });
  });
  const std::int64_t rows = inputs.plan.image[2];
  const std::int64_t columns = inputs.plan.image[3];
  if (std::max(rows, columns) <= tile_side) return denoiser;
  const TilingOptions tiling{.tiling = Tiling::fixed,
                             .patch = std::min({tile_side, rows, columns})};
  return std::make_shared<TiledDenoiser>(denoiser, world, tiling);
}

/// What the prior ridge is made of; whole on every rank.
DenoiserPtr make_ridge(const Inputs& inputs, Communicator& world) {
  return guarded(world, program, [&] {
    return at_key(inputs.config.prior.where, [&] {
      const auto dimensions = static_cast<std::int64_t>(inputs.plan.image.size()) - 2;
      std::string weights = inputs.config.prior.weights;
      if (weights.empty()) {
        weights = default_weights(dimensions == 3 ? DefaultWeights::ridge_volume
                                                  : DefaultWeights::ridge_grey);
      }
      const auto made = std::dynamic_pointer_cast<const RidgeDenoiser>(
          restoration::make_denoiser(restoration::DenoiserKind::ridge, weights, at::kCPU));
      if (made->prior().dimensions() == dimensions) return made;
      throw error::InvalidArgument(fmt::format("{}: is for images of {} dimensions, expected {}",
                                               weights, made->prior().dimensions(), dimensions));
    });
  });
}

/// The number of a checkpoint in which a weight is that the run has found.
constexpr const char* weight_number = "restore.prior_weight";

/// One way to restore: fidelity and prior with their solver, for any weight of the prior.
class Restorer {
 public:
  Restorer(Inputs& inputs, const RunOrders& orders, const CommunicatorPtr& world)
      : inputs_(inputs), world_(world), shows_progress_(world->is_root() && !orders.quiet) {
    const restoration::Method& method = inputs.plan.method;
    const Tensor image = at::zeros(inputs.plan.image, inputs.plan.type);
    fidelity_ = fidelity_of(inputs.measured);
    if (method.prior == restoration::PriorKind::pnp && inputs.plan.prior != PriorName::none) {
      denoiser_ = make_denoiser(inputs, world);
    }
    if (method.prior == restoration::PriorKind::ridge) denoiser_ = make_ridge(inputs, *world);
    norm_squared_ = inputs.physics->norm_squared(image);
    start_ = restoration::mean_of_measurements(*inputs.physics, inputs.measured, image);
    start_ = clamped(start_, method.range);
    if (method.solver == SolverKind::mlem) start_ = start_.clamp_min(1e-3);  // what is 0 stays 0
    from_ = {.x = start_};
    if (!orders.keeps_checkpoint()) return;
    kept_.emplace(orders, inputs.config, *inputs.physics, world);
    from_ = kept_->begin(start_);
  }

  /// Collective. Where a rule is to find the weight.
  std::optional<FoundWeight> find_weight() {
    Plan& plan = inputs_.plan;
    if (!plan.rule) return std::nullopt;
    if (const auto before = from_.numbers.find(weight_number); before != from_.numbers.end()) {
      plan.weight() = before->second;
      return std::nullopt;
    }
    const auto restored_with = [&](double weight) {
      plan.weight() = weight;
      return solve({.x = start_}).x;
    };
    const auto search =
        *plan.rule == WeightRule::discrepancy ? find_weight_of_misfit : find_weight_of_least;
    const FoundWeight found = search(plan.weight(), [&](double weight) {
      const Tensor x = restored_with(weight);
      const double value = *plan.rule == WeightRule::whiteness ? correlation(x)
                           : *plan.rule == WeightRule::risk    ? misfit(x) + 2 * fitted_share(x)
                                                               : misfit(x);
      trials_.emplace_back(weight, value);
      return value;
    });
    plan.weight() = found.weight;
    from_.numbers[weight_number] = found.weight;
    return found;
  }

  SolveResult restore() {
    std::vector<std::reference_wrapper<Observer>> observers;
    if (kept_) observers = kept_->observers();
    Progress progress(inputs_.plan.method.iterations);
    if (shows_progress_) observers.emplace_back(progress);
    return solve(from_, std::move(observers));
  }

  /// Relative changes of the iterations of the last restoration.
  const std::vector<double>& changes() const { return changes_; }
  /// Weights that find_weight() has tried, and what its rule looks at.
  const std::vector<std::pair<double, double>>& trials() const { return trials_; }

  /// The squared residuals of an image over what the noise makes of them: 1 if it fits.
  double misfit(const Tensor& x) const {
    const restoration::Method& method = inputs_.plan.method;
    const bool is_scaled = method.fidelity == restoration::FidelityKind::poisson ||
                           (method.solver != SolverKind::dpir && method.solver != SolverKind::pnp);
    const double variance = is_scaled ? 1 : std::pow(method.noise_level, 2);
    return 2 * fidelity_->value(x) / (variance * inputs_.plan.values);
  }

  /// Of each measurement that this rank holds: what an image leaves of it, over the standard
  /// deviation of its noise.
  TensorList residuals(const Tensor& x) const {
    TensorList residuals = inputs_.physics->forward(x);
    for (std::size_t i = 0; i < residuals.size(); ++i) {
      const Tensor expected = residuals[i] + background();
      residuals[i] = (inputs_.measured[i] - expected) / level_at(expected);
    }
    return residuals;
  }

  /// Collective. The mean over the measurements of the energy of their residuals' correlations.
  double correlation(const Tensor& x) const {
    double sum = 0;
    guarded(*world_, program, [&] {
      for (const Tensor& each : residuals(x)) sum += autocorrelation_energy(each).item<double>();
    });
    return over_ranks(sum) / static_cast<double>(inputs_.config.measurements.size());
  }

  /// Collective. How many degrees of freedom the image has taken from the measurements, per value:
  /// misfit() and twice this are an unbiased estimate of how well the noise-free measurements are
  /// predicted (Stein, Ann. Statist. 9, 1981). By the change of what the image predicts with
  /// measurements that are moved by a random part of their noise (Ramani, Blu and Unser, IEEE
  /// Trans. Image Process. 17, 2008). `x` is what solve() makes with this weight.
  double fitted_share(const Tensor& x) {
    constexpr double part = 0.02;
    TensorList moves;
    const TensorList measured = inputs_.measured;
    TensorList moved;
    guarded(*world_, program, [&] {
      for (std::size_t i = 0; i < measured.size(); ++i) {
        const auto seed = static_cast<std::uint64_t>(inputs_.physics->held()[i]);
        const Tensor noise = GaussianNoise(part, seed).add(at::zeros_like(measured[i]));
        moved.push_back(measured[i] + noise * level_at(measured[i]));
        if (is_counted()) moved.back().clamp_min_(0);
        moves.push_back((moved.back() - measured[i]) / level_at(measured[i]));
      }
    });
    const DataFidelityPtr fidelity = std::exchange(fidelity_, fidelity_of(moved));
    const Tensor other = solve({.x = start_}).x;
    fidelity_ = fidelity;
    double sum = 0;
    double squares = 0;
    const TensorList predicted = inputs_.physics->forward(x);
    const TensorList others = inputs_.physics->forward(other);
    for (std::size_t i = 0; i < moves.size(); ++i) {
      sum += real_dot(moves[i], (others[i] - predicted[i]) / level_at(measured[i]));
      squares += real_dot(moves[i], moves[i]);
    }
    return over_ranks(sum) / over_ranks(squares);
  }

 private:
  bool is_counted() const {
    return inputs_.plan.method.fidelity == restoration::FidelityKind::poisson;
  }
  double background() const { return is_counted() ? inputs_.plan.method.background : 0.0; }

  /// The standard deviation of the noise of these values; of none less than that of one count.
  Tensor level_at(const Tensor& values) const {
    const double level = inputs_.plan.method.noise_level;
    if (!is_counted()) return at::full({}, level, values.options());
    return level * values.clamp_min(level * level).sqrt();
  }

  DataFidelityPtr fidelity_of(const TensorList& measured) const {
    return restoration::make_fidelity(inputs_.plan.method, inputs_.physics, measured,
                                      at::zeros(inputs_.plan.image, inputs_.plan.type));
  }

  double over_ranks(double sum) const {
    if (world_->size() > 1) {
      committed(*world_, program,
                [&] { world_->control().all_reduce(&sum, 1, DataType::f64, Reduction::sum); });
    }
    return sum;
  }

  SolveResult solve(const SolverState& from,
                    std::vector<std::reference_wrapper<Observer>> observers = {}) {
    const restoration::Method& method = inputs_.plan.method;
    // Without a prior any will do: nobody asks it.
    const PriorPtr prior = restoration::make_prior(
        method, denoiser_ ? denoiser_ : std::make_shared<TotalVariation>(), inputs_.plan.image);
    const auto solver =
        restoration::make_solver(method, *fidelity_, *prior, 1.6 / norm_squared_, norm_squared_);
    changes_.clear();
    ObserverFunction keeps_changes(
        [&](const Iteration& iteration) { changes_.push_back(iteration.relative_change); });
    observers.emplace_back(keeps_changes);
    ObserverList all(std::move(observers));
    return solver->solve(from, all);
  }

  Inputs& inputs_;
  CommunicatorPtr world_;
  bool shows_progress_;
  DataFidelityPtr fidelity_;
  DenoiserPtr denoiser_;
  double norm_squared_ = 0;
  Tensor start_;
  SolverState from_;  // where restore() begins: start_, or a checkpoint
  std::optional<KeptRun> kept_;
  std::vector<double> changes_;
  std::vector<std::pair<double, double>> trials_;
};

/// The frame of an image, in units of the files.
Tensor framed(const Plan& plan, const Tensor& x) {
  Tensor frame = clamped(x, plan.method.range);
  for (std::size_t axis = 0; axis < plan.frame.size(); ++axis) {
    frame = frame.narrow(static_cast<std::int64_t>(axis) + 2, plan.first[axis], plan.frame[axis]);
  }
  return frame * plan.white;
}

/// Collective. The report of a run that is done; `x` is what it solved for.
void report(const Inputs& inputs, const Restorer& restorer, const Tensor& x, const Outcome& outcome,
            Communicator& world) {
  Remains remains{.held = inputs.held, .residuals = {}};
  guarded(world, program, [&] {
    const TensorList residuals = restorer.residuals(x);
    for (std::size_t i = 0; i < residuals.size(); ++i) {
      remains.residuals.emplace(inputs.physics->held()[i], residuals[i]);
    }
  });
  write_report(inputs.config, inputs.plan, outcome, remains, world);
}

}  // namespace

int run(const RunOrders& orders, const CommunicatorPtr& world) {
  const c10::InferenceMode no_gradients;
  share_cores(*world, orders.threads);
  Inputs inputs;
  try {
    inputs = read_inputs(orders, world);
  } catch (const error::Communication&) {
    throw;
  } catch (const error::RankFailure& failure) {
    // Begins with the program's name.
    if (failure.rank() == world->rank()) fmt::print(stderr, "{}\n", failure.what());
    return wrong_input_code;
  } catch (const error::Error& failure) {  // of the only rank
    fmt::print(stderr, "{}: {}\n", program, failure.what());
    return wrong_input_code;
  }
  const bool tells = world->is_root() && !orders.quiet;
  if (tells || (orders.dry_run && world->is_root())) fmt::print("{}", table_of(inputs.plan));
  if (orders.dry_run) return 0;

  Restorer restorer(inputs, orders, world);
  const auto found = restorer.find_weight();
  if (found && tells) {
    fmt::print("prior weight {:.4g} after {} trials{}\n", found->weight, found->trials,
               found->fits ? ""
               : *inputs.plan.rule == WeightRule::discrepancy
                   ? ", none of which leaves residuals as large as the noise"
                   : ", none of which is better than its neighbours");
  }
  const SolveResult result = restorer.restore();
  if (result.iterations == 0) {
    if (world->is_root()) {
      fmt::print(stderr, "{}: the first iteration is not finite, although the data are\n", program);
    }
    return 1;
  }
  if (result.reason == StopReason::observer && result.iterations < inputs.plan.method.iterations) {
    if (world->is_root()) {
      fmt::print(stderr,
                 "{}: stopped by a signal after iteration {}; the same command with --resume goes "
                 "on from {}\n",
                 program, result.iterations, checkpoint_path(inputs.config.output));
    }
    return restoration::interrupted_code;
  }
  const double misfit = restorer.misfit(result.x);
  guarded(*world, program, [&] {
    if (!world->is_root()) return;
    write_picture(inputs.config.output, framed(inputs.plan, result.x), inputs.plan.samples,
                  inputs.held.at(0).picture);
  });
  if (!inputs.config.report.empty()) {
    report(inputs, restorer, result.x,
           {.restored = framed(inputs.plan, result.x),
            .misfit = misfit,
            .elapsed_s = result.elapsed_s,
            .changes = restorer.changes(),
            .found = found,
            .trials = restorer.trials()},
           *world);
  }
  constexpr double poor = 1.5;
  if (world->is_root() && misfit > poor) {
    fmt::print(stderr,
               "{}: warning: squared residuals are {:.3g} times what the noise makes of them: an "
               "operator or a noise level is not that of the measurements\n",
               program, misfit);
  }
  if (tells) {
    fmt::print("{}: {} iterations in {:.1f} s, residuals {:.2f} of the noise; {}\n",
               settings::name_of(inputs.plan.method.solver), result.iterations, result.elapsed_s,
               std::sqrt(misfit), inputs.config.output);
  }
  return 0;
}

}  // namespace restore
