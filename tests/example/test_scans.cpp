// SPDX-License-Identifier: BSD-3-Clause
// scan_reconstruction: its settings, its scans, and what it reaches.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "../../examples/scan_reconstruction/grid_program.hpp"
#include "../../examples/scan_reconstruction/options.hpp"
#include "../../examples/scan_reconstruction/phantoms.hpp"
#include "../../examples/scan_reconstruction/run.hpp"
#include "../../examples/scan_reconstruction/scan.hpp"
#include "catch.hpp"
#include "member_count.hpp"
#include "restoration/sharing.hpp"
#include "tensors.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/io/npy.hpp"
#include "tessera/metric/psnr.hpp"
#include "tessera/physics/check_adjoint.hpp"
#include "tessera/physics/stacked.hpp"

using namespace tessera;

namespace {

Options options_of(std::vector<std::string> arguments) {
  return settings::parse_arguments(command_line(), std::move(arguments));
}

const char* const problems[] = {"tomography_2d", "tomography_3d", "mri", "radio"};

}  // namespace

TEST_CASE("scan_reconstruction: a row for every member of the settings") {
  CHECK(table().size() ==
        test::member_count<UserSettings>() + test::member_count<restoration::RunSettings>());
}

TEST_CASE("phantoms have the mean densities of their ellipses") {
  const Tensor head = head_phantom(64, 2);
  CHECK(head.sizes() == at::IntArrayRef({1, 1, 64, 64}));
  // Areas times densities, in units of a side of 2, less what is clamped: nothing.
  const double expected = M_PI / 4 *
                          (0.69 * 0.92 - 0.8 * 0.6624 * 0.874 - 0.2 * 0.11 * 0.31 -
                           0.2 * 0.16 * 0.41 + 0.1 * 0.21 * 0.25);
  CHECK(head.mean().item<double>() == Approx(expected).margin(0.004));
  const Tensor volume = head_phantom(32, 3);
  CHECK(volume.sizes() == at::IntArrayRef({1, 1, 32, 32, 32}));
  CHECK(test::relative_error(volume.select(2, 16), head_phantom(32, 2)) < 0.25);
  const Tensor sky = sky_phantom(48, 3);
  CHECK(sky.max().item<double>() == 1);
  CHECK(sky.equal(sky_phantom(48, 3)));
  CHECK_FALSE(sky.equal(sky_phantom(48, 4)));
  const Tensor ball = ball_phantom(33)[0][0];  // coordinates are multiples of 1 / 16
  const auto at = [&](std::int64_t z, std::int64_t y, std::int64_t x) {
    return ball[z][y][x].item<double>();
  };
  CHECK(at(16, 16, 16) == 1);  // in the ball
  CHECK(at(32, 16, 16) == Approx(0.6));
  CHECK(at(16, 32, 16) == Approx(0.3));
  CHECK(at(25, 25, 25) == Approx(0.3 * 9 / 16 + 0.3 + 0.1));
  CHECK(at(25, 25, 27) == Approx(0.3 * 9 / 16 + 0.3 - 0.1));
}

TEST_CASE("noisy copies of a volume: each with noise of its own, clamped, and their mean") {
  const Options options =
      options_of({"--problem", "noisy_volume", "--image-size", "12", "--num-operators", "3"});
  Options made = options;
  const Tensor truth = make_truth(made);
  const auto scan = make_scan(options, truth.sizes().slice(2));
  const StackedPhysics copies(3, [&](std::int64_t i) { return scan->part(i); });
  CHECK(adjoint_error(*scan->part(0), truth) < 1e-12);
  const TensorList y = copies.measure(truth);
  CHECK_FALSE(y[0].equal(y[1]));
  for (const Tensor& copy : y) {
    CHECK(copy.min().item<double>() == 0);
    CHECK(copy.max().item<double>() == 1);
    CHECK(psnr(copy, truth).item<double>() == Approx(20).margin(2));
  }
  CHECK(test::relative_error(scan->linear(copies, y, truth), (y[0] + y[1] + y[2]) / 3) < 1e-12);
  CHECK(scan->picture(y[1]).image.equal(y[1].select(2, 6)));
}

