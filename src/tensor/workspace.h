// Workspace: memory for the intermediate tensors of one forward pass, kept between passes so that no pass
// pays for page faults.
#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace glyph {

// A stack of tensors: take() puts one on top, a Frame takes everything down again that was put up since it
// was made. Grows to what the largest pass needed. One thread.
class Workspace {
 public:
  explicit Workspace(Device& device) : device_(&device) {}

  // Uninitialised, 64-byte aligned.
  TensorView take(DType dtype, const Shape& shape);
  size_t num_bytes() const;  // held, in use or not

  class Frame {
   public:
    explicit Frame(Workspace& workspace)
        : workspace_(workspace), chunk_(workspace.chunk_), used_(workspace.used_) {}
    ~Frame() { workspace_.rewind(chunk_, used_); }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    Workspace& workspace_;
    size_t chunk_;
    size_t used_;
  };

 private:
  struct Chunk {
    DeviceMemory memory;
    size_t size = 0;
  };
  void rewind(size_t chunk, size_t used);

  Device* device_;
  std::vector<Chunk> chunks_;
  size_t chunk_ = 0;  // index of the chunk in use
  size_t used_ = 0;   // bytes of it
};

}  // namespace glyph
