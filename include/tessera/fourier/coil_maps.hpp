// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tessera/core/tensor.hpp"

namespace tessera {

/// Sensitivities of coils from the fully sampled centre of their k-space: an image of low
/// resolution of each coil, through a Hann window over the centre, divided by the root of the sum
/// over coils of its squares (Roemer et al., Magn. Reson. Med. 16, 1990; McKenzie et al., Magn.
/// Reson. Med. 47, 2002). Sums of squares of the result are 1, and 0 where no coil sees anything.
///
/// `kspace`: complex (B, coils, spatial...), DC at index N / 2 of each axis. `centre`: the extents
/// of its fully sampled centre, for as many of the last axes as it has numbers; the others (frames)
/// are kept as they are. Result: like `kspace`.
///
/// Limits: the maps carry the object's own slow phase and, in the sum of squares, its brightness is
/// relative to that of all coils together: images come out nearly real, shaded as the root of the
/// sum of squares is. They are as smooth as the centre is small: 24 samples of 320 follow what
/// varies over 13 pixels. Edges of the object leave ripples, and outside of it there is noise: no
/// substitute for maps found by an eigenvalue problem (ESPIRiT) where coils alias strongly. For
/// images of finite values only.
Tensor estimate_coil_maps(const Tensor& kspace, const Extents& centre);

}  // namespace tessera
