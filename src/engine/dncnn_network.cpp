// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include "compiled_network.hpp"
#include "tile_choice.hpp"
#include "weight_reader.hpp"

namespace tessera::engine {

namespace {

/// A kernel of size 3 and its bias, if there is one.
struct Layer {
  Tensor weight;
  Tensor bias;

  Layer(WeightReader& reader, bool has_bias, std::int64_t out, std::int64_t in)
      : weight(reader.next_kernel(out, in, 3)) {
    if (has_bias) bias = reader.next({weight.size(0)});
  }
};

class Dncnn final : public CompiledNetwork {
 public:
  Dncnn(WeightReader reader, bool has_bias) {
    const Layer head(reader, has_bias, -1, -1);
    const std::int64_t channels = head.weight.size(0);
    head_.in_channels = head.weight.size(1);
    head_.relu = true;
    head_.planes = reader.planes(3);
    head_.weights = head_weights(values_of(head.weight), values_of(head.bias), channels,
                                 head_.in_channels, head_.planes);

    const std::int64_t tensors_per_layer = has_bias ? 2 : 1;
    while (reader.left() > tensors_per_layer) {
      layers_.push_back(reader.next_winograd(channels, has_bias));
    }

    const Layer tail(reader, has_bias, -1, channels);
    tail_.out_channels = tail.weight.size(0);
    tail_.planes = reader.planes(3);
    tail_.weights =
        tail_weights(values_of(tail.weight), tail_.out_channels, channels, tail_.planes);
    if (const float* bias = values_of(tail.bias); bias != nullptr) {
      tail_.bias = Buffer(tail_.out_channels);
      std::copy_n(bias, tail_.out_channels, tail_.bias.data());
    }
  }

 private:
  std::int64_t out_channels() const override { return tail_.out_channels; }

  void build(Program& program, Size size) const override {
    Program::Slot current = program.image(size, head_.weights.columns);
    program.need_scratch(head_scratch(head_, program.shape_of(current).width));
    program.step({current}, [this, &program, current](const Execution& e) {
      run_head(head_, e.in, program.image_of(e, current), e.lanes);
    });
    std::size_t i = 0;
    for (; i + 1 < layers_.size(); i += 2) {
      add_pair(program, *layers_[i], Epilogue::relu, *layers_[i + 1], Epilogue::relu, current,
               current);
    }
    if (i < layers_.size()) current = add_last(program, *layers_[i], current);
    program.need_scratch(tail_scratch(tail_, nullptr, program.shape_of(current).width));
    program.fetch_surroundings(current);
    program.step({current}, [this, &program, current](const Execution& e) {
      run_tail(tail_, program.image_of(e, current), nullptr, nullptr, e.out, e.lanes);
    });
  }

  /// The layer that an odd number of them leaves over.
  static Program::Slot add_last(Program& program, const WinogradWeights& layer, Program::Slot in) {
    const Program::Slot out = program.image_like(in);
    program.need_scratch(convolution_scratch(layer));
    program.fetch_surroundings(in);
    program.step({in, out}, [&program, &layer, in, out](const Execution& e) {
      Convolution work;
      work.in = program.image_of(e, in);
      work.out = program.image_of(e, out);
      work.weights = &layer;
      work.epilogue = Epilogue::relu;
      convolve(work, e.lanes);
    });
    return out;
  }

  Head head_;
  std::vector<WinogradPtr> layers_;
  Tail tail_;
};

}  // namespace

std::unique_ptr<Network> compile_dncnn(const std::vector<Tensor>& weights, bool has_bias,
                                       const CompileOptions& options) {
  const auto build = [has_bias](WeightReader reader) {
    return std::make_unique<Dncnn>(reader, has_bias);
  };
  return choose_tiles(weights, build, 1, options);
}

}  // namespace tessera::engine
