// PageBatches: how many pages go through the vision model in one pass.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/plan.h"
#include "tensor/device.h"
#include "vision/page_batch.h"

namespace glyph {

// Immutable; any thread.
class PageBatches {
 public:
  // A host computes page by page: several at once are no faster there (four A4 pages of
  // glyph-mini on two busy cores: 2.0 s one by one, 3.0 s together, pipeline_bench). A GPU takes as
  // many as fill it, unless a plan knows better; so do several that share them.
  explicit PageBatches(DeviceKind device, int num_devices = 1)
      : patches_together_(device == DeviceKind::kCuda ? num_devices * kGpuPatches : 0) {}
  // Passes of the plan come first.
  PageBatches(DeviceKind device, const Plan& plan);
  // As if the device gained from `patches` in one pass; for tests and measurements.
  static PageBatches of_patches(int64_t patches);

  // Pages of this shape worth waiting for, at least 1.
  int64_t most_pages(const PageShape& shape) const;
  // `num_pages` pages cut into passes: the fastest way by the plan, else one pass.
  std::vector<int64_t> split(const PageShape& shape, int64_t num_pages) const;
  // Whether the plan has passes of this shape.
  bool planned(const PageShape& shape) const { return find(shape) != nullptr; }

 private:
  static constexpr int64_t kGpuPatches = 25600;  // ten A4 pages at 72 dpi
  static constexpr int64_t kMaxPages = 32;

  struct Times {
    PageShape shape;
    std::vector<PlannedPass> passes;
  };
  const Times* find(const PageShape& shape) const;

  int64_t patches_together_;
  std::vector<Times> times_;
};

}  // namespace glyph
