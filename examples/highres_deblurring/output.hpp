#pragma once

#include <string>
#include <vector>

#include "options.hpp"
#include "tessera/core/tensor.hpp"
#include "tessera/report/recorder.hpp"
#include "tessera/solver/solver.hpp"

/// What a finished run leaves behind. Only the first rank writes.
struct Outcome {
  tessera::Tensor truth;
  tessera::TensorList measurements;  ///< all of them with --save-npy, else those of the first rank
  tessera::SolveResult result;
  std::vector<tessera::MetricsRow> rows;
  double step_size = 0;            ///< the one used
  double norm_squared = 0;         ///< ||A||^2
  std::vector<std::string> hosts;  ///< one per rank
  int threads = 0;                 ///< per rank
  std::string tiling;              ///< summary of the tile plan; empty if untiled
  double setup_s = 0;
};

/// Creates the folder and makes sure that it can be written to. Throws error::Io.
void prepare_folder(const std::string& folder);

/// Writes reconstruction.png, preview.png, metrics.csv, summary.json and, if asked for, the .npy
/// files into options.out. Throws error::Io.
void write_outcome(const Options& options, const Outcome& outcome);
