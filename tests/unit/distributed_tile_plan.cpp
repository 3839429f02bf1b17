// SPDX-License-Identifier: BSD-3-Clause
#include <map>
#include <ostream>

#include "catch.hpp"
#include "tessera/core/error.hpp"
#include "tessera/distributed/blend_window.hpp"
#include "tessera/distributed/tile_plan.hpp"

namespace tessera {

/// How failed comparisons print.
std::ostream& operator<<(std::ostream& stream, const Interval& interval) {
  return stream << "[" << interval.begin << ", " << interval.end << ")";
}

}  // namespace tessera

using namespace tessera;

namespace {

using Extents = std::vector<std::int64_t>;

/// Calls visit(pixel) for all pixels of the box.
template <typename Visit>
void for_each_pixel(const std::vector<Interval>& box, const Visit& visit) {
  Extents pixel;
  for (const Interval& interval : box) pixel.push_back(interval.begin);
  for (;;) {
    visit(pixel);
    std::size_t axis = box.size();
    while (axis > 0 && ++pixel[axis - 1] == box[axis - 1].end) {
      pixel[axis - 1] = box[axis - 1].begin;
      --axis;
    }
    if (axis == 0) return;
  }
}

/// Every pixel in exactly one core, weights that sum to one, supports within windows, windows
/// within the image.
void check_plan(const TilePlan& plan) {
  std::int64_t pixels = 1;
  for (const std::int64_t extent : plan.shape()) pixels *= extent;
  std::map<Extents, int> owners;
  for (const BlendWindow window :
       {BlendWindow::constant, BlendWindow::linear, BlendWindow::cosine, BlendWindow::gaussian}) {
    std::map<Extents, double> sums;
    double least = 1;
    for (const Tile& tile : plan.tiles()) {
      std::vector<Interval> core;
      std::vector<Interval> kept;
      std::vector<std::vector<double>> weights;
      for (std::size_t axis = 0; axis < tile.axes.size(); ++axis) {
        const TileAxis& part = tile.axes[axis];
        core.push_back(part.core);
        kept.push_back(weighted_interval(part, window));
        weights.push_back(axis_weights(part, window));
        REQUIRE(part.core.length() >= 1);
        REQUIRE(part.support().begin <= part.core.begin);
        REQUIRE(part.support().end >= part.core.end);
        REQUIRE(part.window.begin <= part.support().begin);
        REQUIRE(part.window.end >= part.support().end);
        if (plan.border() == Border::clamp) {
          REQUIRE(part.window.begin >= 0);
          REQUIRE(part.window.end <= plan.shape()[axis]);
        }
        if (part.core.begin == 0) REQUIRE(weights.back().front() == 1.0);
        if (part.core.end == plan.shape()[axis]) REQUIRE(weights.back().back() == 1.0);
        REQUIRE(static_cast<std::int64_t>(weights.back().size()) == kept.back().length());
      }
      if (window == BlendWindow::constant)
        for_each_pixel(core, [&](const Extents& pixel) { ++owners[pixel]; });
      for_each_pixel(kept, [&](const Extents& pixel) {
        double product = 1;
        for (std::size_t axis = 0; axis < pixel.size(); ++axis) {
          product *= weights[axis][static_cast<std::size_t>(pixel[axis] - kept[axis].begin)];
        }
        least = std::min(least, product);
        sums[pixel] += product;
      });
    }
    double worst = 0;
    for (const auto& [pixel, sum] : sums) worst = std::max(worst, std::abs(sum - 1));
    CHECK(static_cast<std::int64_t>(sums.size()) == pixels);
    CHECK(worst <= 2 * std::numeric_limits<double>::epsilon());
    CHECK(least > 0);
  }
  REQUIRE(static_cast<std::int64_t>(owners.size()) == pixels);
  for (const auto& [pixel, count] : owners) {
    if (count != 1) FAIL("a pixel lies in " << count << " cores");
  }
}

/// Cores along one axis, from the tiles that lie at the beginning of the other axes.
std::vector<Interval> cores_along(const TilePlan& plan, std::size_t axis) {
  std::vector<Interval> cores;
  for (const Tile& tile : plan.tiles()) {
    bool first = true;
    for (std::size_t other = 0; other < tile.axes.size(); ++other) {
      first = first && (other == axis || tile.axes[other].core.begin == 0);
    }
    if (first) cores.push_back(tile.axes[axis].core);
  }
  return cores;
}

std::vector<Interval> windows_along(const TilePlan& plan, std::size_t axis) {
  std::map<std::int64_t, Interval> windows;
  for (const Tile& tile : plan.tiles())
    windows[tile.axes[axis].core.begin] = tile.axes[axis].window;
  std::vector<Interval> list;
  for (const auto& [begin, window] : windows) list.push_back(window);
  return list;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const error::InvalidArgument& error) {
    return error.what();
  }
  return "";
}

