// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/core/Generator.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "optimizer.hpp"
#include "options.hpp"
#include "parameters.hpp"
#include "photographs.hpp"
#include "tessera/denoiser/drunet.hpp"

/// A network in training: its weights, their running average, the optimiser and the generator.
/// A checkpoint holds all of it, so that a resumed training takes the same steps, bit for bit, on
/// the same machine and number of threads.
class Trainer {
 public:
  Trainer(const tessera::StateDict& initial, const Settings& settings);
  /// Goes on from a checkpoint; settings not named in `given` come from it.
  static std::unique_ptr<Trainer> resume(const std::string& checkpoint, Settings settings,
                                         const std::vector<std::string>& given);

  /// One step, of grey crops for a network of one channel; the mean absolute (or squared) error of
  /// its crops, weighted as in training.
  double step(const Photographs& photographs);

  /// Whether the network is one for images of a single channel.
  bool is_grey() const { return network_->architecture().channels == 1; }
  std::int64_t steps() const { return steps_; }
  const Settings& settings() const { return settings_; }
  double learning_rate() const;

  /// The running average of the weights.
  tessera::StateDict averaged() const;
  void save(const std::string& checkpoint);

 private:
  Settings settings_;
  Parameters parameters_;
  tessera::Tensor flat_;
  tessera::Tensor gradient_;
  tessera::Tensor average_;
  Optimizer optimizer_;
  at::Generator generator_;
  std::int64_t steps_ = 0;
  std::unique_ptr<tessera::DRUNet> network_;
};
