#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "ingest/html_entities.h"
#include "ingest/markdown.h"

namespace glyph {
namespace {

constexpr size_t kWindow = 4096;      // bytes in which a bracket, tag or code span must close
constexpr int kMaxDepth = 8;          // links within links
constexpr size_t kMaxOpeners = 100;   // emphasis waiting for its end
constexpr size_t kLooksPerByte = 32;  // bytes looked at in vain for each byte of text; after that, markup is text

bool is_ascii_space(char c) { return c == ' ' || c == '\t' || c == '\n'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_ascii_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

bool is_absolute(std::string_view address) {
  return address.starts_with("http://") || address.starts_with("https://") || address.starts_with("mailto:") ||
         address.starts_with("ftp://");
}

// A run of '*', '_' or '~' that may begin or end emphasis.
struct Delimiter {
  size_t piece = 0;  // its index among the pieces
  char character = 0;
  size_t count = 0;  // characters not yet matched
  bool opens = false;
  bool closes = false;
};

class InlineReader {
 public:
  InlineReader(std::string_view text, const LinkDefinitions& links, int depth) : text_(text), links_(links), depth_(depth), budget_(kLooksPerByte * text.size() + kWindow) {}

  std::string read();

 private:
  bool code_span();
  bool angle();
  bool link(bool is_image);
  bool delimiter();
  void match_delimiters();
  size_t matching_bracket(size_t open);
  bool destination(size_t& at, std::string& address);

  // The text from a place on in which something must close; empty once too much was looked at in vain.
  std::string_view window(size_t from) const { return text_.substr(from, std::min(kWindow, budget_)); }
  void spend(size_t bytes) { budget_ -= std::min(budget_, bytes); }
  char at(size_t i) const { return i < text_.size() ? text_[i] : '\0'; }
  void put(std::string_view text) { pieces_.back() += text; }

  std::string_view text_;
  const LinkDefinitions& links_;
  int depth_;
  size_t budget_;
  size_t i_ = 0;
  std::vector<std::string> pieces_{1};
  std::vector<Delimiter> delimiters_;
};

bool InlineReader::code_span() {
  size_t ticks = 0;
  while (at(i_ + ticks) == '`') ++ticks;
  const std::string_view window = this->window(i_ + ticks);
  const std::string fence(ticks, '`');
  for (size_t end = window.find(fence); end != std::string_view::npos; end = window.find(fence, end)) {
    size_t length = ticks;
    while (end + length < window.size() && window[end + length] == '`') ++length;
    if (length != ticks) {
      end += length;
      continue;
    }
    std::string_view code = window.substr(0, end);
    if (code.size() > 2 && code.front() == ' ' && code.back() == ' ') code = code.substr(1, code.size() - 2);
    put(code);
    i_ += 2 * ticks + end;
    return true;
  }
  spend(window.size());
  put(fence);
  i_ += ticks;
  return true;
}

// <https://address>, <br>, or a tag or comment that is dropped.
bool InlineReader::angle() {
  const std::string_view window = this->window(i_);
  const char first = at(i_ + 1);
  const bool is_tag = ((first | 0x20) >= 'a' && (first | 0x20) <= 'z') || first == '/' || first == '!' || first == '?';
  const bool is_comment = window.starts_with("<!--");
  const size_t end = is_comment ? window.find("-->") : window.find('>');
  if (!is_tag) return false;
  if (end == std::string_view::npos) {
    spend(window.size());
    return false;
  }
  const std::string_view inner = window.substr(1, end - 1);
  const bool is_mail = inner.find('@') != std::string_view::npos && inner.find(' ') == std::string_view::npos;
  if (is_absolute(inner) || is_mail) put(inner);
  if (inner == "br" || inner == "br/" || inner == "br /") put("\n");
  i_ += end + (is_comment ? 3 : 1);
  return true;
}

// The ']' that closes the '[' at `open`, npos when there is none near.
size_t InlineReader::matching_bracket(size_t open) {
  int nesting = 0;
  const size_t limit = open + window(open).size();
  size_t i = open;
  size_t close = std::string_view::npos;
  for (; i < limit && close == std::string_view::npos; ++i) {
    if (text_[i] == '\\') {
      ++i;
    } else if (text_[i] == '[') {
      ++nesting;
    } else if (text_[i] == ']' && --nesting == 0) {
      close = i;
    }
  }
  spend(i - open);
  return close;
}

// "(address "title")" at `at`; moves past it.
bool InlineReader::destination(size_t& at_place, std::string& address) {
  const std::string_view window = this->window(at_place);
  int nesting = 0;
  for (size_t i = 0; i < window.size(); ++i) {
    if (window[i] == '\\') {
      ++i;
    } else if (window[i] == '(') {
      ++nesting;
    } else if (window[i] == ')' && --nesting == 0) {
      std::string_view inner = window.substr(1, i - 1);
      while (!inner.empty() && is_ascii_space(inner.front())) inner.remove_prefix(1);
      const bool in_angles = inner.starts_with('<');
      const size_t end = in_angles ? inner.find('>') : inner.find_first_of(" \t\n");
      address = inner.substr(in_angles, end == std::string_view::npos ? end : end - in_angles);
      at_place += i + 1;
      return true;
    }
  }
  spend(window.size());
  return false;
}

bool InlineReader::link(bool is_image) {
  const size_t open = i_ + is_image;
  const size_t close = matching_bracket(open);
  if (close == std::string_view::npos || depth_ >= kMaxDepth) return false;
  const std::string_view label = text_.substr(open + 1, close - open - 1);
  if (label.starts_with('^')) {  // a footnote keeps its brackets
    put("[");
    put(label.substr(1));
    put("]");
    i_ = close + 1;
    return true;
  }
  size_t after = close + 1;
  std::string address;
  if (at(after) == '(') {
    if (!destination(after, address)) return false;
  } else {
    std::string_view reference = label;
    if (at(after) == '[') {
      const size_t end = matching_bracket(after);
      if (end == std::string_view::npos) return false;
      if (end > after + 1) reference = text_.substr(after + 1, end - after - 1);
      after = end + 1;
    }
    const auto found = links_.find(link_label(reference));
    if (found == links_.end()) return false;
    address = found->second;
  }
  const std::string words = InlineReader(label, links_, depth_ + 1).read();
  put(words);
  if (!is_image && is_absolute(address) && words != address && "mailto:" + words != address) put(" (" + address + ")");
  i_ = after;
  return true;
}

bool InlineReader::delimiter() {
  const char c = text_[i_];
  size_t count = 0;
  while (at(i_ + count) == c) ++count;
  const char before = i_ == 0 ? ' ' : text_[i_ - 1];
  const char after = i_ + count < text_.size() ? text_[i_ + count] : ' ';
  const bool left = !is_ascii_space(after) && (!is_ascii_punctuation(after) || is_ascii_space(before) || is_ascii_punctuation(before));
  const bool right = !is_ascii_space(before) && (!is_ascii_punctuation(before) || is_ascii_space(after) || is_ascii_punctuation(after));
  Delimiter run{.piece = pieces_.size(), .character = c, .count = count, .opens = left, .closes = right};
  if (c == '_') {
    run.opens = left && (!right || is_ascii_punctuation(before));
    run.closes = right && (!left || is_ascii_punctuation(after));
  }
  if (c == '*' && is_digit(before) && is_digit(after)) run.opens = run.closes = false;  // a product, whatever the specification says
  if (c == '~' && count != 2) run.opens = run.closes = false;
  pieces_.emplace_back(count, c);
  pieces_.emplace_back();
  delimiters_.push_back(run);
  i_ += count;
  return true;
}

// Removes the characters of runs that open and close each other.
void InlineReader::match_delimiters() {
  std::vector<Delimiter*> openers;
  for (Delimiter& run : delimiters_) {
    while (run.closes && run.count > 0) {
      const auto opener = std::find_if(openers.rbegin(), openers.rend(), [&](auto* o) { return o->character == run.character; });
      if (opener == openers.rend()) break;
      const size_t used = std::min((*opener)->count, run.count);
      (*opener)->count -= used;
      run.count -= used;
      // What opened inside and never closed stays text.
      openers.erase(opener.base() - ((*opener)->count == 0 ? 1 : 0), openers.end());
    }
    if (run.opens && run.count > 0 && openers.size() < kMaxOpeners) openers.push_back(&run);
  }
  for (const Delimiter& run : delimiters_) pieces_[run.piece].resize(run.count);
}

std::string InlineReader::read() {
  while (i_ < text_.size()) {
    const char c = text_[i_];
    bool used = false;
    if (c == '\\' && is_ascii_punctuation(at(i_ + 1))) {
      put(text_.substr(i_ + 1, 1));
      i_ += 2;
      used = true;
    } else if (c == '`') {
      used = code_span();
    } else if (c == '<') {
      used = angle();
    } else if (c == '[' || (c == '!' && at(i_ + 1) == '[')) {
      used = link(c == '!');
    } else if (c == '*' || c == '_' || c == '~') {
      used = delimiter();
    } else if (c == '&') {
      const CharacterReference reference = resolve_reference(text_.substr(i_, 32));
      used = reference.length > 0;
      if (used) append_utf8(pieces_.back(), reference.value);
      i_ += reference.length;
    }
    if (!used) put(text_.substr(i_++, 1));
  }
  match_delimiters();
  std::string out;
  for (const std::string& piece : pieces_) out += piece;
  return out;
}

}  // namespace

std::string link_label(std::string_view label) {
  std::string key;
  for (const char c : label) {
    if (is_ascii_space(c)) {
      if (!key.empty() && key.back() != ' ') key += ' ';
    } else {
      key += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
  }
  if (key.ends_with(' ')) key.pop_back();
  return key;
}

std::string markdown_inline(std::string_view text, const LinkDefinitions& links) { return InlineReader(text, links, 0).read(); }

}  // namespace glyph
