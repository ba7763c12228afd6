// What stands behind ops/cuda/ops.h in a build without the CUDA toolkit. No CUDA device exists there, so none of
// these is ever called.
#include "ops/cuda/matrix_choices.h"
#include "ops/cuda/ops.h"

#include "base/check.h"

namespace glyph::ops::cuda {
namespace {

void unreachable() { GLYPH_CHECK(!"this build has no CUDA ops"); }

}  // namespace

void linear(CudaDevice&, const ConstTensorView&, std::span<const LinearPart>, const TensorView&,
            const LinearOptions&) {
  unreachable();
}
void swiglu_linear(CudaDevice&, const ConstTensorView&, const ConstTensorView&, const ConstTensorView&,
                   const TensorView&) {
  unreachable();
}
void rms_norm(CudaDevice&, const ConstTensorView&, const ConstTensorView&, float, const TensorView&) {
  unreachable();
}
void add_norm(CudaDevice&, const TensorView&, const ConstTensorView&, const AddNormWeights&,
              const TensorView&) {
  unreachable();
}
void layer_norm_gelu(CudaDevice&, const ConstTensorView&, const ConstTensorView&, const ConstTensorView&,
                     float, const TensorView&) {
  unreachable();
}
void softmax(CudaDevice&, const TensorView&) { unreachable(); }
void top_logits(CudaDevice&, const ConstTensorView&, const TensorView&) { unreachable(); }
void rotary(CudaDevice&, const TensorView&, const ConstTensorView&, const ConstTensorView&, RotaryPairs) {
  unreachable();
}
void vision_rotary_table(CudaDevice&, std::span<const PatchPosition>, std::span<const float>,
                         const TensorView&, const TensorView&) {
  unreachable();
}
void text_rotary_table(CudaDevice&, std::span<const TokenPosition>, std::span<const float>,
                       const TextRotaryOptions&, const TensorView&, const TensorView&) {
  unreachable();
}
void embedding(CudaDevice&, std::span<const int32_t>, const ConstTensorView&, const TensorView&) {
  unreachable();
}
void add_position_table(CudaDevice&, std::span<const PatchPosition>, const PatchGrid&,
                        const ConstTensorView&, const TensorView&) {
  unreachable();
}
void widen_bytes(CudaDevice&, std::span<const uint8_t>, const TensorView&) { unreachable(); }
void add_position_table(CudaDevice&, const PatchPosition*, const PatchGrid&, const ConstTensorView&,
                        const TensorView&) {
  unreachable();
}
void widen_device_bytes(CudaDevice&, const uint8_t*, int64_t, const TensorView&) { unreachable(); }
std::vector<MatrixChoice> matrix_choices(Device&) {
  unreachable();
  return {};
}
void set_matrix_choices(Device&, std::span<const MatrixChoice>) { unreachable(); }
void time_matrices_at_once(Device&, bool) { unreachable(); }
void choose_page_attention(CudaDevice&, const PageAttentionShape&, PageAttention) { unreachable(); }
std::string page_attention_library() {
  unreachable();
  return {};
}
void quantise(CudaDevice&, const ConstTensorView&, const TensorView&) { unreachable(); }
void load(CudaDevice&, const ConstTensorView&, const TensorView&) { unreachable(); }
void fill_random(CudaDevice&, const RandomValues&, const TensorView&) { unreachable(); }
void embedding(CudaDevice&, const DecodeBatch&, const ConstTensorView&, const TensorView&) { unreachable(); }
void text_rotary_table(CudaDevice&, const DecodeBatch&, std::span<const float>, const TextRotaryOptions&,
                       const TensorView&, const TensorView&) {
  unreachable();
}
bool project_heads(CudaDevice&, const ConstTensorView&, const HeadsProjection&, const DecodeBatch&, int64_t, const TensorView&) {
  unreachable();
  return false;
}
void store_kv(CudaDevice&, const ConstTensorView&, const ConstTensorView&, const DecodeBatch&, int64_t) {
  unreachable();
}
void decode_attention(CudaDevice&, const ConstTensorView&, const DecodeBatch&, int64_t, float,
                      const TensorView&) {
  unreachable();
}
void full_attention(CudaDevice&, const ConstTensorView&, const ConstTensorView&, const ConstTensorView&,
                    float, const TensorView&, std::span<const int64_t>) {
  unreachable();
}
void store_kv(CudaDevice&, const ConstTensorView&, const ConstTensorView&, int64_t, const KvLayer&) {
  unreachable();
}
void causal_attention(CudaDevice&, const ConstTensorView&, const KvLayer&, int64_t, float,
                      const TensorView&) {
  unreachable();
}
void decode_attention(CudaDevice&, const ConstTensorView&, std::span<const DecodeRow>, float,
                      const TensorView&) {
  unreachable();
}

}  // namespace glyph::ops::cuda