/// Tiles of a deepinv plan as it reports them: starts in the padded image, targets in the image.
void check_deepinv(const Extents& shape, std::int64_t patch, std::int64_t overlap,
                   const std::vector<Extents>& starts,
                   const std::vector<std::vector<Interval>>& targets) {
  const TilePlan plan = TilePlan::deepinv(shape, {patch}, overlap);
  CHECK(plan.tiles().size() == starts[0].size() * starts[1].size());
  for (std::size_t axis = 0; axis < 2; ++axis) {
    CHECK(cores_along(plan, axis) == targets[axis]);
    const std::vector<Interval> windows = windows_along(plan, axis);
    REQUIRE(windows.size() == starts[axis].size());
    for (std::size_t i = 0; i < windows.size(); ++i) {
      CHECK(windows[i].begin == starts[axis][i] - overlap);
      CHECK(windows[i].length() == patch + 2 * overlap);
    }
  }
}

}  // namespace

TEST_CASE("deepinv plans have the layout of the published tiling") {
  check_deepinv({2048, 1366}, 448, 32, {{0, 448, 896, 1344, 1600}, {0, 448, 896, 918}},
                {{{0, 448}, {448, 896}, {896, 1344}, {1344, 1792}, {1792, 2048}},
                 {{0, 448}, {448, 896}, {896, 1344}, {1344, 1366}}});
  check_deepinv({4096, 2731}, 448, 32,
                {{0, 448, 896, 1344, 1792, 2240, 2688, 3136, 3584, 3648},
                 {0, 448, 896, 1344, 1792, 2240, 2283}},
                {{{0, 448},
                  {448, 896},
                  {896, 1344},
                  {1344, 1792},
                  {1792, 2240},
                  {2240, 2688},
                  {2688, 3136},
                  {3136, 3584},
                  {3584, 4032},
                  {4032, 4096}},
                 {{0, 448},
                  {448, 896},
                  {896, 1344},
                  {1344, 1792},
                  {1792, 2240},
                  {2240, 2688},
                  {2688, 2731}}});
  check_deepinv({1024, 683}, 448, 32, {{0, 448, 576}, {0, 235}},
                {{{0, 448}, {448, 896}, {896, 1024}}, {{0, 448}, {448, 683}}});
  check_deepinv({512, 512}, 256, 64, {{0, 256}, {0, 256}},
                {{{0, 256}, {256, 512}}, {{0, 256}, {256, 512}}});
  check_deepinv({100, 57}, 32, 8, {{0, 32, 64, 68}, {0, 25}},
                {{{0, 32}, {32, 64}, {64, 96}, {96, 100}}, {{0, 32}, {32, 57}}});
}

TEST_CASE("plans cover images of one to three dimensions once, with weights that sum to one") {
  for (const std::int64_t blend : {0, 4, 10}) {
    check_plan(TilePlan::fixed({37}, {.patch = {10}, .overlap = 5, .blend = blend}));
    check_plan(TilePlan::fixed({37, 23},
                               {.patch = {16, 7}, .overlap = 5, .blend = blend, .alignment = 4}));
    check_plan(TilePlan::fixed({9, 11, 13}, {.patch = {5}, .overlap = 5, .blend = blend}));
    check_plan(TilePlan::fixed(
        {33, 21}, {.patch = {16, 20}, .overlap = 5, .blend = blend}));  // cores of 1 pixel
    for (const int ranks : {1, 2, 3, 5, 8, 40}) {
      check_plan(
          TilePlan::even({61, 47}, {.ranks = ranks, .context = 3, .blend = blend, .alignment = 2}));
      check_plan(TilePlan::even({101}, {.ranks = ranks, .context = 2, .blend = blend}));
      check_plan(TilePlan::even({17, 9, 21}, {.ranks = ranks, .context = 1, .blend = blend}));
      check_plan(TilePlan::even({1, 1}, {.ranks = ranks, .context = 3, .blend = blend}));
      check_plan(
          TilePlan::even({1, 40}, {.ranks = ranks, .context = 3, .blend = blend, .alignment = 8}));
      check_plan(TilePlan::even(
          {64, 40}, {.ranks = ranks, .context = 4, .blend = blend, .minimum_window = 24}));
    }
  }
  check_plan(TilePlan::deepinv({37, 23}, {16, 7}, 5));
  check_plan(TilePlan::deepinv({16, 16}, {16}, 5));
  check_plan(TilePlan::deepinv({9, 11, 13}, {5}, 2));
}

