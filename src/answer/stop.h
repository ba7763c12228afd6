// When an answer ends: stop ids and stop strings.
//
// A stop string may begin in one token and end in another. Text is held back only while it could still be the
// beginning of a stop string, and never more than the longest of them. Not thread safe; one object, one
// answer.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "glyph/status.h"

namespace glyph {

constexpr size_t kMaxStopStrings = 16;
constexpr size_t kMaxStopStringBytes = 1024;

// kUsage: too many, too long, or an empty one.
Status check_stop_strings(std::span<const std::string> strings);

class StopIds {
 public:
  explicit StopIds(std::vector<int32_t> ids);
  bool contains(int32_t id) const;

 private:
  std::vector<int32_t> ids_;  // sorted
};

class StopStrings {
 public:
  explicit StopStrings(std::vector<std::string> strings);

  struct Piece {
    std::string text;      // may be published
    bool stopped = false;  // a stop string was found; it and what follows are dropped
  };

  // Takes new text, gives what is certain not to belong to a stop string. After `stopped` everything is
  // dropped.
  Piece push(std::string_view text);
  // The end of the answer: what was held back.
  std::string flush();
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> strings_;
  std::string held_;  // a proper prefix of at least one stop string
  bool stopped_ = false;
};

}  // namespace glyph
