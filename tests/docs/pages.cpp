// SPDX-License-Identifier: BSD-3-Clause
#include "pages.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/complex.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <filesystem>

#include "catch.hpp"
#include "tensors.hpp"
#include "tessera/fourier/coil_maps.hpp"
#include "tessera/fourier/multi_coil_fourier.hpp"
#include "tessera/fourier/multi_coil_nonuniform_fourier.hpp"
#include "tessera/fourier/nonuniform_fourier.hpp"
#include "tessera/tessera.hpp"
#include "world.hpp"

using namespace tessera;

namespace {

Tensor stripes(std::int64_t height, std::int64_t width, at::ScalarType type) {
  const Tensor down = at::arange(height, type).view({-1, 1});
  const Tensor along = at::arange(width, type);
  const auto channel = [&](double f) { return 0.5 + 0.4 * at::sin(f * down * along); };
  return at::stack({channel(0.004), channel(0.006), channel(0.009)}).unsqueeze(0);
}

/// Removes what an earlier run left in the working directory, one for each number of ranks.
void clean(const std::string& name) {
  static const auto folder = "pages." + std::to_string(test::world()->size());
  if (std::filesystem::current_path().filename() != folder) {
    std::filesystem::create_directories(folder);
    std::filesystem::current_path(folder);
  }
  test::world()->barrier();
  if (test::world()->is_root()) std::filesystem::remove_all(name);
  test::world()->barrier();
}

/// What the pages take for granted: two blurs shared by all ranks, total variation.
struct Problem {
  Tensor truth = stripes(24, 20, at::kDouble);
  std::shared_ptr<DistributedPhysics> physics = std::make_shared<DistributedPhysics>(
      2,
      [](std::int64_t index) {
        return std::make_unique<Blur>(gaussian_kernel(1.5, 0.5, 90.0 * static_cast<double>(index)));
      },
      test::world());
  L2 fidelity{physics, physics->measure(truth), truth};
  PlugAndPlay prior = PlugAndPlay::fixed(std::make_shared<TotalVariation>(), 0.01);

  auto solver(std::int64_t iterations) const {
    return PnP(fidelity, prior, {.step = 0.5, .stopping = {.max_iterations = iterations}});
  }
};

}  // namespace

TEST_CASE("README: the lines for many ranks restore what one rank does") {
  std::vector<LinearPhysicsPtr> blurs;
  for (const double angle : {0.0, 60.0, 120.0}) {
    auto blur = std::make_shared<Blur>(gaussian_kernel(2.0, 0.7, angle));
    blur->set_noise(std::make_shared<GaussianNoise>(0.01, 7, std::nullopt, blurs.size()));
    blurs.push_back(blur);
  }
  const Tensor truth = stripes(80, 96, at::kFloat);
  const TensorList photographs = StackedPhysics(blurs).measure(truth);

  const Tensor alone = pages::restore_alone(photographs, blurs);
  const Tensor shared = pages::restore_on_ranks(photographs, blurs, test::world());
  const double before = psnr(photographs.front(), truth).item<double>();
  const double after = psnr(alone, truth).item<double>();
  INFO("photograph " << before << " dB, restored " << after << " dB");
  CHECK(after > before + 1);
  CHECK((shared - alone).abs().max().item<double>() < 2e-3);  // tiles have a border each

  // Without select(), the error names it.
  if (test::world()->size() == 1) return;
  const auto physics = std::make_shared<DistributedPhysics>(blurs, test::world());
  CHECK_THROWS_WITH(L2(physics, photographs, truth), test::contains("physics.select(all)"));
}

TEST_CASE("write_an_operator.md: the operator passes its test and inverts") {
  const Tensor truth = stripes(26, 34, at::kDouble);
  const pages::OwnOperator page = pages::own_operator(truth);
  CHECK(page.adjoint_error < 1e-12);
  CHECK(page.norm_squared == Approx(0.25).epsilon(0.03));  // means of 4: ||A||^2 = 4 / 16
  CHECK(page.fidelity_of_truth == Approx(0.5 * 1e-4 * 3 * 13 * 17).epsilon(0.1));  // noise alone
  // The least-squares solution of least norm repeats each mean, noise included, four times.
  const Tensor x = page.least_squares;
  CHECK(x.sizes() == truth.sizes());
  const auto corner = [&](std::int64_t i, std::int64_t j) {
    return x.slice(2, i, std::nullopt, 2).slice(3, j, std::nullopt, 2);
  };
  CHECK((corner(1, 1) - corner(0, 0)).abs().max().item<double>() < 1e-5);
}

