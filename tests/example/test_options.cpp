// SPDX-License-Identifier: BSD-3-Clause
// What the command line means: numbers, the method that follows from it, tiles, and the rule for
// intensities.
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>

#include "../../examples/highres_deblurring/options.hpp"
#include "../../examples/highres_deblurring/parts.hpp"
#include "../../examples/highres_deblurring/problem.hpp"
#include "catch.hpp"
#include "tessera/core/error.hpp"
#include "tessera/io/intensities.hpp"

using tessera::Tiling;

namespace {

void refused(std::vector<std::string> arguments, const std::string& text) {
  INFO(text);
  CHECK_THROWS_WITH(parse_arguments(std::move(arguments)), test::contains(text));
}

}  // namespace

TEST_CASE("Numbers are decimal, finite and in range, for every option") {
  for (const char* option : {"--noise-level", "--denoiser-sigma", "--denoiser-sigma-start",
                             "--red-weight", "--dpir-weight", "--tv-weight", "--prior-weight",
                             "--step-size", "--bandwidth", "--latency"}) {
    for (const char* wrong : {"inf", "-inf", "nan", "1e999", "0x10", "1,5", "", " 1", "1 ", "+1"}) {
      refused({option, wrong}, std::string(option) + ": is ");
    }
    refused({option, "-1"}, std::string(option) + ": is -1, expected");
  }
  for (const char* option :
       {"--page", "--image-size", "--max-image-size", "--num-operators", "--seed", "--iterations",
        "--max-batch-size", "--threads", "--repetitions", "--warmup", "--checkpoint-every",
        "--ranks", "--factor"}) {
    for (const char* wrong :
         {"010", "0x40", "-1", "64.0", "1e3", "18446744073709551616", "inf", "nan", "", "+64"}) {
      refused({option, wrong}, std::string(option) + ": is ");
    }
  }
  for (const char* option : {"--patch-size", "--overlap"}) {  // one number, or one per axis
    for (const char* wrong : {"010", "-1", "64.0", "1e3", "nan", "", "+64", "8x", "x8", "8x-1"}) {
      refused({option, wrong}, std::string(option) + ": is ");
    }
  }
  refused({"--threads", "100000"}, "--threads: is 100000, expected 0 to 1024");
  refused({"--image-size", "7"}, "--image-size: is 7, expected 8 to 1048576");
  refused({"--noise-level", "25"}, "--noise-level: is 25, expected 0 to 1, of intensities 0 to 1");
  refused({"--denoiser-sigma", "25"}, "--denoiser-sigma: is 25, expected 0 to 1");
  refused({"--step-size", "fast"}, "or auto");
  CHECK(parse_arguments({"--seed", "18446744073709551615"}).seed ==
        std::numeric_limits<std::uint64_t>::max());
  CHECK(parse_arguments({"--noise-level", "1e-3"}).noise_level == 1e-3);
  CHECK(parse_arguments({"--ranks", "1,2,16"}).ranks == std::vector<int>{1, 2, 16});
}

TEST_CASE("Names of files are not empty") {
  for (const char* option :
       {"--image", "--truth", "--measurements", "--weights", "--out", "--config", "--report"}) {
    refused({option, ""}, std::string(option) + ": is empty");
  }
}

