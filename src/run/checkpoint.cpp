// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/run/checkpoint.hpp"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <filesystem>
#include <vector>

#include "checkpoint_file.hpp"
#include "state_transfer.hpp"
#include "tessera/comm/agreement.hpp"
#include "tessera/comm/detail/gather.hpp"
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
}

SolverState Checkpoint::resume(const Tensor& x0) {
  CheckpointFile file;
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
  });

  return committed(*ranks_, "Checkpoint.resume", [&] {
    Communicator& host = ranks_->control();
    ranks_before_ = static_cast<std::int64_t>(file.observers.size());
    host.broadcast(&ranks_before_, 1, DataType::i64, 0);
    if (ranks_before_ == 0) return SolverState{.x = x0};
    SolverState state = detail::scatter_state(*ranks_, file, options_.held, x0.device(), path_,
                                              options_.space.get());
    written_ = state.iterations;
    const auto rank = static_cast<std::size_t>(ranks_->rank());
    const auto all = detail::broadcast_texts(host, std::move(file.observers),
                                             static_cast<std::size_t>(ranks_before_));
    saved_ = rank < all.size() ? all[rank] : std::string();
    return state;
  });
}

void Checkpoint::on_start(const Tensor& x0) {
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
  detail::check_measured(iteration.state->measured, options_.held);
  if (options_.space && !iteration.state->measured.empty()) {
    throw error::InvalidArgument(
        fmt::format("Checkpoint: the solver keeps '{}' for each operator, which has no place in a "
                    "checkpoint of "
                    "images that are shared out",
                    iteration.state->measured.begin()->first));
  }
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
  const std::string mine = guarded(*ranks_, "Checkpoint", [&] { return save(); });
  detail::CheckpointFile file;
  file.state = state;
  file.configuration = options_.configuration;
  file.state.measured.clear();
  committed(*ranks_, "Checkpoint", [&] {
    file.observers = detail::gather_texts(*ranks_, mine);
    file.measured = detail::gather_measured(*ranks_, state.measured, options_.held);
  });
  if (options_.space || ranks_->is_root()) {
    detail::write_checkpoint(path_, file, options_.space.get());
  }
  written_ = state.iterations;
}

}  // namespace tessera
