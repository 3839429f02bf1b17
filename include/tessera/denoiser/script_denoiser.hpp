// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tessera/denoiser/denoiser.hpp"
#include "tessera/denoiser/reach_probe.hpp"

namespace tessera {

/// How a network takes the noise level.
enum class LevelInput {
  automatic,  ///< as its second argument if it has one, else not at all
  none,       ///< forward(x)
  argument,   ///< forward(x, sigma), sigma (B, 1, 1...) or (B, 1, spatial...) if it is a map
  channel,    ///< forward(cat(x, map)): as one more channel after those of the image
};

/// What a network's file does not say.
struct ScriptOptions {
  LevelInput level = LevelInput::automatic;

  /// Whoever made the network knows them; else see probe_reach(). Not declared: the whole image.
  std::optional<std::int64_t> reach;
  /// The network's grid: images are extended at their far ends to multiples of it by repeating the
  /// border, and the result cropped.
  std::int64_t alignment = 1;
  /// The shortest image that the network takes: shorter ones are extended alike.
  std::int64_t minimum_extent = 1;

  at::ScalarType compute_type = at::kFloat;  ///< the type of the network's weights
  at::Device device = at::kCPU;              ///< where it runs; images must be there
};

/// Any user's network as a denoiser, from a file that PyTorch wrote: TorchScript
/// (torch.jit.save; .pt), or a package compiled ahead of time
/// (torch._inductor.aoti_compile_and_package; .pt2), told apart by that ending. The network takes
/// an image (B, C, spatial...) with intensities 0 to 1 and gives one of the same shape.
///
/// Such a file is a program: a .pt2 package is machine code that this class loads and runs. Use
/// files you trust. Packages run on the kind of machine and with the version of LibTorch they were
/// made for, at the shapes they were exported with, need all of LibTorch's libraries (in the wheels
/// for GPUs, NVIDIA's too), and have no derivatives.
///
/// TorchScript networks are differentiable in x. Safe to use from several threads.
class ScriptDenoiser : public Denoiser {
 public:
  /// Throws error::Io naming file and cause, error::InvalidArgument for options that do not fit the
  /// network.
  explicit ScriptDenoiser(const std::string& path, ScriptOptions options = {});
  ~ScriptDenoiser() override;

  std::string name() const override { return "script"; }
  std::optional<std::int64_t> reach() const override { return options_.reach; }
  std::int64_t alignment() const override { return options_.alignment; }
  bool follows_level() const override { return options_.level != LevelInput::none; }
  std::int64_t minimum_extent() const override { return options_.minimum_extent; }
  std::vector<std::int64_t> extended_extents(at::IntArrayRef spatial) const override;

  /// States what probe_reach(denoiser) found: the reach, and the least common multiple of both
  /// alignments. If one of them was not found the reach stays as it was. Not while other threads
  /// use the denoiser.
  void declare(const ProbedReach& probed);

  /// A network that can be run.
  class Program;

 private:
  void do_check(const Tensor& x, const std::string& who) const override;
  Tensor do_denoise(const Tensor& x, const NoiseLevel& sigma) const override;

  std::string path_;
  ScriptOptions options_;
  std::unique_ptr<const Program> program_;
};

}  // namespace tessera