TEST_CASE("Without a word about the method it is dpir with the clipped likelihood") {
  struct Method {
    std::string solver, prior, fidelity;
    bool operator==(const Method&) const = default;
  };
  const auto method = [](std::vector<std::string> arguments) {
    const Options options = parse_arguments(std::move(arguments));
    const Options again = parse_arguments(options.arguments);
    CHECK(again.arguments == options.arguments);
    CHECK(again.solver == options.solver);
    CHECK(again.fidelity == options.fidelity);
    return Method{std::string(settings::name_of(options.solver)),
                  std::string(settings::name_of(options.prior)),
                  std::string(settings::name_of(options.fidelity))};
  };
  const Method best{"dpir", "pnp", "clipped"};
  const Method published{"pnp", "pnp", "l2"};
  const Method red{"pnp", "red", "l2"};
  CHECK(method({}) == best);
  CHECK(method({"--iterations", "4", "--dpir-weight", "0.2"}) == best);
  CHECK(method({"--solver", "dpir"}) == best);
  CHECK(method({"--fidelity", "l2"}) == Method{"dpir", "pnp", "l2"});
  CHECK(method({"--plan"}).fidelity == "l2");
  CHECK(method({"--solver", "pnp"}) == published);
  CHECK(method({"--preset", "published"}) == published);
  CHECK(method({"--step-size", "0.1"}) == published);
  CHECK(method({"--step-size", "auto"}) == published);
  CHECK(method({"--denoiser-sigma", "0.02"}) == published);
  CHECK(method({"--denoiser-sigma-start", "0.2"}) == published);
  CHECK(method({"--noise-level", "0"}) == published);
  CHECK(method({"--denoiser", "dncnn"}) == published);
  CHECK(method({"--prior", "red"}) == red);
  CHECK(method({"--red-weight", "2"}) == red);
  CHECK(method({"--prior", "tv"}) == Method{"primal_dual", "tv", "l2"});
  CHECK(method({"--tv-weight", "2"}) == Method{"primal_dual", "tv", "l2"});
  CHECK(method({"--fidelity", "poisson"}) == Method{"primal_dual", "tv", "poisson"});
  CHECK(method({"--solver", "primal_dual", "--noise", "poisson"}).fidelity == "poisson");
  CHECK(method({"--noise", "poisson"}) == best);
  CHECK(method({"--noise", "salt_and_pepper"}) == Method{"primal_dual", "tv", "absolute"});
  CHECK(method({"--solver", "admm"}) == Method{"admm", "tv", "l2"});
  CHECK(method({"--solver", "admm", "--prior", "pnp", "--denoiser-sigma", "0.03"}) ==
        Method{"admm", "pnp", "l2"});
  CHECK(method({"--solver", "proximal_gradient"}) == Method{"proximal_gradient", "tv", "l2"});
  CHECK(method({"--prior", "ridge"}) == Method{"proximal_gradient", "ridge", "l2"});
  CHECK(method({"--prior", "wavelet"}) == Method{"proximal_gradient", "wavelet", "l2"});
  CHECK(method({"--solver", "admm", "--prior", "wavelet"}) == Method{"admm", "wavelet", "l2"});
  CHECK(method({"--prior", "ridge", "--denoiser-sigma", "0.03"}).solver == "proximal_gradient");
  CHECK(method({"--solver", "mlem"}).fidelity == "poisson");
  CHECK(method({"--step-size", "0.1", "--fidelity", "clipped"}).fidelity == "clipped");

  for (const char* option : {"--step-size", "--denoiser-sigma", "--denoiser-sigma-start"}) {
    refused({"--solver", "dpir", option, "0.1"}, std::string(option) + ": is for --solver pnp");
  }
  refused({"--solver", "dpir", "--red-weight", "1"}, "--red-weight: is for --solver pnp");
  refused({"--solver", "dpir", "--prior", "red"}, "red is for --solver pnp");
  refused({"--solver", "dpir", "--prior", "tv"},
          "--prior: tv is for --solver proximal_gradient, admm, primal_dual");
  refused({"--solver", "admm", "--prior", "ridge"},
          "--prior: ridge is for --solver proximal_gradient");
  refused({"--solver", "pnp", "--prior", "wavelet"},
          "--prior: wavelet is for --solver proximal_gradient, admm");
  refused({"--prior-weight", "1"}, "--prior-weight: is for --prior ridge and wavelet");
  refused({"--prior", "ridge", "--denoiser", "drunet"}, "--denoiser: is for --prior pnp and red");
  refused({"--prior", "wavelet", "--denoiser-sigma", "0.1"}, "--denoiser-sigma: is for");
  refused({"--solver", "primal_dual", "--prior", "pnp"},
          "--prior: pnp is for --solver dpir, pnp, proximal_gradient, admm");
  refused({"--solver", "admm", "--fidelity", "absolute"},
          "--fidelity: absolute is for --solver primal_dual");
  refused({"--solver", "mlem", "--fidelity", "l2"}, "--fidelity: l2 is for --solver dpir");
  refused({"--solver", "mlem", "--prior", "tv"}, "--prior: tv is for");
  refused({"--solver", "pnp", "--tv-weight", "1"}, "--tv-weight: is for --prior tv");
  refused({"--solver", "primal_dual", "--denoiser", "drunet"}, "--denoiser: is for --prior pnp");
  refused({"--prior", "tv", "--distribute-denoiser"}, "--distribute-denoiser: is for --prior pnp");
  refused({"--solver", "admm", "--denoiser-sigma", "0.1"}, "--denoiser-sigma: is for --solver pnp");
  refused({"--solver", "dpir", "--denoiser", "dncnn"}, "dncnn knows one level of noise");
  refused({"--denoiser", "dncnn", "--denoiser-sigma-start", "0.1"}, "dncnn knows one");
  refused({"--solver", "dpir", "--noise-level", "0"}, "--noise-level: is 0");
  refused({"--solver", "pnp", "--dpir-weight", "0.1"}, "--dpir-weight: is for --solver dpir");
  refused({"--step-size", "0.1", "--dpir-weight", "0.1"}, "--step-size asks for --solver pnp");
  refused({"--preset", "seed"}, "--preset: seed is called published");
  refused({"--tiling", "peer"}, "--tiling: peer is called deepinv");
  refused({"--preset", "none"}, "--preset: is none, expected default or published");
}

