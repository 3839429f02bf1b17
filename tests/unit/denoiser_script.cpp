// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/denoiser/script_denoiser.hpp"

#include <ATen/ops/conv2d.h>
#include <ATen/ops/full.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/api/module.h>

#include <thread>

#include "catch.hpp"
#include "denoiser/script_program.hpp"
#include "files.hpp"
#include "tensors.hpp"
#include "tessera/core/error.hpp"

using tessera::LevelInput;
using tessera::ScriptDenoiser;
using tessera::ScriptOptions;
using test::Tensor;

namespace {

Tensor kernel() {
  return test::indexed({3, 3, 5, 5}).to(at::kFloat) * 0.1;
}

/// Writes a TorchScript network whose parameter `weight` is kernel().
std::string script_file(const test::TemporaryFolder& folder, const std::string& forward) {
  torch::jit::Module module("net");
  module.register_parameter("weight", kernel(), false);
  module.define(forward);
  const std::string path = folder.file("net.pt");
  module.save(path);
  return path;
}

constexpr const char* convolution =
    "def forward(self, x):\n"
    "  return torch.conv2d(x, self.weight, None, [1, 1], [2, 2])\n";
constexpr const char* two_arguments =
    "def forward(self, x, sigma):\n"
    "  return x * (1 - sigma)\n";
constexpr const char* level_channel =
    "def forward(self, x):\n"
    "  return x[:, :3] - x[:, 3:]\n";
/// Means of 4 x 4 pixels: fails for other extents.
constexpr const char* blocks =
    "def forward(self, x):\n"
    "  assert x.size(2) % 4 == 0 and x.size(3) % 4 == 0\n"
    "  small = torch.avg_pool2d(x, 4)\n"
    "  return torch.repeat_interleave(torch.repeat_interleave(small, 4, 2), 4, 3)\n";

}  // namespace

TEST_CASE("A TorchScript network denoises, in its own precision") {
  const test::TemporaryFolder folder;
  const ScriptDenoiser net(script_file(folder, convolution));
  const Tensor x = test::indexed({2, 3, 11, 13});
  const Tensor before = x.clone();
  const Tensor result = net.denoise(x, 0.1);
  CHECK(result.scalar_type() == at::kDouble);
  CHECK(x.equal(before));
  const Tensor expected = at::conv2d(x.to(at::kFloat), kernel(), {}, 1, at::IntArrayRef{2, 2});
  CHECK(test::relative_error(result, expected.to(at::kDouble)) < 1e-6);
  CHECK(net.denoise(x, 0.7).equal(result));
  CHECK_FALSE(net.reach().has_value());
}

TEST_CASE("A TorchScript network takes the level as argument or as channel") {
  const test::TemporaryFolder folder;
  const Tensor x = test::indexed({2, 3, 6, 7}).to(at::kFloat);
  const Tensor per_image = at::full({2}, 0.25, at::kFloat);
  per_image[1].fill_(0.5);
  const Tensor map = test::indexed({1, 1, 6, 7}).to(at::kFloat).abs();

  const ScriptDenoiser argument(script_file(folder, two_arguments));
  CHECK(test::relative_error(argument.denoise(x, 0.25), x * 0.75) < 1e-6);
  CHECK(test::relative_error(argument.denoise(x, per_image).select(0, 1), x.select(0, 1) * 0.5) <
        1e-6);
  CHECK(test::relative_error(argument.denoise(x, map), x * (1 - map)) < 1e-6);

  ScriptOptions options;
  options.level = LevelInput::channel;
  const ScriptDenoiser channel(script_file(folder, level_channel), options);
  CHECK(test::relative_error(channel.denoise(x, 0.25), x - 0.25) < 1e-6);
  CHECK(test::relative_error(channel.denoise(x, map), x - map) < 1e-6);
}

TEST_CASE("A network's grid is respected by extending images") {
  const test::TemporaryFolder folder;
  ScriptOptions options;
  options.alignment = 4;
  const ScriptDenoiser net(script_file(folder, blocks), options);
  const Tensor x = test::indexed({1, 3, 9, 14}).to(at::kFloat);
  const Tensor result = net.denoise(x, 0.1);
  CHECK(result.sizes() == x.sizes());
  CHECK(test::relative_error(result.select(2, 5).select(2, 6),
                             x.narrow(2, 4, 4).narrow(3, 4, 4).mean({2, 3})) < 1e-6);
  // The last row is alone in its block: the border, four times.
  CHECK(test::relative_error(result.select(2, 8).select(2, 1),
                             x.narrow(2, 8, 1).narrow(3, 0, 4).mean({2, 3})) < 1e-6);
}

