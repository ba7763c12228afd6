#include "vision/page_batch.h"

#include <algorithm>

#include "ops/patches.h"
#include "ops/rotary.h"

namespace glyph {

PageBatch::PageBatch(Device& device, const VisionConfig& config, std::vector<PageShape> shapes)
    : device_(device), shapes_(std::move(shapes)), area_(config.patch_size * config.patch_size) {
  GLYPH_CHECK(!shapes_.empty());
  page_begin_.push_back(0);
  for (const PageShape& shape : shapes_) {
    const std::vector<ops::PatchPosition> on_page = patch_positions(shape.grid, config.spatial_merge_size);
    const int64_t begin = num_patches(), end = begin + shape.grid.num_patches();
    if (!runs_.empty() && runs_.back().shape == shape) runs_.back().end = end;
    else runs_.push_back({shape, begin, end});
    positions_.insert(positions_.end(), on_page.begin(), on_page.end());
    page_tokens_.push_back(shape.grid.num_patches());
    page_begin_.push_back(page_begin_.back() + static_cast<size_t>(num_bytes_of(shape)));
  }
  cos_ = Tensor(device, DType::kF32, {num_patches(), config.head_dim() / 2});
  sin_ = Tensor(device, DType::kF32, {num_patches(), config.head_dim() / 2});
  ops::vision_rotary_table(device, positions_, config.rope_theta, cos_.view(), sin_.view());
  if (device.host_memory()) return;
  bytes_ = device.allocate(page_begin_.back());
  const size_t num_bytes = positions_.size() * sizeof(ops::PatchPosition);
  device_positions_ = device.allocate(num_bytes);
  device.upload(device_positions_.get(), positions_.data(), num_bytes);
  positions_ = {};
}

void PageBatch::set(std::span<const Patches> pages) {
  GLYPH_CHECK(pages.size() == shapes_.size());
  page_bytes_.clear();
  for (size_t i = 0; i < pages.size(); ++i) {
    GLYPH_CHECK(shape_of(pages[i]) == shapes_[i] && pages[i].pixels.size() == page_begin_[i + 1] - page_begin_[i]);
    if (device_.host_memory()) {
      page_bytes_.push_back(pages[i].pixels.data());
    } else {
      device_.upload(static_cast<std::byte*>(bytes_.get()) + page_begin_[i], pages[i].pixels.data(), pages[i].pixels.size());
    }
  }
}

void PageBatch::widen(const Run& run, const TensorView& out) const {
  size_t page = 0;
  for (int64_t row = 0; row < run.begin; ++page) row += page_tokens_[page];
  const int64_t parts = out.size(1) / (run.shape.channels * area_);
  if (!device_.host_memory()) {
    return ops::widen_device_bytes(device_, static_cast<const uint8_t*>(bytes_.get()) + page_begin_[page], parts, out);
  }
  for (int64_t row = run.begin; row < run.end; ++page) {
    const int64_t end = row + page_tokens_[page];
    ops::widen_device_bytes(device_, page_bytes_[page], parts, out.rows(row - run.begin, end - run.begin));
    row = end;
  }
}

void PageBatch::add_positions(const Run& run, const ConstTensorView& table, const TensorView& x) const {
  const auto* positions =
      device_.host_memory() ? positions_.data() : static_cast<const ops::PatchPosition*>(device_positions_.get());
  ops::add_position_table(device_, positions + run.begin, run.shape.grid, table, x);
}

}  // namespace glyph
