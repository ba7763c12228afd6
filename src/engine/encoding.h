// Encoding: the second stage. Takes drawn pages, as many at once as suit the device, and keeps what the vision model makes
// of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "engine/drawing.h"
#include "engine/work_clock.h"
#include "glyph/status.h"
#include "plan/page_batches.h"
#include "vision/page_features.h"
#include "vision/vision_model.h"

namespace glyph {

// One thread.
class Encoding {
 public:
  // All must outlive the object. The drawing cuts patches.
  Encoding(Device& device, const VisionModel& vision, const PageBatches& batches, Drawing& drawing)
      : vision_(vision), batches_(batches), drawing_(drawing), clock_(std::make_shared<WorkClock>(device)) {}

  // Encodes the next pages; false when there are none. A GPU is still at work when this returns, but on no more than
  // kMaxAhead steps: so soon is a stop over. Errors are those of Drawing::next() and VisionModel::encode().
  Result<bool> step(std::stop_token stop);

  size_t num_pages() const { return pages_.size(); }
  std::shared_ptr<WorkClock> clock() const { return clock_; }  // of the vision model; outlives this if wanted
  std::vector<int64_t> page_tokens() const;
  std::vector<PageFeatures> take_pages() { return std::move(pages_); }

 private:
  static constexpr size_t kMaxAhead = 2;

  Result<std::vector<Patches>> next_pages();
  int64_t num_to_wait_for(const PageShape& shape) const;

  const VisionModel& vision_;
  const PageBatches& batches_;
  Drawing& drawing_;
  const std::shared_ptr<WorkClock> clock_;
  std::vector<PageFeatures> pages_;
};

}  // namespace glyph
