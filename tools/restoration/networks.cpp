// SPDX-License-Identifier: BSD-3-Clause
#include "restoration/networks.hpp"

#include <fmt/format.h>

#include <memory>

#include "tessera/core/error.hpp"
#include "tessera/denoiser/dncnn.hpp"
#include "tessera/denoiser/drunet.hpp"
#include "tessera/denoiser/inflate_2d.hpp"
#include "tessera/denoiser/script_denoiser.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/io/state_dict.hpp"
#include "tessera/prior/ridge_denoiser.hpp"

namespace restoration {

using namespace tessera;

namespace {

/// A network of the user's own, whose reach and grid are measured: tiles depend on them.
DenoiserPtr make_script(const std::string& weights, at::Device device) {
  if (weights.empty()) {
    throw error::InvalidArgument("--denoiser script: give the network, --weights FILE");
  }
  ScriptOptions script;
  script.device = device;
  const bool is_package = weights.ends_with(".pt2");
  if (is_package) script.level = LevelInput::argument;
  const auto network = std::make_shared<ScriptDenoiser>(weights, script);
  ReachProbeOptions probe;
  probe.device = script.device;
  if (!is_package) network->declare(probe_reach(*network, probe));
  return network;
}

}  // namespace

DenoiserPtr make_denoiser(DenoiserKind kind, std::string& weights, at::Device device,
                          DefaultWeights installed, std::int64_t dimensions) {
  if (kind == DenoiserKind::tv) return std::make_shared<TotalVariation>();
  if (kind == DenoiserKind::script) return make_script(weights, device);
  if (weights.empty()) {
    if (kind == DenoiserKind::dncnn) {
      throw error::InvalidArgument(
          "--denoiser dncnn: no weights are installed for it, give --weights FILE");
    }
    const DefaultWeights ridge =
        dimensions == 3 ? DefaultWeights::ridge_volume : DefaultWeights::ridge_grey;
    weights = default_weights(kind == DenoiserKind::ridge ? ridge : installed);
  }
  StateDict state = read_state_dict(weights);
  if (kind == DenoiserKind::ridge) return std::make_shared<RidgeDenoiser>(state);
  if (is_for_volumes(state) && dimensions < 3) {
    throw error::InvalidArgument(
        fmt::format("{}: is a network for volumes, expected one for pictures", weights));
  }
  if (!is_for_volumes(state) && dimensions == 3) state = inflate_2d(state);
  if (kind == DenoiserKind::dncnn) return std::make_shared<DnCNN>(state);
  return std::make_shared<DRUNet>(state);
}

}  // namespace restoration
