// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// tessera/tessera.hpp and what works on images that no rank has whole, of which each holds a box:
/// docs/explanation/sharded_images.md.

#include "tessera/tessera.hpp"

#include "tessera/comm/box.hpp"
#include "tessera/comm/box_exchange.hpp"
#include "tessera/comm/box_pyramid.hpp"
#include "tessera/comm/rehearsal.hpp"

#include "tessera/distributed/box_space.hpp"
#include "tessera/distributed/box_stream.hpp"
#include "tessera/distributed/boxed_operator.hpp"
#include "tessera/distributed/boxed_operators.hpp"
#include "tessera/distributed/boxed_slices.hpp"
#include "tessera/distributed/boxed_stack.hpp"
#include "tessera/distributed/gathered_denoiser.hpp"
#include "tessera/distributed/layerwise_denoiser.hpp"
#include "tessera/distributed/operator_groups.hpp"
#include "tessera/distributed/sharded_denoiser.hpp"
#include "tessera/distributed/sharded_ridge_prior.hpp"
#include "tessera/distributed/sharded_variation_prior.hpp"
#include "tessera/distributed/sharded_wavelet_prior.hpp"
#include "tessera/distributed/slab_blur.hpp"
#include "tessera/distributed/slab_fourier.hpp"

#include "tessera/metric/shared_out.hpp"