TEST_CASE("fixed plans have equal windows inside the image") {
  const TilePlan plan =
      TilePlan::fixed({2048, 1366}, {.patch = {448}, .overlap = 32, .alignment = 8});
  CHECK(cores_along(plan, 0) ==
        std::vector<Interval>{{0, 448}, {448, 896}, {896, 1344}, {1344, 1792}, {1792, 2048}});
  CHECK(windows_along(plan, 0) ==
        std::vector<Interval>{{0, 512}, {416, 928}, {864, 1376}, {1312, 1824}, {1536, 2048}});
  // 1366 is no multiple of 8: the last window begins on the grid and ends at the border.
  CHECK(windows_along(plan, 1) ==
        std::vector<Interval>{{0, 512}, {416, 928}, {848, 1366}, {848, 1366}});

  // An image smaller than one tile: one window, the image.
  const TilePlan small = TilePlan::fixed({450, 448}, {.patch = {448}, .overlap = 32});
  CHECK(small.tiles().size() == 2);
  CHECK(small.tiles()[0].window_shape() == Extents{450, 448});
}

TEST_CASE("even plans give every rank the same work") {
  const auto imbalance = [](const Extents& shape, int ranks) {
    const TilePlan plan = TilePlan::even(shape, {.ranks = ranks, .context = 32, .alignment = 8});
    return plan.costs({.ranks = ranks}).imbalance;
  };
  CHECK(imbalance({2048, 1366}, 16) <= 1.26);
  CHECK(imbalance({4096, 2731}, 16) <= 1.13);
  CHECK(imbalance({2048, 1366}, 1) == 1.0);
  CHECK(imbalance({2048, 1366}, 2) <= 1.04);

  // Border tiles take the larger cores: two halos inside, one at the border, all windows alike.
  const TilePlan plan = TilePlan::even({2048, 1366}, {.ranks = 16, .context = 32, .alignment = 8});
  CHECK(windows_along(plan, 0) ==
        std::vector<Interval>{{0, 560}, {496, 1056}, {992, 1552}, {1488, 2048}});
  for (const Tile& tile : plan.tiles()) {
    for (const TileAxis& axis : tile.axes) CHECK(axis.window.begin % 8 == 0);
  }
}

TEST_CASE("the work of the fixed and the deepinv's tiling at 16 ranks") {
  const TilePlan deepinv = TilePlan::deepinv({2048, 1366}, {448}, 32);
  CHECK(deepinv.costs({.ranks = 16}).imbalance == Approx(2 * 512.0 * 512 * 16 / (2048.0 * 1366)));
  CHECK(deepinv.costs({.ranks = 16}).work_factor == Approx(20 * 512.0 * 512 / (2048.0 * 1366)));
}

TEST_CASE("even plans keep to the memory limit and the number of tiles asked for") {
  for (const std::int64_t limit : {20000, 70000, 262144}) {
    const TilePlan plan = TilePlan::even(
        {1024, 683}, {.context = 16, .blend = 8, .alignment = 8, .max_window_pixels = limit});
    for (const Tile& tile : plan.tiles()) CHECK(tile.window_pixels() <= limit);
    check_plan(
        TilePlan::even({102, 68}, {.context = 2, .blend = 4, .max_window_pixels = limit / 100}));
  }
  CHECK(TilePlan::even({64, 64}, {.context = 4, .minimum_tiles = 7}).tiles().size() >= 7);
  CHECK(TilePlan::even({64, 64}, {.context = 4}).tiles().size() == 1);
  const TilePlan narrow = TilePlan::even({128}, {.ranks = 8, .context = 1, .minimum_window = 24});
  for (const TileAxis& axis : narrow.tiles()[3].axes) CHECK(axis.window.length() >= 24);
}

