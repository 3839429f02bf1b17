#include "restart.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <fstream>

#include "tessera/core/error.hpp"

namespace {

/// FNV-1a over 64 bits: tells contents apart, no more.
class Digest {
 public:
  void add(const char* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      hash_ = (hash_ ^ static_cast<unsigned char>(bytes[i])) * 1099511628211u;
    }
  }
  std::string text() const { return fmt::format("{:016x}", hash_); }

 private:
  std::uint64_t hash_ = 14695981039346656037u;
};

std::string digest_of(const tessera::Tensor& tensor) {
  const tessera::Tensor host = tensor.to(at::kCPU).contiguous();
  Digest digest;
  digest.add(static_cast<const char*>(host.const_data_ptr()), host.nbytes());
  return digest.text();
}

std::string digest_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw tessera::error::Io(fmt::format("{}: cannot open", path));
  Digest digest;
  std::array<char, 65536> buffer{};
  while (file.read(buffer.data(), buffer.size()) || file.gcount() > 0) {
    digest.add(buffer.data(), static_cast<std::size_t>(file.gcount()));
  }
  return digest.text();
}

}  // namespace

std::string checkpoint_path(const std::string& folder) {
  return folder + "/checkpoint.safetensors";
}

bool keeps_checkpoint(const Options& options) {
  return options.checkpoint_every > 0 || options.resume;
}

std::map<std::string, std::string> identity_of_run(const Options& options,
                                                   const tessera::Tensor& truth) {
  std::map<std::string, std::string> identity = {
      {"image (contents)", digest_of(truth)},
      {"num_operators", fmt::format("{}", options.num_operators)},
      {"noise_level", fmt::format("{}", options.noise_level)},
      {"seed", fmt::format("{}", options.seed)},
      {"solver", options.solver},
      {"fidelity", options.fidelity},
      {"prior", options.prior},
      {"denoiser", options.denoiser},
      {"denoiser_sigma", fmt::format("{}", options.denoiser_sigma)},
      {"step_size", options.step_size ? fmt::format("{}", *options.step_size) : "auto"},
      {"init_method", options.init_method},
      {"tiling", options.tiling},
      {"patch_size", fmt::format("{}", options.patch_size)},
      {"overlap", fmt::format("{}", options.overlap)},
      {"dtype", options.dtype}};
  if (options.solver == "dpir" || options.denoiser_sigma_start) {  // levels depend on their number
    identity["iterations"] = fmt::format("{}", options.iterations);
  }
  if (options.solver == "dpir") identity["dpir_weight"] = fmt::format("{}", options.dpir_weight);
  if (options.denoiser_sigma_start) {
    identity["denoiser_sigma_start"] = fmt::format("{}", *options.denoiser_sigma_start);
  }
  if (options.prior == "red") identity["red_weight"] = fmt::format("{}", options.red_weight);
  if (!options.weights.empty()) identity["weights (contents)"] = digest_of_file(options.weights);
  if (!options.measurements.empty()) {
    identity["measurements (contents)"] = digest_of_file(options.measurements);
  }
  return identity;
}
