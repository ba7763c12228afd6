#include "ingest/text_flow.h"

#include <algorithm>
#include <utility>

namespace glyph {

void TextFlow::open() {
  if (!out_.empty()) {
    const size_t last = out_.find_last_not_of('\n');
    const int have = static_cast<int>(out_.size() - 1 - last);
    if (last != std::string::npos && pending_lines_ > have) out_.append(static_cast<size_t>(pending_lines_ - have), '\n');
  }
  if (pending_lines_ > 0) swallow_space_ = true;
  if (pending_space_ && !swallow_space_) out_ += ' ';
  pending_lines_ = 0;
  pending_space_ = false;
  swallow_space_ = false;
}

void TextFlow::text(std::string_view utf8) {
  for (size_t i = 0; i < utf8.size();) {
    const auto is_space = [&](size_t k) { return utf8[k] == ' ' || utf8[k] == '\t' || utf8[k] == '\n' || utf8[k] == '\r' || utf8[k] == '\f'; };
    const size_t begin = i;
    while (i < utf8.size() && is_space(i)) ++i;
    if (i > begin) pending_space_ = true;
    const size_t word_begin = i;
    while (i < utf8.size() && !is_space(i)) ++i;
    if (i > word_begin) {
      open();
      out_.append(utf8, word_begin, i - word_begin);
    }
  }
}

void TextFlow::verbatim(std::string_view utf8) {
  if (utf8.empty()) return;
  open();
  out_ += utf8;
}

void TextFlow::word(std::string_view utf8) {
  open();
  out_ += utf8;
  swallow_space_ = true;
}

void TextFlow::break_line() {
  pending_lines_ = std::max(pending_lines_, 1);
  pending_space_ = false;
}

void TextFlow::break_block() {
  pending_lines_ = 2;
  pending_space_ = false;
}

void TextFlow::new_line() {
  if (!out_.empty()) out_ += '\n';
  pending_space_ = false;
  swallow_space_ = true;
}

std::string TextFlow::take() {
  pending_lines_ = 0;
  pending_space_ = false;
  swallow_space_ = true;
  return std::exchange(out_, {});
}

}  // namespace glyph
