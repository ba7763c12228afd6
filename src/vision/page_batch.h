// PageBatch: the pages of one pass where the device reads them, and what follows from their shapes alone.
//
// On a GPU all of it stays at its address, so that a pass that was recorded (Device::record) encodes other pages of
// the same shapes, too: set() happens outside of the record.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/embedding.h"
#include "tensor/tensor.h"
#include "vision/preprocess.h"
#include "weights/config.h"

namespace glyph {

// What decides how a page is computed.
struct PageShape {
  ops::PatchGrid grid;
  int channels = 1;

  bool operator==(const PageShape&) const = default;
};

inline PageShape shape_of(const Patches& page) { return {page.grid, page.channels}; }

// One thread. The device must outlive it.
class PageBatch {
 public:
  PageBatch(Device& device, const VisionConfig& config, std::vector<PageShape> shapes);

  // Takes the pixels of pages of these shapes. A host device reads them where they are, so they must outlive the pass.
  void set(std::span<const Patches> pages);

  // Adjacent pages of one shape: rows [begin, end) of all patches.
  struct Run {
    PageShape shape;
    int64_t begin = 0, end = 0;
  };
  const std::vector<Run>& runs() const { return runs_; }
  const std::vector<PageShape>& shapes() const { return shapes_; }
  int64_t num_patches() const { return runs_.empty() ? 0 : runs_.back().end; }
  const std::vector<int64_t>& page_tokens() const { return page_tokens_; }  // patches of each page

  // Of the patches of a run: out (patches, parts * channels * patch_size^2) = their bytes, as ops::widen_device_bytes() gives them.
  void widen(const Run& run, const TensorView& out) const;
  // x (patches of the run, hidden) f32 += what the position table (side * side, hidden) f32 says about their places.
  void add_positions(const Run& run, const ConstTensorView& table, const TensorView& x) const;

  ConstTensorView cos() const { return cos_.view(); }  // (patches, head_dim / 2) f32
  ConstTensorView sin() const { return sin_.view(); }

 private:
  Device& device_;
  std::vector<PageShape> shapes_;
  std::vector<Run> runs_;
  std::vector<int64_t> page_tokens_;
  std::vector<size_t> page_begin_;             // of each page in bytes_, and the end of the last one
  std::vector<const uint8_t*> page_bytes_;     // of a host device: the pages' own
  DeviceMemory bytes_;                         // of a GPU
  std::vector<ops::PatchPosition> positions_;  // (patches), emptied on a GPU
  DeviceMemory device_positions_;              // of a GPU
  int64_t num_bytes_of(const PageShape& shape) const { return shape.grid.num_patches() * shape.channels * area_; }

  int64_t area_;  // pixels of a patch
  Tensor cos_, sin_;
};

}  // namespace glyph
