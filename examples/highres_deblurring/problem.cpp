#include "problem.hpp"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/upsample_bicubic2d.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "scene.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/image.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/physics/blur.hpp"
#include "tessera/physics/gaussian_kernel.hpp"

using tessera::Tensor;
using tessera::TensorList;

namespace {

/// Scaled so that the larger side is `size`.
Tensor scaled(const Tensor& image, std::int64_t size) {
  const double scale =
      static_cast<double>(size) / static_cast<double>(std::max(image.size(2), image.size(3)));
  if (scale == 1.0) return image;
  const auto extent = [&](std::int64_t n) {
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(n) * scale));
  };
  const std::vector<std::int64_t> shape = {extent(image.size(2)), extent(image.size(3))};
  const Tensor result = scale < 1 ? at::_upsample_bicubic2d_aa(image, shape, false)
                                  : at::upsample_bicubic2d(image, shape, false);
  return result.clamp(0, 1);
}

Tensor read_truth(Options& options) {
  const Tensor array = tessera::read_npy(options.truth);
  if (array.dim() != 3 || array.size(0) != 3 || !array.is_floating_point() || array.numel() == 0) {
    throw tessera::error::ShapeMismatch(
        fmt::format("--truth {}: the file holds {}, expected a floating [3, H, W]", options.truth,
                    tessera::describe(array)));
  }
  if (!options.image_size_given) options.image_size = std::max(array.size(1), array.size(2));
  return array.unsqueeze(0);
}

Tensor read_photograph(const Options& options) {
  const Tensor image = tessera::read_image(options.image);
  return image.expand({1, 3, image.size(2), image.size(3)});
}

/// Number of this process among those of its host, as launchers tell it; 0 without a launcher.
int rank_on_host() {
  for (const char* variable :
       {"MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "PMI_LOCAL_RANK", "SLURM_LOCALID"}) {
    if (const char* rank = std::getenv(variable)) return std::max(0, std::atoi(rank));
  }
  return 0;
}

/// A launcher that shows each process its own GPU only leaves one to choose from.
int visible_gpus() {
  return std::max(1, static_cast<int>(at::detail::getCUDAHooks().getNumGPUs()));
}

}  // namespace

at::ScalarType scalar_type(const Options& options) {
  return options.dtype == "float64" ? at::kDouble : at::kFloat;
}

at::Device device(const Options& options) {
  if (options.device == "cpu") return at::kCPU;
  if (!at::globalContext().hasCUDA()) {
    throw tessera::error::InvalidArgument(
        "--device cuda: no CUDA device is usable here. Either there is none, or this program was "
        "built without "
        "-DTESSERA_CUDA=ON, or CUDA's libraries are not installed beside LibTorch");
  }
  return {at::kCUDA, static_cast<c10::DeviceIndex>(rank_on_host() % visible_gpus())};
}

Tensor make_truth(Options& options) {
  Tensor truth;
  if (!options.truth.empty()) {
    truth = read_truth(options).to(scalar_type(options));
  } else {
    const Tensor image =
        options.image.empty() ? synthetic_scene(options.image_size) : read_photograph(options);
    truth = scaled(image.to(scalar_type(options)), options.image_size);
  }
  return truth.to(device(options)).contiguous();
}

std::unique_ptr<tessera::LinearOperator> make_blur(const Options& options, std::int64_t index) {
  const auto size = static_cast<double>(options.image_size);
  const double angle =
      options.num_operators == 1
          ? 0.0
          : 180.0 * static_cast<double>(index) / static_cast<double>(options.num_operators - 1);
  const Tensor kernel = tessera::gaussian_kernel(0.01 * size, 0.005 * size, angle,
                                                 at::TensorOptions(scalar_type(options)));
  auto blur = std::make_unique<tessera::Blur>(kernel, tessera::Padding::circular);
  blur->set_noise(std::make_shared<tessera::GaussianNoise>(
      options.noise_level, options.seed, std::pair{0.0, 1.0}, static_cast<std::uint64_t>(index)));
  return blur;
}

TensorList read_measurements(const Options& options, const std::vector<std::int64_t>& held,
                             const Tensor& truth) {
  const Tensor all = tessera::read_npy(options.measurements);
  const bool ok = all.dim() == 4 && all.is_floating_point() &&
                  all.size(0) == options.num_operators &&
                  all.sizes().slice(1) == truth.sizes().slice(1);
  if (!ok) {
    throw tessera::error::ShapeMismatch(
        fmt::format("--measurements {}: the file holds {}, expected {} measurements like the "
                    "truth: [{}, 3, {}, {}]",
                    options.measurements, tessera::describe(all), options.num_operators,
                    options.num_operators, truth.size(2), truth.size(3)));
  }
  TensorList mine;
  for (const std::int64_t index : held)
    mine.push_back(all.select(0, index).unsqueeze(0).to(truth.options()).contiguous());
  return mine;
}
