// SPDX-License-Identifier: BSD-3-Clause
#include "tessera/run/recorder.hpp"

#include <ATen/ops/zeros.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>

#include "catch.hpp"
#include "files.hpp"
#include "rows_text.hpp"
#include "tensors.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/metric/psnr.hpp"
#include "tessera/metric/ssim.hpp"
#include "tessera/solver/pnp.hpp"
#include "toys.hpp"

using namespace tessera;
using test::Halfway;
using test::Shrink;

namespace {

const Tensor target = test::indexed({1, 3, 8, 9}).abs() * 0.8 + 0.1;
const Tensor zero = at::zeros({1, 3, 8, 9}, at::kDouble);

PnPOptions iterations(std::int64_t count) {
  PnPOptions options{.step = 0.5};
  options.stopping.max_iterations = count;
  return options;
}

void pause(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

/// Leaves z as it is, after some work and some communication.
class TalkingPrior : public Prior {
 public:
  explicit TalkingPrior(CommunicatorPtr ranks) : ranks_(std::move(ranks)) {}
  std::string name() const override { return "talking"; }

 private:
  Tensor do_prox(const Tensor& z, double /*step*/) const override {
    double number = 0;
    ranks_->control().barrier();
    ranks_->all_reduce(&number, 1, DataType::f64, Reduction::sum);
    ranks_->all_reduce(&number, 1, DataType::f64, Reduction::sum);
    return z;
  }
  CommunicatorPtr ranks_;
};

std::vector<std::string> lines_of(const std::string& path) {
  std::istringstream text(test::read_bytes(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("recorder: a row per iteration with what was asked for") {
  const Halfway fidelity(target);
  const Shrink prior(1.0);
  Recorder recorder(
      {.truth = target, .objective = [&](const Tensor& x) { return fidelity.value(x); }});
  CHECK(!recorder.result());
  const SolveResult result = PnP(fidelity, prior, iterations(3)).solve(zero, recorder);
  REQUIRE(recorder.rows().size() == 3);
  for (std::size_t k = 0; k < 3; ++k) {
    const MetricsRow& row = recorder.rows()[k];
    const Tensor x = (1 - std::pow(0.5, k + 1.0)) * target;
    CHECK(row.iteration == static_cast<std::int64_t>(k));
    CHECK(row.psnr == Approx(psnr(x, target).item<double>()));
    CHECK(row.mse == Approx(mse(x, target).item<double>()));
    CHECK(row.ssim == Approx(ssim(x, target).item<double>()));
    CHECK(row.objective == Approx(fidelity.value(x)));
    CHECK(row.warmup == (k == 0));
    CHECK(row.gradient.time_s + row.denoise.time_s <= row.iteration_time_s);
    CHECK(row.gradient.communication_s == 0);
    CHECK(row.process.allocated_mb > 1);
    CHECK(row.process.peak_mb >= row.process.allocated_mb);
  }
  CHECK(recorder.rows()[2].time_s ==
        Approx(recorder.rows()[0].iteration_time_s + recorder.rows()[1].iteration_time_s +
               recorder.rows()[2].iteration_time_s));
  REQUIRE(recorder.result());
  CHECK(recorder.result()->iterations == 3);
  CHECK(test::relative_error(recorder.result()->x, result.x) == 0);

  Recorder nothing;
  PnP(fidelity, prior, iterations(1)).solve(zero, nothing);
  CHECK(std::isnan(nothing.rows().front().psnr));
  CHECK(std::isnan(nothing.rows().front().objective));

  Recorder other({.truth = test::indexed({1, 3, 8, 8})});
  CHECK_THROWS_WITH(PnP(fidelity, prior, iterations(1)).solve(zero, other),
                    test::contains("Recorder: the iterate is [1, 3, 8, 9]"));
  CHECK_THROWS_AS(Recorder({.warmup = -1}), error::InvalidArgument);
}

TEST_CASE("recorder: communication and waiting belong to the half in which they happen") {
  // Every operation takes 2 ms: the wait for the device after it.
  bool inside = false;
  const auto ranks = std::make_shared<CountingCommunicator>(self_communicator(), [&] {
    if (inside) pause(2);
    inside = !inside;
  });
  const Halfway fidelity(target);
  const TalkingPrior prior(ranks);
  Recorder recorder({.traffic = ranks});
  double number = 0;
  ranks->all_reduce(&number, 1, DataType::f64, Reduction::sum);  // before: not counted
  PnP(fidelity, prior, iterations(2)).solve(zero, recorder);
  for (const MetricsRow& row : recorder.rows()) {
    CHECK(row.gradient.communication_s == 0);
    CHECK(row.gradient.waiting_s == 0);
    CHECK(row.denoise.communication_s >= 0.004);
    CHECK(row.denoise.waiting_s >= 0.002);
    CHECK(row.denoise.time_s >= row.denoise.communication_s + row.denoise.waiting_s);
    CHECK(row.denoise.compute_s() < row.denoise.time_s - 0.005);
  }
  CHECK(ranks->data().calls == 5);
}

TEST_CASE("recorder: what observers do counts for no time of the solver") {
  struct Slow : Observer {
    std::vector<std::string> heard;
    void on_phase_begin(Phase phase) override {
      heard.emplace_back(phase == Phase::gradient ? "gradient" : "prior");
      pause(50);
    }
    void on_phase_end(Phase /*phase*/) override {
      heard.emplace_back("end");
      pause(50);
    }
    Verdict on_iteration(const Iteration& /*iteration*/) override { return Verdict::proceed; }
  } slow;
  const Halfway fidelity(target);
  const Shrink prior(1.0);
  Recorder recorder({.objective = [](const Tensor&) {
    pause(100);
    return 0.0;
  }});
  ObserverList both({slow, recorder});
  const SolveResult result = PnP(fidelity, prior, iterations(2)).solve(zero, both);
  CHECK(slow.heard == std::vector<std::string>{"gradient", "end", "prior", "end", "gradient", "end",
                                               "prior", "end"});
  CHECK(result.elapsed_s < 0.3);  // the observers took 0.6 s
  CHECK(recorder.rows().back().time_s == result.elapsed_s);
  CHECK(recorder.recording_time_s() >= 0.2);
}

TEST_CASE("recorder: repetitions, and a run that is continued") {
  const Halfway fidelity(target);
  const Shrink prior(1.0);
  const PnP solver(fidelity, prior, iterations(2));
  Recorder recorder({.warmup = 1});
  solver.solve(zero, recorder);
  solver.solve(zero, recorder);
  REQUIRE(recorder.rows().size() == 4);
  CHECK(recorder.rows()[1].repetition == 0);
  CHECK(recorder.rows()[2].repetition == 1);
  CHECK(recorder.rows()[2].warmup);
  CHECK(recorder.rows()[2].time_s == recorder.rows()[2].iteration_time_s);

  Recorder continued({.warmup = 1});
  continued.on_start(zero);
  continued.restore(recorder.save());
  REQUIRE(continued.rows().size() == 4);
  CHECK(continued.rows()[3].time_s == recorder.rows()[3].time_s);
  const double before = recorder.rows()[3].time_s;
  continued.on_iteration({.index = 2, .x = zero, .elapsed_s = before + 1});
  CHECK(continued.rows()[4].repetition == 1);
  CHECK(continued.rows()[4].iteration_time_s == Approx(1));
  CHECK_THROWS_WITH(continued.restore("half a row"), test::contains("is no 'tessera rows 1'"));
}

TEST_CASE("recorder: what it saves names its fields and gives back every bit") {
  MetricsRow row{.repetition = 2, .iteration = 1, .warmup = true, .psnr = 30.1};
  row.ssim = std::numeric_limits<double>::infinity();
  row.objective = -1.0 / 3;
  row.gradient.bytes_sent = (std::int64_t{1} << 62) + 1;
  row.denoise.memory.available_mb = 5e-324;
  row.denoise.memory_delta_mb = -0.1;
  row.memory.peak_mb = 1e300;
  row.process.reserved_mb = 4;
  const std::string text = tessera::detail::rows_to_text({row, MetricsRow{}});
  CHECK(text.starts_with("tessera rows 1\n2\nrepetition,iteration,warmup,psnr,"));
  CHECK_THAT(text, test::contains(",denoise.memory.available_mb,denoise.memory_delta_mb,"));
  const std::vector<MetricsRow> rows = tessera::detail::rows_from_text(text);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].repetition == 2);
  CHECK(rows[0].iteration == 1);
  CHECK(rows[0].warmup);
  CHECK(rows[0].psnr == 30.1);
  CHECK(rows[0].ssim == row.ssim);
  CHECK(std::isnan(rows[0].mse));
  CHECK(rows[0].objective == -1.0 / 3);
  CHECK(rows[0].gradient.bytes_sent == row.gradient.bytes_sent);
  CHECK(rows[0].denoise.memory.available_mb == 5e-324);
  CHECK(rows[0].denoise.memory_delta_mb == -0.1);
  CHECK(rows[0].memory.peak_mb == 1e300);
  CHECK(rows[0].process.reserved_mb == 4);
  CHECK(tessera::detail::rows_to_text(rows) == text);

  for (std::size_t size = 0; size < text.size(); ++size) {
    CHECK_THROWS_AS(tessera::detail::rows_from_text(text.substr(0, size)), error::InvalidArgument);
  }
  CHECK_THROWS_WITH(tessera::detail::rows_from_text(text.substr(0, text.size() - 1)),
                    test::contains("too short"));
  CHECK_THROWS_WITH(tessera::detail::rows_from_text(text + "1"),
                    test::contains("more than its rows"));
  std::string renamed = text;
  renamed.replace(renamed.find("psnr"), 4, "gain");
  CHECK_THROWS_WITH(tessera::detail::rows_from_text(renamed),
                    test::contains("fields of another version"));
  std::string damaged = text;
  damaged.replace(damaged.find("30.1"), 4, "3O.1");
  CHECK_THROWS_WITH(tessera::detail::rows_from_text(damaged), test::contains("'3O.1' as psnr"));
}

TEST_CASE("recorder: the columns of metrics.csv and rank_0.csv") {
  const test::TemporaryFolder folder;
  MetricsRow row{.iteration = 7, .psnr = 30.25, .mse = 0.125};
  row.gradient.time_s = 0.5;
  row.denoise.memory.peak_mb = 123.5;
  row.gradient.bytes_sent = 1000;
  row.denoise.bytes_sent = 24;
  MetricsRow on_gpu;
  on_gpu.memory = {.allocated_mb = 1, .reserved_mb = 2, .peak_mb = 3, .available_mb = 4};
  write_metrics_csv(folder.file("metrics.csv"), {row, on_gpu});
  const std::vector<std::string> lines = lines_of(folder.file("metrics.csv"));
  REQUIRE(lines.size() == 3);
  CHECK(
      lines[0].starts_with("iteration,psnr,ssim,mse,objective,gradient_time_sec,denoise_time_sec,"
                           "time,"));
  for (const char* name :
       {",gradient_memory_allocated_mb,", ",gradient_memory_reserved_mb,",
        ",gradient_memory_delta_mb,", ",gradient_memory_peak_mb,", ",denoise_memory_allocated_mb,",
        ",denoise_memory_reserved_mb,", ",denoise_memory_delta_mb,", ",denoise_memory_peak_mb,",
        ",gpu_memory_allocated_mb,", ",gpu_memory_reserved_mb,", ",gpu_memory_max_allocated_mb,",
        ",gpu_available_memory_mb,", ",rss_mb,", ",rss_peak_mb,"}) {
    CHECK_THAT(lines[0], test::contains(name));
  }
  CHECK(lines[1].starts_with("7,30.25,,0.125,,0.5,"));
  CHECK_THAT(lines[1], test::contains(",1024,"));       // the bytes of both halves
  CHECK_THAT(lines[1], test::contains(",123.5,,,,,"));  // no GPU
  CHECK_THAT(lines[2], test::contains(",1,2,3,4,"));

  write_rank_csv(folder.file("rank_0.csv"), {row});
  CHECK(lines_of(folder.file("rank_0.csv"))[1].starts_with("7,0.5,"));
  CHECK_THROWS_AS(write_rank_csv(folder.file("no/folder.csv"), {row}), error::Io);
}

TEST_CASE("memory: the process grows with what it holds") {
  const MemoryUse before = memory_use(at::kCPU);
  CHECK(before.available_mb > 1);
  CHECK(std::isnan(before.reserved_mb));
  // Much, and half of it is enough: the system may drop pages of the program's files meanwhile.
  constexpr std::int64_t mb = 512;
  const Tensor held = at::zeros({mb * 1024 * 1024 / 8}, at::kDouble) + 1;
  const MemoryUse after = memory_use(at::kCPU);
  CHECK(after.allocated_mb >= before.allocated_mb + 0.5 * mb);
  CHECK(after.peak_mb >= after.allocated_mb);
  reset_memory_peak(at::kCPU);
  CHECK(memory_use(at::kCPU).peak_mb >= 0.5 * mb);
}

TEST_CASE("Recorder: images too small for SSIM have the other metrics") {
  const auto row_of = [](std::int64_t height) {
    const Tensor truth = test::indexed({1, 3, height, 9}).abs() * 0.8 + 0.1;
    Recorder recorder({.truth = truth});
    recorder.on_start(truth);
    recorder.on_iteration({.index = 0, .x = truth * 0.5});
    return recorder.rows().back();
  };
  CHECK(std::isnan(row_of(5).ssim));
  CHECK(std::isfinite(row_of(5).psnr));
  CHECK(std::isfinite(row_of(6).ssim));
}
