// DecodeBatch: one decode step of several sequences, and the ops that take what changes from step to step out of it.
//
// On a GPU all of that lies in the device's memory at addresses that stay for a batch of this size, so that a step that
// was recorded (Device::record) does the next one, too: set() is called outside of the recording, the ops inside.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/attention.h"
#include "ops/linear.h"
#include "ops/rotary.h"
#include "tensor/tensor.h"

namespace glyph::ops {

// One sequence: the token it reads next.
struct DecodeSlot {
  int32_t id = 0;
  TokenPosition position;
  KvLayer kv;              // of the model's first layer; has room for the token
  int64_t num_tokens = 0;  // with it: it becomes position num_tokens - 1
};

// One thread.
class DecodeBatch {
 public:
  static constexpr size_t kMaxSlots = 4096;

  explicit DecodeBatch(Device& device);

  // At most kMaxSlots, whose layers are of one shape and layer_bytes apart inside a block.
  void set(std::vector<DecodeSlot> slots, size_t layer_bytes);

  const std::vector<DecodeSlot>& slots() const { return slots_; }
  size_t layer_bytes() const { return layer_bytes_; }
  // No sequence is longer; a power of two, so that few recordings do for all lengths.
  int64_t max_tokens() const;

  // In the device's memory, one after another: (slots) Sequence, (slots) TokenPosition, (slots) int32_t ids.
  struct Sequence {
    const void* const* blocks = nullptr;  // KvLayer::device_blocks
    int64_t num_tokens = 0;
  };
  const void* on_device() const { return there_.get(); }

 private:
  Device& device_;
  DeviceMemory there_;  // of a GPU
  std::vector<std::byte> packed_;
  std::vector<DecodeSlot> slots_;
  size_t layer_bytes_ = 0;
};

// out (slots, n) f32 = the tokens' rows of the table; every id is inside it.
void embedding(Device& device, const DecodeBatch& batch, const ConstTensorView& table, const TensorView& out);

// cos and sin (slots, rotary_dim / 2) f32.
void text_rotary_table(Device& device, const DecodeBatch& batch, const TextRotaryOptions& options,
                       const TensorView& cos, const TensorView& sin);

// The linear layers before attention, of the heads of a batch's KvLayer.
struct HeadsProjection {
  LinearPart q, k, v;        // weights (heads or kv_heads * head_dim, inputs)
  ConstTensorView cos, sin;  // (slots, rotary_dim / 2) f32: how queries and keys turn (RotaryPairs::kInterleaved)
};

// linear(), rotary() and store_kv() of x (slots, inputs), to the same bits: the first columns of out (slots, (heads + 2 * kv_heads) * head_dim)
// become the turned queries; keys and values go to the last positions of their sequences, and what is in out in their place is of no use.
void project_heads(Device& device, const ConstTensorView& x, const HeadsProjection& heads, const DecodeBatch& batch, int64_t layer,
                   const TensorView& out);

// Row i of k and v (slots, kv_heads, head_dim) becomes the last position of sequence i.
void store_kv(Device& device, const ConstTensorView& k, const ConstTensorView& v, const DecodeBatch& batch,
              int64_t layer);

// As decode_attention in ops/attention.h, over all positions of each sequence.
void decode_attention(Device& device, const ConstTensorView& q, const DecodeBatch& batch, int64_t layer,
                      float scale, const TensorView& out);

}  // namespace glyph::ops
