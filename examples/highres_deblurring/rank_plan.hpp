#pragma once

#include <string>

#include "options.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/denoiser/denoiser.hpp"

/// What one of several ranks will do, found out without running it.
struct RankPlan {
  std::string tiles;             ///< lines of text
  double bytes_per_rank = 0;     ///< memory of the busiest rank, estimated
  double bytes_of_denoiser = 0;  ///< thereof the denoiser's working memory
};

/// The plan for images of the shape `image`, (1, 3, H, W), on `ranks` ranks. Throws what the run
/// would throw: tiles that do not fit the image.
RankPlan plan_of_rank(const Options& options, at::IntArrayRef image,
                      const tessera::DenoiserPtr& denoiser, int ranks);

/// Throws error::InvalidArgument, with the estimate and the options that lower it, if the ranks of
/// this host need more memory than there is.
void check_memory(const Options& options, at::IntArrayRef image, const RankPlan& plan,
                  int ranks_on_host);

/// To be called in a handler: throws the exception at hand again. One about memory says then which
/// options lower the need.
[[noreturn]] void rethrow_with_advice(const Options& options);

/// "1.5 GB"
std::string gigabytes(double bytes);

/// What to give for a run that needs less memory.
std::string advice_on_memory(const Options& options);
