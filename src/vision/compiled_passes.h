// CompiledPasses: passes over pages of one shape that a device records once and repeats (Device::record).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <tuple>

#include "tensor/tensor.h"
#include "vision/page_batch.h"

namespace glyph {

// One thread. The device must outlive it.
class CompiledPasses {
 public:
  explicit CompiledPasses(Device& device) : device_(&device) {}

  // From now on `num_pages` pages of this shape make a pass that is recorded.
  void add(const PageShape& shape, int64_t num_pages);
  void clear() { passes_.clear(); }

  // One that was added. Its batch and its features stay where they are.
  struct Pass {
    std::unique_ptr<PageBatch> batch;
    TensorView features;               // (tokens, hidden) in memory that passes share: to be copied out before the next one
    std::unique_ptr<RecordedWork> work;
    int64_t num_runs = 0;
    bool recordable = true;
  };
  // nullptr: these pages make no pass that was added.
  Pass* find(std::span<const Patches> pages, const VisionConfig& config);
  // Where passes of other shapes were added and none of this one, a line of the log says so, once.
  void say_what_is_missing(std::span<const Patches> pages);
  // Makes the pass's batch hold the pages, then queues its work: `queue` the first time, so that everything it needs is
  // there when the second time is recorded, later the record.
  void run(Pass& pass, std::span<const Patches> pages, const std::function<void(Pass& pass)>& queue);

 private:
  using Key = std::tuple<int64_t, int64_t, int, int64_t>;  // rows, columns, channels, pages
  static Key key_of(const PageShape& shape, int64_t num_pages) {
    return {shape.grid.height, shape.grid.width, shape.channels, num_pages};
  }

  Device* device_;
  std::map<Key, Pass> passes_;
  bool said_ = false;
};

}  // namespace glyph