TEST_CASE("Levels and starting points follow the method, and parsed again they are the same") {
  const auto levels = [](std::vector<std::string> arguments) {
    const Options options = parse_arguments(std::move(arguments));
    const Options again = parse_arguments(options.arguments);
    CHECK(again.denoiser_sigma == options.denoiser_sigma);
    CHECK(again.denoiser_sigma_start == options.denoiser_sigma_start);
    return std::pair{options.denoiser_sigma_start.value_or(0), options.denoiser_sigma};
  };
  using Levels = std::pair<double, double>;
  CHECK(levels({"--solver", "pnp"}) == Levels{0.1, 0.01});
  CHECK(levels({"--denoiser-sigma", "0.02"}) == Levels{0, 0.02});
  CHECK(levels({"--denoiser-sigma-start", "0.2"}) == Levels{0.2, 0.01});
  CHECK(levels({"--denoiser-sigma-start", "0.2", "--denoiser-sigma", "0.02"}) == Levels{0.2, 0.02});
  CHECK(levels({"--preset", "published"}) == Levels{0, 0.005});
  CHECK(levels({"--solver", "proximal_gradient", "--prior", "pnp"}) == Levels{0.1, 0.01});
  CHECK(levels({"--solver", "proximal_gradient", "--prior", "pnp", "--denoiser-sigma", "0.02"}) ==
        Levels{0, 0.02});
  CHECK(levels({"--solver", "proximal_gradient", "--prior", "pnp", "--denoiser-sigma-start",
                "0.2"}) == Levels{0.2, 0.01});
  CHECK(levels({"--solver", "admm", "--prior", "pnp"}) == Levels{0, 0.05});
  CHECK(levels({"--prior", "ridge"}) == Levels{0, 0.05});
  CHECK(levels({}).first == 0);
  CHECK(levels({"--prior", "red"}) == Levels{0, 0.1});
  const Options published = parse_arguments({"--preset", "published", "--solver", "dpir"});
  CHECK(published.dpir_weight == 0.23);
  CHECK(parse_arguments(published.arguments).dpir_weight == 0.23);

  const auto start = [](std::vector<std::string> arguments) {
    const Options options = parse_arguments(std::move(arguments));
    CHECK(parse_arguments(options.arguments).init_method == options.init_method);
    return settings::name_of(options.init_method);
  };
  CHECK(start({"--solver", "pnp"}) == "adjoint");
  CHECK(start({"--step-size", "0.1"}) == "zeros");
  CHECK(start({"--preset", "published"}) == "zeros");
  CHECK(start({}) == "zeros");
  CHECK(start({"--init-method", "pseudo_inverse"}) == "pseudo_inverse");

  refused({"--denoiser-sigma-start", "0.2", "--prior", "red"}, "with --prior pnp");
  refused({"--solver", "admm", "--prior", "pnp", "--denoiser-sigma-start", "0.2"},
          "is for --solver pnp");
  refused({"--denoiser-sigma-start", "0.2", "--denoiser-sigma", "0"}, "positive --denoiser-sigma");
  refused({"--fidelity", "clipped", "--noise-level", "0"}, "positive --noise-level");
  refused({"--fidelity", "clipped", "--plan"}, "--plan");
}

