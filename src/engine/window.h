// Does a question fit into the model's context window, and what to do when it does not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "glyph/page_style.h"
#include "glyph/status.h"

namespace glyph {

constexpr int64_t kMinAnswerTokens = 64;  // kept free for the answer, or max_tokens where that is less

// What a question takes.
struct WindowUse {
  size_t num_pages = 0;
  int64_t image_tokens = 0;   // of all pages
  int64_t text_tokens = 0;    // control tokens, page marks and the question
  int64_t answer_tokens = 0;  // kept free

  int64_t total() const { return image_tokens + text_tokens + answer_tokens; }
};

// Ok, or kRefused: says by how much `use` passes the window, and which denser page style would fit. `name` is the document's.
Status check_window(const std::string& name, const WindowUse& use, int64_t window, const PageStyle& style);

}  // namespace glyph
