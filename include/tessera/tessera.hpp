// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// clang-format off: a table, and the order of the rooms

/// Everything of tessera's core. Compile times matter more than brevity in a large program: include
/// the headers you use instead.
///
/// The rooms, in the order in which data flow through them; a room knows only the rooms above it:
///
///   core         Tensor and TensorList (LibTorch's), views between them and Eigen, checks, errors
///   comm         Communicator: how ranks talk, agree on failures and share out work
///   physics      y_i = A_i(x): forward models, from one image to one measurement per operator;
///                blurs, masks, downsampling, matrices; noise
///   fidelity     f(x): how badly an image explains the measurements; gradient, proximal operator
///   denoiser     removes noise of a given level from an image: total variation, DnCNN, DRUNet
///   prior        what images look like: a regulariser, or a denoiser in its place
///   distributed  operators shared out over ranks, denoisers applied tile by tile; same interfaces
///   solver       iterations that bring fidelity and prior together; observers, stopping rules
///   metric       how good a restoration is, where the truth is known
///   run          what watches and keeps a run; here, what stops one when the job's time is up
///
/// One iteration: x -> fidelity.gradient(x), where physics goes forward and back and ranks add up
///                  -> x - step * gradient -> prior.prox, where the denoiser works -> x.
///
/// Not here: sharded.hpp, for images that no rank has whole; comm/host.hpp, for programs that share
/// out a machine's cores and GPUs themselves; and what belongs to components of its own:
/// comm/mpi.hpp (tessera::mpi), comm/nccl.hpp (tessera::nccl), fourier/ (tessera::fourier: Fourier
/// transforms as they are measured), io/ (tessera::io: images, arrays, weights), the rest of run/
/// (tessera::run: measurements, progress, checkpoints) and report/ (tessera::report: pages made
/// from runs).

#include "tessera/core/check.hpp"
#include "tessera/core/complex_channels.hpp"
#include "tessera/core/eigen_map.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/flush_denormals.hpp"
#include "tessera/core/image_spec.hpp"
#include "tessera/core/real_dot.hpp"
#include "tessera/core/state_dict.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/core/text.hpp"
#include "tessera/core/version.hpp"

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/comm/counting.hpp"
#include "tessera/comm/image_space.hpp"
#include "tessera/comm/larger_group.hpp"
#include "tessera/comm/partition.hpp"
#include "tessera/comm/run_guarded.hpp"
#include "tessera/comm/same_on_all_ranks.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/comm/tensor_view.hpp"

#include "tessera/physics/algebra.hpp"
#include "tessera/physics/bayer_mosaic.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/check_adjoint.hpp"
#include "tessera/physics/conjugate_gradient.hpp"
#include "tessera/physics/downsampling.hpp"
#include "tessera/physics/element_numbers.hpp"
#include "tessera/physics/finite_differences.hpp"
#include "tessera/physics/fourier_sampling.hpp"
#include "tessera/physics/gaussian_kernel.hpp"
#include "tessera/physics/linear_operator.hpp"
#include "tessera/physics/linear_physics.hpp"
#include "tessera/physics/masking.hpp"
#include "tessera/physics/matrix_physics.hpp"
#include "tessera/physics/noise.hpp"
#include "tessera/physics/normal_filter.hpp"
#include "tessera/physics/padding.hpp"
#include "tessera/physics/periodic_extension.hpp"
#include "tessera/physics/physics.hpp"
#include "tessera/physics/poisson_noise.hpp"
#include "tessera/physics/salt_and_pepper_noise.hpp"
#include "tessera/physics/shared_fourier.hpp"
#include "tessera/physics/space_varying_blur.hpp"
#include "tessera/physics/spectrum_cache.hpp"
#include "tessera/physics/stacked.hpp"
#include "tessera/physics/translation.hpp"
#include "tessera/physics/warp.hpp"
#include "tessera/physics/wavelet_transform.hpp"

#include "tessera/fidelity/absolute_distance.hpp"
#include "tessera/fidelity/amplitude_distance.hpp"
#include "tessera/fidelity/clipped_l2.hpp"
#include "tessera/fidelity/clipped_squared_distance.hpp"
#include "tessera/fidelity/data_fidelity.hpp"
#include "tessera/fidelity/distance.hpp"
#include "tessera/fidelity/huber_distance.hpp"
#include "tessera/fidelity/l2.hpp"
#include "tessera/fidelity/poisson_distance.hpp"
#include "tessera/fidelity/squared_distance.hpp"
#include "tessera/fidelity/student_distance.hpp"
#include "tessera/fidelity/transmission_distance.hpp"
#include "tessera/fidelity/weighted_l2.hpp"

#include "tessera/denoiser/adapted.hpp"
#include "tessera/denoiser/denoiser.hpp"
#include "tessera/denoiser/dncnn.hpp"
#include "tessera/denoiser/drunet.hpp"
#include "tessera/denoiser/estimate_noise.hpp"
#include "tessera/denoiser/inflate_2d.hpp"
#include "tessera/denoiser/layerwise_network.hpp"
#include "tessera/denoiser/network_options.hpp"
#include "tessera/denoiser/noise_level.hpp"
#include "tessera/denoiser/reach_probe.hpp"
#include "tessera/denoiser/script_denoiser.hpp"
#include "tessera/denoiser/total_variation.hpp"

#include "tessera/prior/box_prior.hpp"
#include "tessera/prior/gradient_step.hpp"
#include "tessera/prior/l1_prior.hpp"
#include "tessera/prior/plug_and_play.hpp"
#include "tessera/prior/prior.hpp"
#include "tessera/prior/red.hpp"
#include "tessera/prior/ridge_denoiser.hpp"
#include "tessera/prior/ridge_prior.hpp"
#include "tessera/prior/total_variation_prior.hpp"
#include "tessera/prior/wavelet_prior.hpp"

#include "tessera/distributed/blend_window.hpp"
#include "tessera/distributed/distributed_nonlinear_physics.hpp"
#include "tessera/distributed/distributed_options.hpp"
#include "tessera/distributed/distributed_physics.hpp"
#include "tessera/distributed/operator_costs.hpp"
#include "tessera/distributed/per_axis.hpp"
#include "tessera/distributed/scaling_model.hpp"
#include "tessera/distributed/shard.hpp"
#include "tessera/distributed/sharded_physics.hpp"
#include "tessera/distributed/tile_plan.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"

#include "tessera/solver/admm.hpp"
#include "tessera/solver/anderson.hpp"
#include "tessera/solver/cgls.hpp"
#include "tessera/solver/clamp_range.hpp"
#include "tessera/solver/default_step.hpp"
#include "tessera/solver/gradient_descent.hpp"
#include "tessera/solver/guarantee.hpp"
#include "tessera/solver/hqs.hpp"
#include "tessera/solver/log_spaced.hpp"
#include "tessera/solver/mlem.hpp"
#include "tessera/solver/observer.hpp"
#include "tessera/solver/pnp.hpp"
#include "tessera/solver/primal_dual.hpp"
#include "tessera/solver/proximal_gradient.hpp"
#include "tessera/solver/solver.hpp"
#include "tessera/solver/stopwatch.hpp"

#include "tessera/metric/errors.hpp"
#include "tessera/metric/psnr.hpp"
#include "tessera/metric/ssim.hpp"
#include "tessera/metric/whiteness.hpp"

#include "tessera/run/stop_on_signal.hpp"
// clang-format on
