// LoopDetector: whether an answer has begun to go round: small models lose their place at the end of a page and write its last
// paragraph again and again, until max_tokens. What a document itself repeats is rarely as long.
#pragma once

#include <array>
#include <cstdint>

namespace glyph {

// One object, one answer; not thread safe.
class LoopDetector {
 public:
  static constexpr int kMaxPeriod = 512;   // tokens; longer loops are not seen
  static constexpr int kLeastLength = 256;  // tokens that repeat what was written, at least

  // Takes the next token: true when the last max(kLeastLength, 2 periods) tokens are each what stood a period before.
  bool push(int32_t id);

 private:
  std::array<int32_t, kMaxPeriod> last_{};      // of the token with number n: last_[n % kMaxPeriod]
  std::array<int32_t, kMaxPeriod> repeated_{};  // tokens at the end that are what stood i + 1 before
  int64_t count_ = 0;
};

}  // namespace glyph
