// SPDX-License-Identifier: BSD-3-Clause
#include "restore/steps.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "restoration/enums.hpp"

namespace restore {

namespace {

std::string words_of(const BlurStep& step) {
  const std::string kernel = step.kernel.empty()
                                 ? fmt::format("gaussian {}", fmt::join(step.gaussian, ", "))
                                 : std::filesystem::path(step.kernel).filename().string();
  return fmt::format("blur {} ({})", kernel, settings::name_of(step.border));
}

std::string words_of(const SpaceVaryingBlurStep& step) {
  return fmt::format("space_varying_blur {}x{} of {} ({})", step.grid[1], step.grid[0],
                     std::filesystem::path(step.kernels).filename().string(),
                     settings::name_of(step.border));
}

std::string words_of(const DownSamplingStep& step) {
  const bool is_moved = step.shift[0] != 0 || step.shift[1] != 0;
  return fmt::format("down_sampling {}{}{}", step.factor,
                     is_moved ? fmt::format(" moved {}, {}", step.shift[0], step.shift[1]) : "",
                     step.averages ? "" : " not averaged");
}

std::string words_of(const MaskStep& step) {
  return fmt::format("mask {}", std::filesystem::path(step.file).filename().string());
}

std::string words_of(const WarpStep& step) {
  return fmt::format("warp {}", fmt::join(step.matrix, " "));
}

std::string words_of(const MatrixStep& step) {
  return fmt::format("matrix {}", std::filesystem::path(step.file).filename().string());
}

std::string words_of(const TomographyStep& step) {
  return fmt::format("tomography of {} views from {:.6g} to {:.6g} degrees", step.angles.size(),
                     step.angles.front(), step.angles.back());
}

std::string words_of(const FourierStep& step) {
  return fmt::format("fourier {}", std::filesystem::path(step.mask).filename().string());
}

}  // namespace

std::string words_of(const std::vector<Step>& steps) {
  std::string words;
  for (const Step& step : steps) {
    words += (words.empty() ? "" : ", ") +
             std::visit([](const auto& each) { return words_of(each); }, step);
  }
  return words.empty() ? "identity" : words;
}

bool has_own_unit(const std::vector<Step>& steps) {
  return std::any_of(steps.begin(), steps.end(), [](const Step& step) {
    return std::holds_alternative<TomographyStep>(step) || is_no_picture({step});
  });
}

bool is_no_picture(const std::vector<Step>& steps) {
  return !steps.empty() && (std::holds_alternative<MatrixStep>(steps.back()) ||
                            std::holds_alternative<FourierStep>(steps.back()));
}

bool is_mask(const Step& step) {
  return std::holds_alternative<MaskStep>(step) || std::holds_alternative<FourierStep>(step);
}

const std::string& where_of(const Step& step) {
  return std::visit([](const auto& each) -> const std::string& { return each.where; }, step);
}

}  // namespace restore