TEST_CASE("write_a_denoiser.md: tiles and priors give what the denoiser gives") {
  const Tensor truth = stripes(48, 56, at::kDouble);
  const Tensor noisy = truth + 0.1 * at::sin(100 * truth);
  const pages::OwnDenoiser page = pages::own_denoiser(noisy, 0.1, test::world());
  const pages::OwnDenoiser other = pages::own_denoiser(noisy, 0.05, test::world());
  CHECK((page.tiled - page.whole).abs().max().item<double>() < 1e-12);
  CHECK((page.matched - page.whole).abs().max().item<double>() < 1e-12);
  CHECK((page.fixed - other.whole).abs().max().item<double>() < 1e-12);
  CHECK((page.red - (noisy - other.whole)).abs().max().item<double>() < 1e-12);
  CHECK((page.whole - other.whole).abs().max().item<double>() > 1e-3);
}

TEST_CASE("sharded_images.md: boxes are restored as the whole is") {
  const Tensor truth = stripes(40, 48, at::kDouble);
  const Tensor kernels[] = {gaussian_kernel(1.5, 0.7, 0), gaussian_kernel(1.5, 0.7, 60)};
  const StackedPhysics whole({std::make_shared<Blur>(kernels[0], Padding::reflect),
                              std::make_shared<Blur>(kernels[1], Padding::reflect)});
  TensorList y;
  for (const Tensor& one : whole.forward(truth)) {
    y.push_back(GaussianNoise(0.05, 3, std::nullopt, y.size()).add(one));
  }
  const auto network = std::make_shared<TotalVariation>();
  const Tensor x =
      pages::restored_box(y, y.front(), kernels[0], kernels[1], network, test::world());
  CHECK(psnr(x, truth).item<double>() > psnr(y.front(), truth).item<double>() + 1);
}

TEST_CASE("choose_a_solver.md: photon counts are restored, nonnegative") {
  const auto blur = std::make_shared<Blur>(gaussian_kernel(1.0, 1.0));
  blur->set_noise(std::make_shared<PoissonNoise>(PoissonNoiseOptions{.background = 2, .seed = 5}));
  const Tensor truth = 40 * (stripes(24, 20, at::kDouble) - 0.2).clamp_min(0);
  const Tensor counts = blur->measure(truth).front();
  const Tensor x = pages::from_counts(blur, {counts}, at::ones_like(truth));
  CHECK(x.min().item<double>() >= 0);
  CHECK(nrmse(x, truth).item<double>() < 0.7 * nrmse(counts - 2, truth).item<double>());
}

TEST_CASE("reconstruct_a_scan.md: every method comes nearer than the one before") {
  const Tensor axis = at::arange(40, at::kDouble) / 20 - 0.975;
  const Tensor radius = (axis.square() + 1.5 * (axis.view({-1, 1}) - 0.1).square()).sqrt();
  const Tensor truth = ((radius < 0.8).to(at::kDouble) - 0.5 * (radius < 0.4)).view({1, 1, 40, 40});
  const pages::Scan found = pages::scan(truth, test::world());
  const auto error_of = [&](const Tensor& x) { return nrmse(x, truth).item<double>(); };
  CHECK(error_of(found.filtered) < 0.5);
  CHECK(error_of(found.least_squares) < 0.5 * error_of(found.filtered));
  CHECK(error_of(found.variation) < 0.5 * error_of(found.filtered));
  CHECK(error_of(found.plug_and_play) < 0.9 * error_of(found.filtered));
  CHECK(nrmse(found.shared_filtered, found.filtered).item<double>() < 1e-12);
  CHECK(nrmse(found.shared_least_squares, found.least_squares).item<double>() < 1e-3);  // as solved
}

TEST_CASE("weights.md: the grey network removes noise") {
  const Tensor truth = stripes(48, 56, at::kFloat).narrow(1, 0, 1);
  const Tensor noise =
      0.1 * at::sin(1000 * at::arange(truth.numel(), at::kFloat)).view(truth.sizes());
  const Tensor denoised = pages::denoised_grey(truth + noise, 0.07);
  CHECK((denoised - truth).norm().item<double>() < 0.5 * noise.norm().item<double>());
}

TEST_CASE("weights.md: the ridge prior moves noise more than the picture") {
  const Tensor truth = stripes(48, 56, at::kDouble);
  const Tensor noise =
      0.1 * at::sin(1000 * at::arange(truth.numel(), at::kDouble)).view(truth.sizes());
  const double picture = pages::ridge_gradient(truth).norm().item<double>();
  CHECK(pages::ridge_gradient(truth + noise).norm().item<double>() > 3 * picture);
  CHECK(pages::ridge_gradient(at::ones_like(truth)).abs().max().item<double>() < 1e-6);
}

