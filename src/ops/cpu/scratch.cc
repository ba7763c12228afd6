#include "ops/cpu/scratch.h"

#include <array>
#include <memory>
#include <new>

namespace glyph::ops::cpu {
namespace {

struct Buffer {
  struct Free {
    void operator()(void* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  std::unique_ptr<void, Free> memory;
  size_t size = 0;
};

}  // namespace

void* scratch_bytes(ScratchUse use, size_t num_bytes) {
  thread_local std::array<Buffer, kScratchUses> buffers;
  Buffer& buffer = buffers[static_cast<size_t>(use)];
  if (buffer.size < num_bytes) {
    buffer.memory.reset();
    const size_t size = num_bytes + num_bytes / 8 + 64;
    buffer.memory.reset(::operator new (size, std::align_val_t{64}));
    buffer.size = size;
  }
  return buffer.memory.get();
}

}  // namespace glyph::ops::cpu
