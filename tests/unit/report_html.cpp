// SPDX-License-Identifier: BSD-3-Clause
#include <ATen/ops/rand.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base64.hpp"
#include "catch.hpp"
#include "files.hpp"
#include "page_data.hpp"
#include "tensors.hpp"
#include "tessera/comm/self.hpp"
#include "tessera/core/error.hpp"
#include "tessera/denoiser/total_variation.hpp"
#include "tessera/distributed/tiled_denoiser.hpp"
#include "tessera/report/report.hpp"
#include "tessera/run/run_folder.hpp"

using namespace tessera;
using nlohmann::json;

namespace {

/// A run of one iteration that restored `picture`.
void write_small_run(const std::string& folder, const Tensor& picture,
                     const std::string& solver = "pnp") {
  Recorder recorder({.truth = picture});
  recorder.on_start(picture);
  recorder.on_iteration({.x = picture * 0.5, .elapsed_s = 1});
  SolveResult result;
  result.x = picture * 0.5;
  result.iterations = 1;
  recorder.on_end(result);
  RunDescription description;
  description.configuration = {{"solver", solver}};
  write_run(folder, *self_communicator(), recorder, description);
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++found;
  }
  return found;
}

}  // namespace

TEST_CASE("base64: the examples of RFC 4648") {
  CHECK(tessera::detail::base64("") == "");
  CHECK(tessera::detail::base64("f") == "Zg==");
  CHECK(tessera::detail::base64("fo") == "Zm8=");
  CHECK(tessera::detail::base64("foo") == "Zm9v");
  CHECK(tessera::detail::base64("foob") == "Zm9vYg==");
  CHECK(tessera::detail::base64("fooba") == "Zm9vYmE=");
  CHECK(tessera::detail::base64("foobar") == "Zm9vYmFy");
  CHECK(tessera::detail::base64("\xff\xfe") == "//4=");
}

TEST_CASE("write_report: everything of the runs, each picture once, nothing from elsewhere") {
  const test::TemporaryFolder folder;
  const Tensor picture = test::indexed({1, 3, 20, 30}).abs();
  write_small_run(folder.file("a"), picture);
  write_small_run(folder.file("b"), picture, "</script><script>alert(1)</script>");
  const std::vector<std::string> notes =
      write_report(folder.file("report.html"), {folder.file("a"), folder.file("b")});
  CHECK(notes.empty());

  const std::string page = test::read_bytes(folder.file("report.html"));
  const json data = test::data_of(page);
  REQUIRE(data.at("runs").size() == 2);
  CHECK(data.at("runs").at(1).at("summary").at("configuration").at("solver") ==
        "</script><script>alert(1)</script>");
  CHECK(data.at("runs").at(0).at("metrics") == test::read_bytes(folder.file("a/metrics.csv")));
  CHECK(data.at("runs").at(0).at("plan").is_null());
  // The restored picture and the truth, which both runs share.
  CHECK(data.at("pictures").size() == 2);
  CHECK(data.at("runs").at(0).at("pictures") == data.at("runs").at(1).at("pictures"));
  for (const json& stored : data.at("pictures")) {
    CHECK(stored.at("uri").get<std::string>().starts_with("data:image/jpeg;base64,/9j/"));
    CHECK(stored.at("width") == 30);
  }
  CHECK(count(page, "<script") == 4);
  CHECK(count(page, "</script>") == 4);
  CHECK(count(page, "{{") - count(std::string(data.dump()), "{{") <= count(page, "plotly") + 1);
  CHECK(page.find("src=\"http") == std::string::npos);
  CHECK(page.find("<link rel=\"stylesheet") == std::string::npos);
  CHECK(std::filesystem::directory_iterator(folder.path()) !=
        std::filesystem::directory_iterator());
  CHECK(folder.entry_count() == 3);  // two runs and the report: no temporary file stays
}

TEST_CASE("write_report: unfinished and damaged runs are left out and named") {
  const test::TemporaryFolder folder;
  write_small_run(folder.file("good"), test::indexed({1, 1, 16, 16}).abs());
  for (const char* name : {"running", "broken", "incomplete", "bare"}) {
    std::filesystem::create_directory(folder.file(name));
  }
  test::write_bytes(folder.file("broken/summary.json"), "{\"completed\": tr");
  test::write_bytes(folder.file("incomplete/summary.json"), "{\"completed\": false}");
  test::write_bytes(folder.file("bare/summary.json"), "{\"completed\": true}");
  const std::vector<std::string> notes =
      write_report(folder.file("report.html"),
                   {folder.file("running"), folder.file("broken"), folder.file("good"),
                    folder.file("incomplete"), folder.file("bare"), folder.file("nowhere")});
  REQUIRE(notes.size() == 5);
  CHECK_THAT(notes[0], test::contains("running left out: has no summary.json"));
  CHECK_THAT(notes[1], test::contains("broken left out"));
  CHECK_THAT(notes[2], test::contains("incomplete left out"));
  CHECK_THAT(notes[3], test::contains("metrics.csv: cannot be read"));
  CHECK_THAT(notes[4], test::contains("nowhere left out"));
  const json data = test::data_of(test::read_bytes(folder.file("report.html")));
  CHECK(data.at("runs").size() == 1);
  CHECK(data.at("notes").size() == 5);

  CHECK_THROWS_AS(write_report(folder.file("report.html"), {}), error::InvalidArgument);
  CHECK_THROWS_AS(write_report(folder.file("no/where.html"), {folder.file("good")}), error::Io);
}

TEST_CASE("write_report: pictures are scaled down until they fit") {
  const test::TemporaryFolder folder;
  std::vector<std::string> runs;
  for (int i = 0; i < 3; ++i) {
    runs.push_back(folder.file(std::to_string(i)));
    write_small_run(runs.back(), at::rand({1, 3, 1000, 1500}));
  }
  write_report(folder.file("report.html"), runs);
  const json data = test::data_of(test::read_bytes(folder.file("report.html")));
  REQUIRE(data.at("pictures").size() == 6);
  std::size_t total = 0;
  for (const json& stored : data.at("pictures")) {
    total += stored.at("uri").get<std::string>().size();
    CHECK(stored.at("width") == 1500);  // of the file
  }
  CHECK(total < 4'600'000);
  CHECK(total > 1'000'000);
}

// Hidden: leaves its page in the working directory for the browser's test.
TEST_CASE("a page of one run, tiled, with an objective and without a truth", "[.page]") {
  const Tensor picture = at::rand({1, 3, 96, 128});
  TilingOptions tiling;
  tiling.minimum_tiles = 4;
  tiling.context = 4;
  Recorder recorder({.objective = [](const Tensor& x) { return x.sum().item<double>(); },
                     .denoiser = std::make_shared<TiledDenoiser>(std::make_shared<TotalVariation>(),
                                                                 self_communicator(), tiling)});
  recorder.on_start(picture);
  double size = 1;
  for (std::int64_t i = 0; i < 8; ++i, size /= 4) {
    recorder.on_iteration({.index = i,
                           .x = picture * (1 + size),
                           .gradient_time_s = 0.2,
                           .prior_time_s = 0.7,
                           .elapsed_s = static_cast<double>(i + 1),
                           .relative_change = size});
  }
  SolveResult result;
  result.x = picture;
  result.iterations = 8;
  recorder.on_end(result);
  write_run("without_truth", *self_communicator(), recorder);
  CHECK(write_report("without_truth/report.html", {"without_truth"}).empty());
}