TEST_CASE("lambda_relaxation: pnp goes part of the way to the denoised image") {
  Options options = options_of({"--problem",
                                "noisy_volume",
                                "--image-size",
                                "12",
                                "--num-operators",
                                "2",
                                "--solver",
                                "pnp",
                                "--denoiser",
                                "tv",
                                "--denoiser-sigma",
                                "0.05",
                                "--denoiser-sigma-start",
                                "0.05",
                                "--step-size",
                                "0.4",
                                "--lambda-relaxation",
                                "5",
                                "--iterations",
                                "1",
                                "--dtype",
                                "float64",
                                "--quiet"});
  const restoration::Outcome outcome = run(options, self_communicator());
  // The mean of the copies, where the iteration starts, has no gradient.
  const Tensor mean = outcome.pictures.back().image;
  const Tensor denoised = TotalVariation().denoise(mean, 0.05);
  CHECK(test::relative_error(denoised, mean) > 0.01);
  CHECK(test::relative_error(outcome.result.x, ((mean + 2 * denoised) / 3).clamp(0, 1)) < 1e-12);
}

TEST_CASE("patches and overlaps along each axis are those of the tiles, or refused") {
  const auto tiling = [](const char* patch, const char* overlap) {
    return tiling_options(
        options_of({"--tiling", "deepinv", "--patch-size", patch, "--overlap", overlap}));
  };
  CHECK(tiling("4x16x8", "2x0x16").patch == PerAxis{4, 16, 8});
  CHECK(tiling("4x16x8", "2x0x16").blend == PerAxis{4, 0, 16});
  CHECK(tiling("4", "8").blend == PerAxis(16));
  const auto check = [&](const char* patch, const char* overlap) {
    restoration::check_tiles_fit(tiling(patch, overlap), {1, 1, 20, 30});
  };
  CHECK_NOTHROW(check("20x30", "19x29"));
  CHECK_NOTHROW(check("20", "19"));
  CHECK_THROWS_WITH(
      check("21", "2"),
      test::contains("--patch-size of 21 is larger than the image, 30x20; give 1 to 20"));
  CHECK_THROWS_WITH(
      check("20x31", "2"),
      test::contains("--patch-size of 31 is larger than the image, 30x20; give 1 to 30"));
  CHECK_THROWS_WITH(check("0x30", "2"), test::contains("--patch-size of 0 makes no tile"));
  CHECK_THROWS_WITH(check("20", "2x30"),
                    test::contains("--overlap of 30 cannot be reflected at the border of an image "
                                   "of 30x20; give at most 29"));
  CHECK_THROWS_WITH(
      check("6x20x4", "2"),
      test::contains("--tiling deepinv: --patch-size has 3 numbers, the image 2 dimensions"));
}

TEST_CASE("volumes are denoised by networks for pictures, inflated, in tiles of their own shape") {
  Options options =
      options_of({"--problem", "noisy_volume", "--image-size", "16", "--num-operators", "2",
                  "--iterations", "2", "--quiet", "--distribute-denoiser", "--tiling", "deepinv",
                  "--patch-size", "4x16x8", "--overlap", "2x0x8"});
  const restoration::Outcome outcome = run(options, self_communicator());
  CHECK(outcome.plan->tiles().size() == 8);
  CHECK(outcome.plan->tiles()[2].window_shape() == Extents{8, 16, 24});
  CHECK(psnr(outcome.result.x, outcome.truth).item<double>() >
        psnr(outcome.pictures.back().image, outcome.truth).item<double>() + 1);
}

