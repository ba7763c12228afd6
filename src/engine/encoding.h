// Encoding: the second stage. Takes drawn pages one by one and keeps what the vision model makes of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "engine/drawing.h"
#include "glyph/status.h"
#include "vision/page_features.h"
#include "vision/vision_model.h"

namespace glyph {

// One thread.
class Encoding {
 public:
  // Both must outlive the object.
  Encoding(const VisionModel& vision, Drawing& drawing) : vision_(vision), drawing_(drawing) {}

  // Encodes the next page; false when there is none. Errors are those of Drawing::next() and VisionModel::encode().
  Result<bool> step(std::stop_token stop);

  size_t num_pages() const { return pages_.size(); }
  double seconds() const { return seconds_; }  // in the vision model
  std::vector<int64_t> page_tokens() const;
  std::vector<PageFeatures> take_pages() { return std::move(pages_); }

 private:
  const VisionModel& vision_;
  Drawing& drawing_;
  std::vector<PageFeatures> pages_;
  double seconds_ = 0;
};

}  // namespace glyph