TEST_CASE("tiles are assigned by their work, every rank count") {
  const TilePlan plan = TilePlan::fixed({100, 57}, {.patch = {32}, .overlap = 8});
  for (const int ranks : {1, 2, 3, 7, 20}) {
    const Partition partition = plan.assign(ranks);
    std::int64_t count = 0;
    for (int rank = 0; rank < ranks; ++rank)
      count += static_cast<std::int64_t>(partition.of(rank).size());
    CHECK(count == 8);
  }
  CHECK(plan.costs({.ranks = 20}).idle_ranks == 12);
}

TEST_CASE("a plan's summary tells its costs") {
  const TilePlan plan =
      TilePlan::even({256, 256}, {.ranks = 4, .context = 32, .blend = 16, .alignment = 8});
  const TileCosts costs = plan.costs({.ranks = 4, .channels = 3, .bytes_per_element = 4});
  CHECK(costs.tiles == 4);
  CHECK(costs.largest_window == Extents{168, 168});
  CHECK(costs.work_factor == Approx(4 * 168.0 * 168 / (256.0 * 256)));
  CHECK(costs.imbalance == Approx(costs.work_factor));
  // Each of the four tiles contributes its core of 128 x 128 and half of the blended region.
  CHECK(costs.exchanged_bytes == Approx(4 * 136.0 * 136 * 12));
  CHECK(plan.costs({.ranks = 1}).exchanged_bytes == 0);
  const std::string text = plan.summary({.ranks = 4});
  CHECK(text.find("4 tiles, 168x168 to 168x168 pixels") != std::string::npos);
  CHECK(text.find("1.723") != std::string::npos);
  CHECK(plan.summary({.ranks = 5}).find("ranks without a tile: 1") != std::string::npos);
}

TEST_CASE("per axis: one number counts for all axes, several for one each") {
  const Extents volume = {17, 22, 35};
  const auto same = [](const TilePlan& a, const TilePlan& b) { return a.tiles() == b.tiles(); };
  for (const int ranks : {1, 2, 3, 4, 5}) {
    const TilePlan one = TilePlan::even(volume, {.ranks = ranks, .context = 3, .blend = 4});
    CHECK(same(one,
               TilePlan::even(volume, {.ranks = ranks, .context = {3, 3, 3}, .blend = {4, 4, 4}})));
    const TilePlan several = TilePlan::even(
        volume, {.ranks = ranks, .context = {1, 2, 5}, .blend = {0, 4, 2}, .minimum_tiles = 8});
    check_plan(several);
    for (const Tile& tile : several.tiles()) {
      for (std::size_t axis = 0; axis < 3; ++axis) {
        const TileAxis& part = tile.axes[axis];
        const std::int64_t context = std::vector<std::int64_t>{1, 2, 5}[axis];
        const std::int64_t blend = std::vector<std::int64_t>{0, 4, 2}[axis];
        if (part.core.begin > 0) {
          CHECK(part.blend_before == blend / 2);
          CHECK(part.support().begin - part.window.begin ==
                std::min(context, part.support().begin));
        }
        if (part.core.end < volume[axis]) {
          CHECK(part.blend_after == blend / 2);
          CHECK(part.window.end - part.support().end ==
                std::min(context, volume[axis] - part.support().end));
        }
      }
    }
  }
  const FixedTiles fixed{.patch = {8, 11, 35}, .overlap = {2, 4, 0}, .blend = {4, 2, 0}};
  const TilePlan plan = TilePlan::fixed(volume, fixed);
  check_plan(plan);
  CHECK(windows_along(plan, 0) == std::vector<Interval>{{0, 12}, {5, 17}, {5, 17}});
  CHECK(windows_along(plan, 1) == std::vector<Interval>{{0, 19}, {3, 22}});
  CHECK(windows_along(plan, 2) == std::vector<Interval>{{0, 35}});
  CHECK(same(
      TilePlan::fixed(volume, {.patch = 9, .overlap = 3, .blend = 2}),
      TilePlan::fixed(volume, {.patch = {9, 9, 9}, .overlap = {3, 3, 3}, .blend = {2, 2, 2}})));

  const TilePlan deepinv = TilePlan::deepinv(volume, {17, 11, 20}, {0, 4, 7});
  check_plan(deepinv);
  CHECK(windows_along(deepinv, 0) == std::vector<Interval>{{0, 17}});
  CHECK(windows_along(deepinv, 1) == std::vector<Interval>{{-4, 15}, {7, 26}});
  CHECK(windows_along(deepinv, 2) == std::vector<Interval>{{-7, 27}, {8, 42}});
}

