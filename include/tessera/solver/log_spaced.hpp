#pragma once

#include <cstdint>
#include <vector>

namespace tessera {

/// `count` numbers from `first` to `last`, each the same factor from the one before: a schedule of
/// noise levels. One number: `last`. Throws error::InvalidArgument unless both are positive
/// and finite and count >= 1.
std::vector<double> log_spaced(double first, double last, std::int64_t count);

}  // namespace tessera
