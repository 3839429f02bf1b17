#pragma once

#include <map>
#include <string>
#include <vector>

#include "grid_rows.hpp"
#include "tessera/denoiser/denoiser.hpp"

/// What a row will do, found out without running it.
struct RowPlan {
  std::string tiles;          ///< lines of text
  double bytes_per_rank = 0;  ///< memory of the busiest rank, estimated; 0: unknown
};

/// Plans rows; reads each photograph and each file of weights once.
class Planner {
 public:
  /// Throws what the run would throw: weights or a photograph that cannot be read, tiles that do
  /// not fit the image.
  RowPlan plan(const GridRow& row);

 private:
  const std::vector<std::int64_t>& shape(const Options& options);
  struct Network {
    tessera::DenoiserPtr denoiser;
    std::string weights;  ///< the file it was read from
  };
  const Network& network(const Options& options);

  std::map<std::string, std::vector<std::int64_t>> shapes_;
  std::map<std::string, Network> networks_;
};

/// Why the machine cannot hold the row; empty if it can.
std::string obstacle(const GridRow& row, const RowPlan& plan, const Machine& machine);
