// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <utility>

#include "compiled_network.hpp"
#include "tessera/core/error.hpp"
#include "tile_choice.hpp"
#include "weight_reader.hpp"

namespace tessera::engine {

namespace {

/// x + second(relu(first(x))).
struct Block {
  WinogradPtr first;
  WinogradPtr second;
};
using Blocks = std::vector<Block>;

Blocks read_blocks(WeightReader& reader, std::int64_t count, std::int64_t channels) {
  Blocks blocks;
  for (std::int64_t i = 0; i < count; ++i) {
    WinogradPtr first = reader.next_winograd(channels, false);
    blocks.push_back({std::move(first), reader.next_winograd(channels, false)});
  }
  return blocks;
}

/// One scale with those below it: blocks on the way down, the step to the coarser scale, the step
/// back, blocks on the way up.
struct Scale {
  std::int64_t channels = 0;  // padded
  Blocks before;
  MatrixWeights down;
  MatrixWeights up;
  Blocks after;
};

class Drunet final : public CompiledNetwork {
 public:
  Drunet(WeightReader reader, std::int64_t scales, std::int64_t blocks) {
    const Tensor head = reader.next_kernel(-1, -1, 3);
    std::vector<std::int64_t> widths = {head.size(0)};
    head_.in_channels = head.size(1);
    head_.planes = reader.planes(3);
    head_.weights =
        head_weights(values_of(head), nullptr, widths[0], head_.in_channels, head_.planes);
    planes_ = reader.planes(2);

    for (std::int64_t level = 1; level < scales; ++level) {
      Scale scale;
      const std::int64_t width = widths.back();
      scale.channels = padded_channels(width);
      scale.before = read_blocks(reader, blocks, width);
      const Tensor down = reader.next_kernel(-1, width, 2);
      widths.push_back(down.size(0));
      scale.down = down_weights(values_of(down), widths.back(), width, planes_);
      scales_.push_back(std::move(scale));
    }
    body_ = read_blocks(reader, blocks, widths.back());
    for (std::size_t i = scales_.size(); i-- > 0;) {
      const Tensor up = reader.next_kernel(widths[i + 1], widths[i], 2);
      scales_[i].up = up_weights(values_of(up), widths[i + 1], widths[i], planes_);
      scales_[i].after = read_blocks(reader, blocks, widths[i]);
    }

    const Tensor tail = reader.next_kernel(-1, widths[0], 3);
    tail_.out_channels = tail.size(0);
    tail_.planes = reader.planes(3);
    tail_.weights = tail_weights(values_of(tail), tail_.out_channels, widths[0], tail_.planes);
    if (reader.left() != 0) {
      throw error::ShapeMismatch(fmt::format("engine: {} weights are left over", reader.left()));
    }
  }

 private:
  std::int64_t out_channels() const override { return tail_.out_channels; }

  /// Residual blocks on slot `in`, in place; returns the slot of the result. With `keep`, `in` is
  /// left as it is and the first block writes elsewhere.
  static Program::Slot add_blocks(Program& program, const Blocks& blocks, Program::Slot in,
                                  bool keep) {
    Program::Slot current = in;
    for (const Block& block : blocks) {
      const Program::Slot out = keep && current == in ? program.image_like(in) : current;
      add_pair(program, *block.first, Epilogue::relu, *block.second, Epilogue::add, current, out);
      current = out;
    }
    return current;
  }

  void build(Program& program, Size size) const override {
    Program::Slot current = program.image(size, head_.weights.columns);
    program.need_scratch(head_scratch(head_, program.shape_of(current).width));
    program.step({current}, [this, &program, current](const Execution& e) {
      run_head(head_, e.in, program.image_of(e, current), e.lanes);
    });

    std::int64_t pixel = 1;
    std::vector<Program::Slot> skips;
    for (const Scale& scale : scales_) {
      current = add_blocks(program, scale.before, current, !skips.empty());
      size = {size.height / 2, size.width / 2, size.depth / planes_};
      pixel *= 2;
      const Program::Slot next = program.image(size, scale.down.columns, pixel);
      program.step({current, next}, [&program, &scale, current, next](const Execution& e) {
        run_down(scale.down, program.box_of(e, current), program.box_of(e, next), e.lanes);
      });
      skips.push_back(next);
      current = next;
    }
    current = add_blocks(program, body_, current, !skips.empty());
    for (std::size_t i = scales_.size(); i-- > 0;) {
      const Scale& scale = scales_[i];
      const Program::Slot skip = skips[i];
      size = {size.height * 2, size.width * 2, size.depth * planes_};
      pixel /= 2;
      const Program::Slot next = program.image(size, scale.channels, pixel);
      program.need_scratch(up_scratch(scale.up.rows));
      program.step({current, skip, next},
                   [&program, &scale, current, skip, next](const Execution& e) {
                     run_up(scale.up, program.box_of(e, current), program.box_of(e, skip),
                            program.box_of(e, next), e.lanes);
                   });
      current = add_blocks(program, scale.after, next, false);
    }
    program.need_scratch(tail_scratch(tail_, &head_, program.shape_of(current).width));
    program.fetch_surroundings(current);
    program.step({current}, [this, &program, current](const Execution& e) {
      run_tail(tail_, program.image_of(e, current), &head_, &e.in, e.out, e.lanes);
    });
  }

  std::int64_t planes_ = 1;  // of the kernels between scales
  Head head_;
  std::vector<Scale> scales_;
  Blocks body_;
  Tail tail_;
};

}  // namespace

std::unique_ptr<Network> compile_drunet(const std::vector<Tensor>& weights, std::int64_t scales,
                                        std::int64_t blocks, const CompileOptions& options) {
  const auto build = [scales, blocks](WeightReader reader) {
    return std::make_unique<Drunet>(reader, scales, blocks);
  };
  return choose_tiles(weights, build, std::int64_t{1} << (scales - 1), options);
}

}  // namespace tessera::engine