TEST_CASE("The larger side of a photograph becomes the image size, exactly") {
  Options options;
  options.image = "photograph";
  for (const std::int64_t size : {512, 300, 64}) {
    options.image_size = size;
    for (const std::int64_t width : {685, 644, 1003, 98, 512, 2048}) {
      const std::int64_t height = width * 5 / 8;
      const Source wide{.image = at::zeros({1, 3, height, width})};
      const Source tall{.image = at::zeros({1, 1, width, height})};
      const std::vector<std::int64_t> shape = truth_shape(options, wide);
      INFO(width << " to " << size);
      CHECK(shape[3] == size);
      CHECK(std::abs(static_cast<double>(shape[2]) -
                     static_cast<double>(height * size) / static_cast<double>(width)) <= 0.5);
      CHECK(truth_shape(options, tall) == std::vector<std::int64_t>{1, 3, size, shape[2]});
    }
  }
  const Source long_one{.image = at::zeros({1, 3, 1, 4000})};
  CHECK(truth_shape(options, long_one) == std::vector<std::int64_t>{1, 3, 1, 64});
}

TEST_CASE("Frames of lower resolution: whole pixels, blurred and taken every so often") {
  Options options =
      parse_arguments({"--problem", "multiframe_superres", "--factor", "3", "--image-size", "64",
                       "--dtype", "float64", "--noise-level", "0.1"});
  CHECK(truth_shape(options, {}) == std::vector<std::int64_t>{1, 3, 39, 63});
  options.image = "photograph";
  const Source photograph{.image = at::zeros({1, 3, 50, 100})};
  CHECK(truth_shape(options, photograph) == std::vector<std::int64_t>{1, 3, 30, 63});

  const auto frame = make_operator(options, 4);
  tessera::Tensor impulse = at::zeros({1, 3, 39, 63}, at::kDouble);
  impulse[0][1][6][9] = 1;
  const tessera::Tensor image = frame->apply(impulse);
  CHECK(image.sizes() == at::IntArrayRef{1, 3, 13, 21});
  // The taps of a Gaussian of one pixel, of which there are five.
  CHECK(image[0][1][2][3].item<double>() == Approx(0.40262 * 0.40262).margin(1e-5));
  CHECK(image.sum().item<double>() == Approx(0.40262 * 0.40262).margin(1e-5));
  impulse = impulse.roll(-2, 3);
  CHECK(frame->apply(impulse)[0][1][2][3].item<double>() == Approx(0.40262 * 0.05449).margin(1e-5));

  const tessera::Tensor grey = at::full({1, 3, 39, 63}, 0.5, at::kDouble);
  const tessera::Tensor noise = frame->measure(grey)[0] - 0.5;
  CHECK(noise.std().item<double>() == Approx(0.1).epsilon(0.1));
  options.noise = NoiseKind::poisson;  // variance 0.01 times the intensity
  CHECK((make_operator(options, 4)->measure(grey)[0] - 0.5).std().item<double>() ==
        Approx(0.1 * std::sqrt(0.5)).epsilon(0.1));
}

