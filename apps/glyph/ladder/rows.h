// The rungs of the ladder: from plain fp32 to everything on. What a build cannot do is left out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"
#include "glyph/status.h"

namespace glyph {

struct LadderRow {
  // What is asked, and what is known before.
  enum class Question {
    kAlone,   // Engine::ask: drawn, encoded and read from nothing
    kFirst,   // through the scheduler: the first question about a document
    kLater,   // through the scheduler: the document was read before
    kQuoted,  // kLater, and the answer stands in the document word for word: every draft is right
    kFirstQuoted,  // kFirst, and such an answer
  };
  static bool is_first(Question question) { return question == Question::kFirst || question == Question::kFirstQuoted; }
  static bool quotes(Question question) { return question == Question::kQuoted || question == Question::kFirstQuoted; }

  std::string key;        // for --rows
  std::string label;      // what this rung adds
  std::string precision;  // as --precision
  bool compiled = false;  // by a plan that is timed first; neighbours of one precision, kv_precision and this share a loaded model
  double weight_bytes = 2;  // of an element of a layer's matrices, its share of scales included
  Question question = Question::kAlone;
  bool picture = false;     // also asked about the tall picture, where one is measured
  std::string kv_precision = "auto";  // as --kv-precision
};

// All that this build and device can run, in order.
std::vector<LadderRow> ladder_rows(const Device& device);
// Those named in `keys` ("fp32,bf16"), in order; "" or "all": every one. kUsage names a key that is none.
Result<std::vector<LadderRow>> choose_rows(std::vector<LadderRow> rows, std::string_view keys);

}  // namespace glyph
