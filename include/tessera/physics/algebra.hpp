// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <vector>

#include "tessera/physics/linear_physics.hpp"

namespace tessera {

/// B A: x -> outer(inner(x)), one measurement for each operator of `outer`. `inner` is a single
/// operator, on one rank or on the same shared-out images, whose measurement is the image of
/// `outer`, which may be a stack or distributed. Noise is that of `outer`.
///
/// Normal filters are kept where `inner` has a transfer function and that of `outer` is circulant;
/// transfer functions multiply. Throws error::InvalidArgument for an `inner` that is several
/// operators, or of another space than `outer`.
LinearPhysicsPtr compose(LinearPhysicsPtr outer, LinearPhysicsPtr inner);

/// w A: y_i = w A_i x, and measured data likewise, noise included. Keeps the normal filter, the
/// transfer function and the norm. `weight` is finite, else error::InvalidArgument.
LinearPhysicsPtr weighted(LinearPhysicsPtr physics, double weight);

/// W_i A_i: each measurement times the weights of its operator, element by element: whitening,
/// where weights are 1 / standard deviation. `weights` holds one real floating tensor per held
/// operator, of the measurement's shape or one that broadcasts to it; else error::InvalidArgument
/// or, once measurements are known, error::ShapeMismatch. Where each is one number, and the physics
/// a stack or one operator, on one rank, filters and transfer functions are kept, as above.
LinearPhysicsPtr weighted(LinearPhysicsPtr physics, TensorList weights);
/// The same for a single operator.
LinearPhysicsPtr weighted(LinearPhysicsPtr physics, const Tensor& weight);

/// A + B + ...: y = A x + B x + ..., single operators, on one rank or on the same shared-out
/// images, whose measurements have one shape. Measured data are the sum of theirs, noise included.
/// Transfer functions add up; where all have one, there is a normal filter. Throws
/// error::InvalidArgument for a stack in the list, or without operators.
LinearPhysicsPtr sum(std::vector<LinearPhysicsPtr> operators);

}  // namespace tessera

#include "tessera/physics/detail/algebra.hpp"