TEST_CASE("Borders that are not circular: least squares, from the mean of what is seen") {
  const Options circular = parse_arguments({});
  const Options valid = parse_arguments({"--border", "valid"});
  CHECK(circular.fidelity == FidelityKind::clipped);
  CHECK(circular.init_method == InitMethod::zeros);
  CHECK(valid.fidelity == FidelityKind::l2);
  CHECK(valid.init_method == InitMethod::adjoint);
  const auto blur = make_operator(parse_arguments({"--border", "valid", "--image-size", "96"}), 0);
  CHECK(blur->apply(at::zeros({1, 3, 60, 96})).sizes() == at::IntArrayRef{1, 3, 52, 88});
}

TEST_CASE("Tiles that do not fit are refused in the words of the command line") {
  Options options;
  const auto complaint = [&](Tiling tiling, std::int64_t patch, std::int64_t overlap) {
    options.tiling = tiling;
    options.patch_size = patch;
    options.overlap = overlap;
    try {
      restoration::check_tiles_fit(tiling_options(options), {1, 3, 60, 96});
    } catch (const tessera::error::InvalidArgument& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK_THAT(complaint(Tiling::fixed, 61, 8),
             test::contains("--patch-size of 61 is larger than the image, 96x60; give 1 to 60"));
  CHECK_THAT(complaint(Tiling::deepinv, 0, 8), test::contains("--patch-size of 0 makes no tile"));
  CHECK_THAT(complaint(Tiling::deepinv, 30, 60), test::contains("--overlap of 60"));
  CHECK(complaint(Tiling::fixed, 60, 0).empty());
  CHECK(complaint(Tiling::even, 448, 32).empty());
  options.tiling = Tiling::fixed;
  options.overlap = 0;  // hard cuts, without a region to blend
  CHECK(tiling_options(options).blend == 0);
  options.overlap = 32;
  CHECK(tiling_options(options).blend == tessera::TilingOptions{}.blend);
}

TEST_CASE("Intensities: one rule for all readers") {
  using tessera::check_intensities;
  using tessera::Tensor;
  const auto with = [](double value) {
    Tensor values = at::full({2, 3, 4, 5}, 0.5);
    values.select(0, 1).select(0, 2).select(0, 3).select(0, 4).fill_(value);
    return values;
  };
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double value : {inf, -inf, nan}) {
    CHECK_THROWS_WITH(
        check_intensities("--truth t", with(value)),
        test::contains("--truth t: the file has 1 of 120 values that are not finite"));
  }
  const auto refuses = [&](double value, const std::string& text) {
    CHECK_THROWS_WITH(check_intensities("--truth t", with(value)), test::contains(text));
  };
  refuses(255, "reach from 0.5 to 255, expected 0 to 1; divide 8 bits by 255");
  refuses(65535, "divide 16 bits by 65535");
  refuses(3885.7, "reach from 0.5 to 3885.7");
  refuses(-1, "reach from -1 to 0.5, expected 0 to 1; map -1 to 1");
  refuses(1.6, "reach from 0.5 to 1.6");
  CHECK(check_intensities("t", with(0)).empty());
  CHECK(check_intensities("t", with(1.005)).empty());
  CHECK_THAT(check_intensities("t", with(1.3)),
             test::contains("t: intensities reach from 0.5 to 1.3, expected 0 to 1"));
  // Noise that was not clipped reaches further.
  CHECK(check_intensities("t", with(1.3), 0.1).empty());
  CHECK(check_intensities("t", with(-0.3), 0.1).empty());
  CHECK_FALSE(check_intensities("t", with(1.8), 0.1).empty());
  CHECK_THROWS(check_intensities("t", with(255), 0.1));
  CHECK_THAT(check_intensities("t", at::full({1, 3, 2, 2}, 0.0625)),
             test::contains("to 0.0625 of 1 only"));
}
