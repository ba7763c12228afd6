// A decode step's layers without their attention: the norms and products of each, turned queries and stored keys and values
// included, one after the other.
// For what only shows when kernels follow each other: that a record gives what the calls give, and how long it takes.
#pragma once

#include <utility>
#include <vector>

#include "ops/decode_batch.h"
#include "ops/linear.h"
#include "ops/load.h"
#include "ops/norm.h"
#include "ops/quantise.h"
#include "tensor/device.h"

namespace glyph::ops {

// One thread. The device must outlive it.
class StepChain {
 public:
  struct Sizes {
    int64_t rows = 1, hidden = 4096, inner = 13696, kv = 256;
    int num_layers = 4;
  };

  StepChain(Device& device, const Sizes& sizes, DType weight_type)
      : device_(device),
        sizes_(sizes),
        activation_(sizes.rows <= 8 && !is_quantised(weight_type) ? DType::kF32 : DType::kBF16),
        x_(random(DType::kF32, {sizes.rows, sizes.hidden}, 1)),
        norm_weight_(random(DType::kF32, {sizes.hidden}, 1)),
        bias_(random(DType::kF32, {sizes.hidden + 2 * sizes.kv}, 1)),
        cos_(random(DType::kF32, {sizes.rows, kHeadDim / 4}, 1)),
        sin_(random(DType::kF32, {sizes.rows, kHeadDim / 4}, 1)),
        normed_(device, activation_, {sizes.rows, sizes.hidden}),
        qkv_(device, DType::kF32, {sizes.rows, sizes.hidden + 2 * sizes.kv}),
        attended_(device, activation_, {sizes.rows, sizes.hidden}),
        branch_(device, DType::kF32, {sizes.rows, sizes.hidden}),
        inner_(device, activation_, {sizes.rows, sizes.inner}),
        cache_(device, DType::kBF16, {sizes.rows, sizes.num_layers, 2, sizes.kv * kBlockTokens}),
        batch_(device) {
    set_batch();
    for (int i = 0; i < sizes.num_layers; ++i) {
      layers_.push_back({matrix(weight_type, sizes.hidden + 2 * sizes.kv, sizes.hidden),
                         matrix(weight_type, sizes.hidden, sizes.hidden), matrix(weight_type, 2 * sizes.inner, sizes.hidden),
                         matrix(weight_type, sizes.hidden, sizes.inner)});
    }
  }

  Tensor& x() { return x_; }  // (rows, hidden) f32: what the layers add to
  size_t weight_bytes() const {
    size_t bytes = 0;
    for (const Layer& layer : layers_) {
      for (const Tensor* matrix : {&layer.qkv, &layer.o, &layer.gate_up, &layer.down}) bytes += matrix->num_bytes();
    }
    return bytes;
  }

  void queue() {
    const ConstTensorView weight = norm_weight_.view();
    const AddNormWeights norms{weight, weight, 1e-5f};
    rms_norm(device_, x_.view(), weight, 1e-5f, normed_.view());
    for (size_t i = 0; i < layers_.size(); ++i) {
      const Layer& layer = layers_[i];
      const auto part = [&](int64_t begin, int64_t end) {
        return LinearPart{layer.qkv.view().rows(begin, end), std::as_const(bias_).view().rows(begin, end)};
      };
      const int64_t keys = sizes_.hidden, values = keys + sizes_.kv;
      project_heads(device_, normed_.view(), {part(0, keys), part(keys, values), part(values, values + sizes_.kv), cos_.view(), sin_.view()},
                    batch_, static_cast<int64_t>(i), qkv_.view());
      // In the place of attention: what reads the turned queries, and gives rows of the type that products want.
      rms_norm(device_, qkv_.view().slice(1, 0, sizes_.hidden), weight, 1e-5f, attended_.view());
      linear(device_, attended_.view(), {.weight = layer.o.view(), .bias = {}}, branch_.view());
      add_norm(device_, x_.view(), branch_.view(), norms, normed_.view());
      swiglu_linear(device_, normed_.view(), layer.gate_up.view().rows(0, sizes_.inner),
                    layer.gate_up.view().rows(sizes_.inner, 2 * sizes_.inner), inner_.view());
      linear(device_, inner_.view(), {.weight = layer.down.view(), .bias = {}}, branch_.view());
      add_norm(device_, x_.view(), branch_.view(), norms, normed_.view());
    }
  }

 private:
  static constexpr int64_t kHeadDim = 128, kBlockTokens = 64;
  struct Layer {
    Tensor qkv, o, gate_up, down;
  };

  // Every row a sequence of its own, of one block.
  void set_batch() {
    const size_t half = kv_half_bytes(sizes_.kv / kHeadDim, kBlockTokens, kHeadDim, DType::kBF16);
    std::vector<void*> blocks;
    std::vector<DecodeSlot> slots;
    blocks_ = device_.allocate(static_cast<size_t>(sizes_.rows) * sizeof(void*));
    for (int64_t row = 0; row < sizes_.rows; ++row) {
      blocks.push_back(cache_.view().rows(row, row + 1).raw());
      slots.push_back({.id = 0,
                       .position = {},
                       .kv = {.blocks = {},
                              .device_blocks = static_cast<const void* const*>(blocks_.get()) + row,
                              .value_offset = half,
                              .block_tokens = kBlockTokens,
                              .num_kv_heads = sizes_.kv / kHeadDim,
                              .head_dim = kHeadDim,
                              .dtype = DType::kBF16},
                       .num_tokens = row % kBlockTokens + 1});
    }
    device_.upload(blocks_.get(), blocks.data(), blocks.size() * sizeof(void*));
    batch_.set(std::move(slots), 2 * half);
  }
  Tensor random(DType type, const Shape& shape, float scale) {
    Tensor tensor(device_, type, shape);
    fill_random(device_, {.start = ++seed_ << 40, .scale = scale, .offset = 0}, tensor.view());
    return tensor;
  }
  Tensor matrix(DType type, int64_t outputs, int64_t inputs) {
    Tensor plain = random(is_quantised(type) ? DType::kBF16 : type, {outputs, inputs}, 1);
    if (!is_quantised(type)) return plain;
    Tensor tensor(device_, type, {outputs, inputs});
    quantise(device_, plain.view(), tensor.view());
    return tensor;
  }

  uint64_t seed_ = 0;
  Device& device_;
  Sizes sizes_;
  DType activation_;
  Tensor x_, norm_weight_, bias_, cos_, sin_, normed_, qkv_, attended_, branch_, inner_;
  Tensor cache_;  // (rows, layers, keys and values, ...)
  DeviceMemory blocks_;
  DecodeBatch batch_;
  std::vector<Layer> layers_;
};

}  // namespace glyph::ops
