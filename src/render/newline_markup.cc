#include "render/newline_markup.h"

#include <fmt/format.h>

#include "base/utf8.h"

namespace glyph {

namespace {

constexpr size_t kMaxMarkupBytes = 1000;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

class Parser {
 public:
  explicit Parser(std::string_view markup) : rest_(markup) {}

  Result<std::vector<MarkupPiece>> run() {
    while (!rest_.empty()) {
      Status status;
      if (rest_.front() == '<') {
        status = tag();
      } else if (rest_.front() == '&') {
        status = entity();
      } else {
        text();
      }
      if (!status.ok()) return status;
    }
    if (!colors_.empty()) return refused("a <font> tag is not closed");
    return std::move(pieces_);
  }

 private:
  MarkupPiece piece(MarkupPiece::Kind kind) const {
    MarkupPiece result;
    result.kind = kind;
    result.has_color = !colors_.empty();
    if (result.has_color) result.color = colors_.back();
    return result;
  }

  void text() {
    MarkupPiece result = piece(MarkupPiece::Kind::kText);
    size_t end = 0;
    while (end < rest_.size() && rest_[end] != '<' && rest_[end] != '&') {
      const CodePoint point = decode_utf8(rest_, end);
      result.text.push_back(point.value);
      end += point.length;
    }
    rest_.remove_prefix(end);
    pieces_.push_back(std::move(result));
  }

  Status entity() {
    static constexpr struct { std::string_view name; char32_t value; } kEntities[] = {
        {"&amp;", U'&'}, {"&lt;", U'<'}, {"&gt;", U'>'}, {"&nbsp;", U'\u00A0'}};
    for (const auto& known : kEntities) {
      if (!rest_.starts_with(known.name)) continue;
      MarkupPiece result = piece(MarkupPiece::Kind::kEntity);
      result.text.push_back(known.value);
      pieces_.push_back(std::move(result));
      rest_.remove_prefix(known.name.size());
      return {};
    }
    return refused("an & starts none of the entities &amp; &lt; &gt; &nbsp;");
  }

  Status tag() {
    const size_t end = rest_.find('>');
    if (end == std::string_view::npos) return refused("a < has no >");
    const std::string_view inside = trimmed(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    if (inside == "br/" || inside == "br /") {
      pieces_.push_back(piece(MarkupPiece::Kind::kBreak));
      return {};
    }
    if (inside == "/font") {
      if (colors_.empty()) return refused("</font> closes nothing");
      colors_.pop_back();
      pieces_.push_back(piece(MarkupPiece::Kind::kTag));
      return {};
    }
    return font(inside);
  }

  Status font(std::string_view inside) {
    constexpr std::string_view kStart = "font color=";
    Color color;
    if (inside.starts_with(kStart) && inside.size() > kStart.size() + 2) {
      const char quote = inside[kStart.size()];
      const std::string_view value = inside.substr(kStart.size() + 1, inside.size() - kStart.size() - 2);
      if ((quote == '"' || quote == '\'') && inside.back() == quote && parse_color(value, &color)) {
        colors_.push_back(color);
        pieces_.push_back(piece(MarkupPiece::Kind::kTag));
        return {};
      }
    }
    return refused(fmt::format("the tag <{}> is none of <br/>, <font color=\"#RRGGBB\">, </font>", inside));
  }

  std::string_view rest_;
  std::vector<Color> colors_;
  std::vector<MarkupPiece> pieces_;
};

}  // namespace

bool parse_color(std::string_view text, Color* color) {
  if (text.size() != 7 || text[0] != '#') return false;
  int digits[6];
  for (int i = 0; i < 6; ++i) {
    digits[i] = hex_digit(text[i + 1]);
    if (digits[i] < 0) return false;
  }
  *color = {static_cast<uint8_t>(digits[0] * 16 + digits[1]), static_cast<uint8_t>(digits[2] * 16 + digits[3]),
            static_cast<uint8_t>(digits[4] * 16 + digits[5])};
  return true;
}

Result<std::vector<MarkupPiece>> parse_newline_markup(std::string_view markup) {
  if (markup.size() > kMaxMarkupBytes) {
    return refused(fmt::format("{} bytes, the limit is {}", markup.size(), kMaxMarkupBytes));
  }
  if (!is_valid_utf8(markup)) return refused("not UTF-8");
  return Parser(markup).run();
}

}  // namespace glyph