TEST_CASE("what cannot work is refused with what would") {
  const auto fixed = [](const FixedTiles& options) {
    return message_of([&] { TilePlan::fixed({320, 512}, options); });
  };
  CHECK(fixed({.patch = {448}}) ==
        "TilePlan.fixed: the patch of 448 pixels is larger than the image, 320x512 (320 pixels "
        "along axis 0); use a "
        "patch of at most 320, or even tiles, which fit any image");
  CHECK(fixed({.patch = {64}, .overlap = -1}).find("overlap is -1, expected at least 0") !=
        std::string::npos);
  CHECK(fixed({.patch = {64, 64, 64}}).find("one number for all or one per dimension") !=
        std::string::npos);
  CHECK(fixed({.patch = {0}}).find("the patch is 0") != std::string::npos);
  CHECK(
      fixed({.patch = {64}, .overlap = 8, .blend = 20}).find("use blend <= 16 or overlap >= 10") !=
      std::string::npos);
  CHECK(fixed({.patch = {64}, .alignment = 0}).find("alignment is 0") != std::string::npos);

  CHECK(message_of([] {
          TilePlan::deepinv({320, 512}, {448}, 32);
        }).find("larger than the image") != std::string::npos);
  CHECK(message_of([] {
          TilePlan::deepinv({16, 16}, {8}, 16);
        }).find("use an overlap of at most 15") != std::string::npos);
  CHECK(message_of([] {
          TilePlan::deepinv({16, 16}, {8}, -1);
        }).find("overlap is -1") != std::string::npos);

  const auto even = [](const EvenTiles& options) {
    return message_of([&] { TilePlan::even({64, 64}, options); });
  };
  CHECK(even({.ranks = 0}).find("ranks is 0") != std::string::npos);
  CHECK(even({.context = -1}).find("context is -1") != std::string::npos);
  CHECK(even({.blend = -2}).find("blend is -2") != std::string::npos);
  CHECK(even({.context = {4, -1}}) == "TilePlan.even: context is 4x-1, expected at least 0");
  CHECK(even({.blend = {4, 2, 4}}) ==
        "TilePlan.even: blend has 3 numbers, the image 2 dimensions; give one number for all or "
        "one per dimension");
  CHECK(fixed({.patch = {64, 32}, .overlap = {8, 2}, .blend = {16, 6}})
            .find("use blend <= 4 or overlap >= 3") != std::string::npos);
  CHECK(even({.context = 32, .max_window_pixels = 100})
            .find("raise the limit or lower the context") != std::string::npos);
  CHECK(even({.alignment = 16, .minimum_tiles = 17}).find("ask for at most 16") !=
        std::string::npos);
  CHECK(message_of([] { TilePlan::even({}, {}); }).find("one to three positive extents") !=
        std::string::npos);
  CHECK(message_of([] { TilePlan::even({4, 0}, {}); }).find("[4, 0]") != std::string::npos);
  CHECK(message_of([] {
          TilePlan::even({4, 4, 4, 4}, {});
        }).find("[4, 4, 4, 4]") != std::string::npos);
  CHECK(message_of([] { blend_window("hann"); }).find("'hann'") != std::string::npos);
}

TEST_CASE("blend windows have their formulas") {
  const TileAxis axis{.core = {10, 20}, .window = {0, 30}, .blend_before = 4, .blend_after = 0};
  const std::vector<double> linear = axis_weights(axis, BlendWindow::linear);
  const std::vector<double> cosine = axis_weights(axis, BlendWindow::cosine);
  const std::vector<double> gaussian = axis_weights(axis, BlendWindow::gaussian);
  REQUIRE(linear.size() == 14);
  for (std::size_t i = 0; i < 8; ++i) {
    const double u = (static_cast<double>(i) + 0.5) / 8;
    CHECK(linear[i] == Approx(u));
    CHECK(cosine[i] == Approx(0.5 - 0.5 * std::cos(3.14159265358979 * u)));
    const double mine = std::exp(-(1 - u) * (1 - u) / (2 * 0.16));
    const double other = std::exp(-u * u / (2 * 0.16));
    CHECK(gaussian[i] == Approx(mine / (mine + other)));
  }
  CHECK(linear[8] == 1.0);
  CHECK(blend_window("gaussian") == BlendWindow::gaussian);
  CHECK(to_string(BlendWindow::cosine) == "cosine");
}
