// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/run/checkpoint.hpp"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "checkpoint_file.hpp"
#include "state_transfer.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/detail/gather.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/atomic_file.hpp"

namespace tessera {

namespace {

using detail::CheckpointFile;
using Configuration = std::map<std::string, std::string>;

bool exists(const std::string& path) {
  std::error_code failure;
  return std::filesystem::status(path, failure).type() != std::filesystem::file_type::not_found;
}

/// "step was 0.1 and is 0.2, noise was 0 and is not given"; empty if nothing differs.
std::string differences(const Configuration& before, const Configuration& now) {
  Configuration all = before;
  all.insert(now.begin(), now.end());
  const auto value = [](const Configuration& from, const std::string& key) {
    const auto found = from.find(key);
    if (found == from.end()) return std::string("not given");
    return found->second.empty() ? std::string("empty") : found->second;
  };
  std::string text;
  for (const auto& entry : all) {
    const std::string& key = entry.first;
    const std::string was = value(before, key);
    const std::string is = value(now, key);
    if (was == is) continue;
    text += fmt::format("{}{} was {} and is {}", text.empty() ? "" : ", ", key, was, is);
  }
  return text;
}

/// What x is in the file of a run from x0, without values; on the device where it is read.
Tensor expected_in_file(const Tensor& x0, const BoxSpace* space) {
  if (space == nullptr) return at::empty(x0.sizes(), x0.options().device(at::kCPU));
  space->check_own(x0, "Checkpoint.resume: x0");
  Extents shape = x0.sizes().slice(0, 2).vec();
  shape.insert(shape.end(), space->extents().begin(), space->extents().end());
  return at::empty(shape, x0.options().device(at::kMeta));
}

/// Where what the solver keeps for each operator is shared out. Throws error::InvalidArgument
/// unless that is said of all.
void check_spaces(const CheckpointOptions& options, const std::string& measured) {
  if (!options.space || options.measured_spaces.size() == options.held.size()) return;
  throw error::InvalidArgument(fmt::format(
      "Checkpoint: '{}' is kept for each of {} operators on images that are shared out, and "
      "CheckpointOptions::measured_spaces has {} entries, expected one for each",
      measured, options.held.size(), options.measured_spaces.size()));
}

/// Throws error::ShapeMismatch unless the measured tensors in the file are those of `spaces`.
void check_extents(const detail::MeasuredByOperator& measured, const detail::SharedOut& spaces,
                   const std::string& path) {
  for (const auto& [name, list] : measured) {
    for (const auto& [index, tensor] : list) {
      const auto found = spaces.measured.find(index);
      if (found == spaces.measured.end()) continue;  // refused with all operators
      const Extents& extents = found->second->extents();
      if (tensor.dim() == static_cast<std::int64_t>(extents.size()) + 2 &&
          tensor.sizes().slice(2) == at::IntArrayRef(extents)) {
        continue;
      }
      throw error::ShapeMismatch(fmt::format(
          "Checkpoint.resume: '{}' of operator {} in {} is {}, expected (B, C, ...) of extents {}",
          name, index, path, describe(tensor), to_string(extents)));
    }
  }
}

/// Throws unless what the solver keeps for each operator has its place in the file.
void check_measured(const SolverState& state, const CheckpointOptions& options) {
  if (state.measured.empty()) return;
  detail::check_measured(state.measured, options.held);
  check_spaces(options, state.measured.begin()->first);
}

/// Collective where images are shared out: every rank then has its part of every operator's.
void check_same_held(Communicator& ranks, const CheckpointOptions& options) {
  if (options.space) same_on_all_ranks(ranks, "Checkpoint", "held", to_string(options.held));
}

detail::SharedOut spaces_of(const CheckpointOptions& options) {
  detail::SharedOut spaces{.images = options.space, .measured = {}};
  for (std::size_t i = 0; i < options.measured_spaces.size(); ++i) {
    spaces.measured[options.held[i]] = options.measured_spaces[i];
  }
  return spaces;
}

}  // namespace

Checkpoint::Checkpoint(std::string path, CommunicatorPtr ranks, CheckpointOptions options)
    : path_(std::move(path)), ranks_(std::move(ranks)), options_(std::move(options)) {
  if (options_.every < 1) {
    throw error::InvalidArgument(
        fmt::format("Checkpoint: every is {}, expected at least 1", options_.every));
  }
  if (options_.space && options_.space->communicator().size() != ranks_->size()) {
    throw error::InvalidArgument(
        fmt::format("Checkpoint: {} ranks share images out and {} keep the run, expected the same",
                    options_.space->communicator().size(), ranks_->size()));
  }
  const auto& spaces = options_.measured_spaces;
  if (spaces.empty()) return;
  const bool fits = std::all_of(spaces.begin(), spaces.end(), [this](const BoxSpacePtr& each) {
    return each && options_.space && &each->communicator() == &options_.space->communicator();
  });
  if (!fits || spaces.size() != options_.held.size()) {
    throw error::InvalidArgument(
        fmt::format("Checkpoint: measured_spaces has {} entries, expected one for each of {} "
                    "operators held, on the ranks of CheckpointOptions::space",
                    spaces.size(), options_.held.size()));
  }
}

SolverState Checkpoint::resume(const Tensor& x0) {
  CheckpointFile file;
  check_same_held(*ranks_, options_);
  guarded(*ranks_, "Checkpoint.resume", [&] {
    check_image(x0, "Checkpoint.resume: x0");
    if (!ranks_->is_root() || !exists(path_)) return;
    file = detail::read_checkpoint(path_, options_.space != nullptr);
    const std::string differing = differences(file.configuration, options_.configuration);
    if (!differing.empty()) {
      throw error::InvalidArgument(fmt::format(
          "Checkpoint.resume: {} belongs to another run: {}. Go on with the same, or start anew",
          path_, differing));
    }
    check_like(file.state.x, expected_in_file(x0, options_.space.get()),
               fmt::format("Checkpoint.resume: x in {}", path_));
    if (!file.measured.empty()) check_spaces(options_, file.measured.begin()->first);
    check_extents(file.measured, spaces_of(options_), path_);
  });

  return committed(*ranks_, "Checkpoint.resume", [&] {
    Communicator& host = ranks_->control();
    ranks_before_ = static_cast<std::int64_t>(file.observers.size());
    host.broadcast(&ranks_before_, 1, DataType::i64, 0);
    if (ranks_before_ == 0) return SolverState{.x = x0};
    SolverState state = detail::scatter_state(*ranks_, file, options_.held, x0.device(), path_,
                                              spaces_of(options_));
    written_ = state.iterations;
    const auto rank = static_cast<std::size_t>(ranks_->rank());
    const auto all = detail::broadcast_texts(host, std::move(file.observers),
                                             static_cast<std::size_t>(ranks_before_));
    saved_ = rank < all.size() ? all[rank] : std::string();
    return state;
  });
}

void Checkpoint::on_start(const Tensor& x0) {
  check_same_held(*ranks_, options_);
  if (ranks_->is_root()) {
    AtomicFile::remove_leftovers(path_);
    const AtomicFile writable(path_);
  }
  if (options_.observer == nullptr) return;
  options_.observer->on_start(x0);
  if (!saved_.empty()) options_.observer->restore(saved_);
}

void Checkpoint::on_phase_begin(Phase phase) {
  if (options_.observer != nullptr) options_.observer->on_phase_begin(phase);
}

void Checkpoint::on_phase_end(Phase phase) {
  if (options_.observer != nullptr) options_.observer->on_phase_end(phase);
}

Observer::Verdict Checkpoint::on_iteration(const Iteration& iteration) {
  Verdict verdict = Verdict::proceed;
  if (options_.observer != nullptr) verdict = options_.observer->on_iteration(iteration);
  if (iteration.state == nullptr) {
    throw error::InvalidArgument("Checkpoint: the iteration comes without the state of a solver");
  }
  check_measured(*iteration.state, options_);
  if (iteration.state->iterations % options_.every == 0) write(*iteration.state);
  return verdict;
}

void Checkpoint::on_end(const SolveResult& result) {
  if (options_.observer != nullptr) options_.observer->on_end(result);
  if (result.iterations != written_) write(result);
}

std::string Checkpoint::save() const {
  return options_.observer != nullptr ? options_.observer->save() : std::string();
}

void Checkpoint::restore(std::string_view saved) {
  if (options_.observer != nullptr) options_.observer->restore(saved);
}

void Checkpoint::write(const SolverState& state) {
  const std::string mine = guarded(*ranks_, "Checkpoint", [&] {
    check_measured(state, options_);
    return save();
  });
  detail::CheckpointFile file;
  file.state = state;
  file.configuration = options_.configuration;
  file.state.measured.clear();
  committed(*ranks_, "Checkpoint", [&] {
    file.observers = detail::gather_texts(*ranks_, mine);
    file.measured = options_.space
                        ? detail::by_operator(state.measured, options_.held)
                        : detail::gather_measured(*ranks_, state.measured, options_.held);
  });
  if (options_.space || ranks_->is_root()) {
    detail::write_checkpoint(path_, file, spaces_of(options_));
  }
  written_ = state.iterations;
}

}  // namespace tessera