TEST_CASE("The derivative of a TorchScript network is its own") {
  const test::TemporaryFolder folder;
  const ScriptDenoiser net = [&] {
    const c10::InferenceMode no_gradients;  // as programs that only restore are
    return ScriptDenoiser(script_file(folder, convolution));
  }();
  Tensor x = test::indexed({1, 3, 9, 8}).requires_grad_();
  const Tensor seed = test::indexed({1, 3, 9, 8}, 0.8);
  const Tensor direction = test::indexed({1, 3, 9, 8}, 1.9);
  (net.denoise(x, 0.1) * seed).sum().backward();
  CHECK((x.grad() * direction).sum().item<double>() ==
        Approx((net.denoise(direction, 0.1) * seed).sum().item<double>()).epsilon(1e-5));
}

TEST_CASE("Probing a TorchScript network finds its reach and grid") {
  const test::TemporaryFolder folder;
  ScriptDenoiser local(script_file(folder, convolution));
  local.declare(tessera::probe_reach(local));
  CHECK(local.reach() == 2);
  CHECK(local.alignment() == 1);

  ScriptDenoiser gridded(script_file(folder, blocks));
  const tessera::ProbedReach probed = tessera::probe_reach(gridded);
  CHECK(probed.reach == 3);
  CHECK(probed.alignment == 4);
  gridded.declare(probed);
  CHECK(gridded.alignment() == 4);
  CHECK(gridded.denoise(test::indexed({1, 3, 5, 6}), 0.1).size(3) == 6);
}

TEST_CASE("A TorchScript network runs in several threads at once") {
  const test::TemporaryFolder folder;
  const ScriptDenoiser net(script_file(folder, convolution));
  const Tensor x = test::indexed({1, 3, 32, 32}).to(at::kFloat);
  const Tensor expected = net.denoise(x, 0.1);
  std::vector<Tensor> results(4);
  std::vector<std::thread> threads;
  for (Tensor& result : results)
    threads.emplace_back([&] { result = net.denoise(x, 0.1).clone(); });
  for (std::thread& thread : threads) thread.join();
  for (const Tensor& result : results) CHECK(test::relative_error(result, expected) < 1e-6);
}

TEST_CASE("A package that needs a library which is not there says which, and what helps") {
  const std::string missing = tessera::detail::missing_library(
      "libcublas.so.13: cannot open shared object file: No such file or directory");
  CHECK_THAT(missing, test::contains("of which libcublas.so.13 is missing here"));
  CHECK_THAT(missing, test::contains("TorchScript"));
  CHECK_THAT(tessera::detail::missing_library("libtorch.so: undefined symbol: x"),
             test::contains("(libtorch.so: undefined symbol: x)"));

  // An archive that is no package either: LibTorch says so where it can be loaded as a whole.
  const test::TemporaryFolder folder;
  std::string archive(22, '\0');
  archive.replace(0, 4, "PK\x05\x06");
  test::write_bytes(folder.file("net.pt2"), archive);
  CHECK_THROWS_AS(ScriptDenoiser(folder.file("net.pt2")), tessera::error::Io);
  CHECK_THROWS_WITH(ScriptDenoiser(folder.file("net.pt2")), test::contains(folder.file("net.pt2")));
}

TEST_CASE("A network's file or result that does not fit is named") {
  const test::TemporaryFolder folder;
  const Tensor x = test::indexed({1, 3, 6, 7}).to(at::kFloat);
  CHECK_THROWS_AS(ScriptDenoiser("/no/such/net.pt"), tessera::error::Io);
  for (const char* name : {"net.pt", "net.pt2"}) {
    test::write_bytes(folder.file(name), "this is no network");
    CHECK_THROWS_AS(ScriptDenoiser(folder.file(name)), tessera::error::Io);
    CHECK_THROWS_WITH(ScriptDenoiser(folder.file(name)), test::contains(folder.file(name)));
  }
  CHECK_THROWS_WITH(ScriptDenoiser("/no/such/net.pt2"), test::contains("cannot open"));
  CHECK_THROWS_WITH(ScriptDenoiser(folder.file("net.pt2")), test::contains("it is no package"));
  const std::string three =
      script_file(folder, "def forward(self, x, sigma, third):\n  return x + sigma + third\n");
  CHECK_THROWS_WITH(ScriptDenoiser(three), test::contains("forward takes 3 arguments"));
  const std::string smaller = script_file(folder, "def forward(self, x):\n  return x[:, :, 1:]\n");
  CHECK_THROWS_WITH(ScriptDenoiser(smaller).denoise(x, 0.1),
                    test::contains("makes [1, 3, 5, 7] float32 on cpu of"));
  const std::string pair = script_file(folder, "def forward(self, x):\n  return (x, x)\n");
  CHECK_THROWS_WITH(ScriptDenoiser(pair).denoise(x, 0.1), test::contains("expected one tensor"));
  const std::string grid = script_file(folder, blocks);
  CHECK_THROWS_WITH(ScriptDenoiser(grid).denoise(x, 0.1),
                    test::contains("fails for x = [1, 3, 6, 7] float32 on cpu"));
  ScriptOptions options;
  options.alignment = 0;
  CHECK_THROWS_AS(ScriptDenoiser(grid, options), tessera::error::InvalidArgument);
}
