#include "tensor/workspace.h"

#include <algorithm>

namespace glyph {
namespace {
constexpr size_t kAlignment = 64;
constexpr size_t kMinChunkBytes = size_t{4} << 20;
}  // namespace

TensorView Workspace::take(DType dtype, const Shape& shape) {
  const size_t wanted = storage_layout(dtype, shape).num_bytes;
  const size_t bytes = std::max(kAlignment, (wanted + kAlignment - 1) / kAlignment * kAlignment);
  while (chunk_ < chunks_.size() && used_ + bytes > chunks_[chunk_].size) {
    ++chunk_;
    used_ = 0;
  }
  if (chunk_ == chunks_.size()) {
    const size_t size = std::max(bytes, kMinChunkBytes);
    chunks_.push_back({device_->allocate(size), size});
  }
  void* data = static_cast<std::byte*>(chunks_[chunk_].memory.get()) + used_;
  used_ += bytes;
  return TensorView::stored(data, dtype, shape);
}

size_t Workspace::num_bytes() const {
  size_t sum = 0;
  for (const Chunk& chunk : chunks_) sum += chunk.size;
  return sum;
}

void Workspace::rewind(size_t chunk, size_t used) {
  chunk_ = chunk;
  used_ = used;
}

}  // namespace glyph
