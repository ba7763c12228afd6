// e4m3 keys and values (ops/attention.h) on the processor: made when they are stored, widened before they are read, so that the
// kernels need not know them.
#pragma once

#include "ops/attention.h"
#include "ops/cpu/kernels.h"
#include "ops/cpu/packed_kv.h"

namespace glyph::ops::cpu {

// to (n) = x (n) / scale, which is returned.
float narrow_row(const float* x, int64_t n, E4M3* to);

// The positions of a piece, of any number in any blocks, as a layer of one block with one head whose first position is theirs. In the
// thread's scratch memory: one at a time.
class WideKv {
 public:
  // type: f32 or bf16.
  WideKv(const Kernels& kernels, const KvLayer& kv, const KvPiece& piece, DType type);
  WideKv(const WideKv&) = delete;
  WideKv& operator=(const WideKv&) = delete;

  const KvLayer& layer() const { return layer_; }

 private:
  void widen(const Kernels& kernels, const KvLayer& kv, const KvPiece& part, int64_t to);

  void* block_ = nullptr;
  KvLayer layer_;
};

}  // namespace glyph::ops::cpu
