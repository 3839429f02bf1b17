// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tessera/denoiser/denoiser.hpp"

/// A photograph with its name.
struct Validation {
  std::string name;
  tessera::Tensor image;  ///< (1, 3, H, W), or (1, 1, H, W) of a grey one
};

std::vector<Validation> read_validation(const std::vector<std::string>& files, bool as_grey);

/// A denoiser of grey images, for each channel of a colour image.
class PerChannel : public tessera::Denoiser {
 public:
  explicit PerChannel(tessera::DenoiserPtr grey) : grey_(std::move(grey)) {}
  std::string name() const override { return grey_->name() + " per channel"; }

 private:
  tessera::Tensor do_denoise(const tessera::Tensor& x,
                             const tessera::NoiseLevel& sigma) const override {
    return grey_->denoise(x.transpose(0, 1).contiguous(), sigma).transpose(0, 1).contiguous();
  }

  tessera::DenoiserPtr grey_;
};

/// PSNR of the denoised photograph for each noise level (0 to 255). The noise of a photograph is
/// the same in every call.
std::vector<double> psnr_per_level(const tessera::Denoiser& denoiser, const Validation& photograph,
                                   const std::vector<double>& levels);

/// Total variation at the best of a list of weights per sigma, chosen for each level.
std::vector<double> best_total_variation(const Validation& photograph,
                                         const std::vector<double>& levels);

/// "kodim23  38.90  35.90": one line.
std::string to_line(const std::string& name, const std::vector<double>& values);
