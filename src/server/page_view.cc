#include "server/page_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "render/renderer.h"

namespace glyph {
namespace {

bool is_blank(uint32_t c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xA0 || c == 0x3000 || c == 0xAD || c == 0x200B || c == 0xFEFF; }

// A text without white space, and where each of its bytes was.
struct Squeezed {
  std::string text;
  std::vector<size_t> offsets;
};

Squeezed squeeze(std::string_view text) {
  Squeezed out;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text, at);
    if (!is_blank(c.value)) {
      out.text.append(text.substr(at, c.length));
      for (size_t i = 0; i < c.length; ++i) out.offsets.push_back(at + i);
    }
    at += c.length;
  }
  return out;
}

struct TextRange {
  size_t begin = 0, end = 0;  // bytes of Document::text()
};

// The part of a line inside the range; false when there is none.
bool box_of(const PageLine& line, std::string_view text, const TextRange& range, QuoteBox& box) {
  const size_t begin = std::max(line.text_begin, range.begin), end = std::min(line.text_end, range.end);
  if (begin >= end || line.char_x.empty()) return false;
  size_t index = 0, first = 0, last = 0;
  for (size_t at = line.text_begin; at < end; ++index) {
    const CodePoint c = decode_utf8(text, at);
    if (at <= begin) first = index;
    at += std::max<size_t>(c.length, 1);
    last = index + 1;
  }
  const size_t limit = line.char_x.size() - 1;
  box.x0 = line.char_x[std::min(first, limit)];
  box.x1 = line.char_x[std::min(last, limit)];
  box.y0 = line.top;
  box.y1 = line.bottom;
  return box.x1 > box.x0;
}

}  // namespace

Result<Page> draw_page(const Source& source, size_t number) {
  if (number == 0) return not_found("pages are numbered from 1");
  GLYPH_ASSIGN_OR_RETURN(const auto renderer, Renderer::open(source.style));
  Page wanted;
  size_t count = 0;
  const auto sink = [&](Page&& page) {
    if (++count < number) return true;
    wanted = std::move(page);
    return false;
  };
  RenderOptions options;
  options.line_boxes = false;
  const Status status = renderer->render(*source.document, sink, options);
  if (count == number) return wanted;
  GLYPH_RETURN_IF_ERROR(status);
  return not_found(fmt::format("there is no page {}; the document has {}", number, count));
}

Result<std::vector<QuoteMatch>> find_quotes(const Source& source, const std::vector<std::string>& quotes) {
  const std::string text = source.document->text();
  const Squeezed squeezed = squeeze(text);
  std::vector<QuoteMatch> matches;
  std::vector<TextRange> ranges;
  for (const std::string& quote : quotes) {
    const std::string wanted = squeeze(quote).text;
    const size_t at = wanted.empty() ? std::string::npos : squeezed.text.find(wanted);
    matches.push_back({quote, at != std::string::npos, {}});
    ranges.push_back(at == std::string::npos ? TextRange{} : TextRange{squeezed.offsets[at], squeezed.offsets[at + wanted.size() - 1] + 1});
  }
  GLYPH_ASSIGN_OR_RETURN(const auto renderer, Renderer::open(source.style));
  size_t number = 0;
  const auto sink = [&](Page&& page) {
    ++number;
    for (const PageLine& line : page.lines) {
      for (size_t i = 0; i < ranges.size(); ++i) {
        QuoteBox box;
        box.page = number;
        if (box_of(line, text, ranges[i], box)) matches[i].boxes.push_back(box);
      }
    }
    return true;
  };
  GLYPH_RETURN_IF_ERROR(renderer->render(*source.document, sink, {}));
  return matches;
}

}  // namespace glyph