TEST_CASE("parts of a scan have their adjoints, and together see what one sees") {
  for (const char* problem : problems) {
    INFO(problem);
    Options parts = options_of({"--problem", problem, "--image-size", "14", "--num-operators", "3",
                                "--views", "7", "--coils", "4", "--antennas", "5", "--hours", "3"});
    const Tensor truth = make_truth(parts);
    Options one = parts;
    one.num_operators = 1;
    const auto many = make_scan(parts, truth.sizes().slice(2));
    const auto single = make_scan(one, truth.sizes().slice(2));
    const StackedPhysics stack(3, [&](std::int64_t i) { return many->part(i); });
    const auto whole = single->part(0);
    for (std::int64_t i = 0; i < 3; ++i) CHECK(adjoint_error(*many->part(i), truth) < 1e-12);
    CHECK(test::relative_error(stack.normal(truth), whole->normal(truth)) < 1e-5);
    const TensorList clean = stack.forward(truth);
    CHECK(test::relative_error(many->linear(stack, clean, truth),
                               single->linear(*whole, whole->forward(truth), truth)) < 1e-5);
    const Panel shown = many->picture(clean.front());
    CHECK(shown.image.dim() == 4);
    CHECK(shown.image.max().item<double>() <= 1.05);

    parts.num_operators = 100000;
    CHECK_THROWS_WITH(make_scan(parts, truth.sizes().slice(2)),
                      test::contains("--num-operators: is 100000, expected at most the number of"));
  }
}

TEST_CASE("reconstructions are far better than the linear ones") {
  for (const char* problem : problems) {
    INFO(problem);
    const bool is_volume = std::string(problem) == "tomography_3d";
    Options options = options_of({"--problem", problem, "--image-size", is_volume ? "16" : "48",
                                  "--num-operators", "2", "--views", "24", "--quiet", "--solver",
                                  "primal_dual", "--iterations", "250"});
    const restoration::Outcome outcome = run(options, self_communicator());
    const Tensor linear = outcome.pictures.back().image.clamp(0, 1);
    INFO(outcome.compared);
    CHECK(psnr(outcome.result.x, outcome.truth).item<double>() >
          psnr(linear, outcome.truth).item<double>() + 2);
  }
}

TEST_CASE("the norm is estimated for the methods that step by it") {
  for (const char* solver : {"hqs", "pnp", "primal_dual"}) {
    INFO(solver);
    Options options =
        options_of({"--problem", "mri", "--image-size", "16", "--num-operators", "2", "--denoiser",
                    "tv", "--iterations", "1", "--quiet", "--solver", solver});
    const bool is_known = run(options, self_communicator()).norm_squared > 0;
    CHECK(is_known == (options.solver != SolverKind::hqs));
  }
}

TEST_CASE("a grid makes each image once") {
  const std::string truth = "scan_of_a_grid.npy";
  write_npy(truth, head_phantom(16, 2)[0][0]);
  ScanProgram program;
  const auto plan = [&](const char* views) {
    return program.plan(
        program.understand({"--truth", truth, "--views", views, "--denoiser", "tv"}), 1);
  };
  const grid::RunPlan first = plan("9");
  std::filesystem::remove(truth);
  CHECK(plan("10").bytes_per_rank == first.bytes_per_rank);
  CHECK_THROWS_WITH(plan("7"), test::contains("expected at most the number of views, 7"));
}

TEST_CASE("scan_reconstruction refuses what does not go together") {
  CHECK_THROWS_WITH(options_of({"--measurements", "a.npy"}), test::contains("give all of them"));
  CHECK_THROWS_WITH(options_of({"--image", "a.png", "--truth", "b.npy"}),
                    test::contains("stands for --truth"));
  CHECK_THROWS_WITH(options_of({"--problem", "tomography_3d", "--image", "a.png"}),
                    test::contains("needs a volume"));
  CHECK_THROWS_WITH(options_of({"--patch-size", "8x-16x16"}),
                    test::contains("--patch-size: is 8x-16x16, expected zero or more"));
  CHECK_THROWS_WITH(options_of({"--overlap", "2x16x"}),
                    test::contains("or one per axis as in 4x32x32"));
  ScanProgram program;
  CHECK(program.knows("hqs", "--prior-weight"));
  CHECK_FALSE(program.knows("pnp", "--prior-weight"));
  CHECK(program.title({}) == "tomography_2d-hqs");
}