TEST_CASE("checkpoint.md: a second run goes on from the file") {
  clean("run.checkpoint");
  const Problem problem;
  const auto run = [&](std::int64_t iterations) {
    return pages::resumed(problem.solver(iterations), problem.fidelity.adjoint_of_data(),
                          problem.truth, test::world());
  };
  run(4);
  CHECK(std::filesystem::exists("run.checkpoint"));
  const SolveResult continued = run(9);
  clean("run.checkpoint");
  const SolveResult whole = run(9);
  CHECK(continued.iterations == 9);
  CHECK(at::equal(continued.x, whole.x));
  clean("run.checkpoint");
}

TEST_CASE("reading_results.md: a few lines leave a run folder and its report") {
  clean("results");
  const Tensor truth = stripes(24, 20, at::kDouble);
  const auto blur = std::make_shared<Blur>(gaussian_kernel(1.0, 1.0, 0.0));
  const L2 fidelity(blur, blur->measure(truth), truth);
  const auto denoiser = std::make_shared<TiledDenoiser>(
      std::make_shared<TotalVariation>(), test::world(), TilingOptions{.context = 4, .blend = 0});
  const auto prior = PlugAndPlay::fixed(denoiser, 0.01);
  const PnP solver(fidelity, prior, {.step = 0.5, .stopping = {.max_iterations = 3}});
  pages::recorded(solver, fidelity.adjoint_of_data(), truth, test::world(), fidelity, denoiser);
  test::world()->barrier();
  for (const char* file : {"metrics.csv", "plan.json", "summary.json", "report.html"}) {
    INFO(file);
    CHECK(std::filesystem::exists(std::filesystem::path("results") / file));
  }
  clean("results");
}

TEST_CASE("magnetic_resonance.md: coils, spokes") {
  const Tensor truth =
      at::stack({stripes(40, 36, at::kDouble)[0][0], stripes(40, 36, at::kDouble)[0][1]})
          .unsqueeze(0);
  const Tensor ramp = at::arange(36, at::kDouble) / 36;
  const Tensor maps =
      at::complex(at::stack({0.3 + ramp, 1.3 - ramp}), at::stack({0.2 * ramp, 0 * ramp}))
          .view({1, 2, 1, 36})
          .expand({1, 2, 40, 36});
  Tensor mask = at::zeros({1, 36}, at::kDouble);
  mask.slice(1, 0, 36, 2).fill_(1);
  mask.narrow(1, 6, 24).fill_(1);
  const Tensor kspace = MultiCoilFourier(maps, mask).apply(truth);
  const Tensor points =
      at::stack({at::arange(50, at::kDouble), 2 * at::arange(50, at::kDouble)}, 1);
  const auto result = pages::magnetic_resonance(kspace, mask, truth, points, test::world());
  const Tensor found = estimate_coil_maps(kspace, {24, 24});
  const MultiCoilFourier physics(found, mask);
  CHECK(test::relative_error(result.normal, physics.normal(truth)) < 1e-12);
  CHECK(((physics.apply(result.image) - kspace).norm() / kspace.norm()).item<double>() < 0.1);
  CHECK(result.measured.equal(
      NonuniformFourier({40, 36}, points, {.complex_pairs = true}).apply(truth)));
  const MultiCoilNonuniformFourier radial(found, points, {.complex_pairs = true});
  CHECK(result.gradient.norm().item<double>() <
        1e-4 * radial.apply_adjoint(radial.apply(truth)).norm().item<double>());
}

TEST_CASE("radio_interferometry.md: a source is where it was put") {
  const auto ranks = test::world();
  const Tensor k = 200.0 * ranks->rank() + at::arange(200, at::kDouble);
  Visibilities mine{90 * at::stack({(1.3 * k).sin(), (2.1 * k).sin(), 0 * k}, 1), {}, {}};
  Tensor truth = at::zeros({1, 1, 24, 24}, at::kDouble);
  truth[0][0][7][15].fill_(3);
  mine.values =
      interferometer(mine, {24, 24}, 0.005)->forward(truth).front().flatten().to(at::kComplexFloat);
  const Tensor x = pages::radio_interferometry(mine, 24, 0.005, ranks);
  CHECK(x.argmax().item<std::int64_t>() == 7 * 24 + 15);
  CHECK(x.max().item<double>() > 1);
}
