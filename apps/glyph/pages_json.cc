#include "pages_json.h"

#include <boost/json.hpp>

#include "json_text.h"

namespace glyph {
namespace {

namespace json = boost::json;

// Thousandths of a pixel are enough, and keep the file short.
double pixels(float value) { return rounded(static_cast<double>(value), 3); }

json::object line_json(const PageLine& line) {
  return {{"text_begin", line.text_begin}, {"text_end", line.text_end},      {"x", pixels(line.x)},
          {"top", pixels(line.top)},      {"bottom", pixels(line.bottom)},
          {"end_x", pixels(line.char_x.empty() ? line.x : line.char_x.back())}};
}

json::object page_json(const PageRecord& page) {
  json::array lines;
  for (const PageLine& line : page.lines) lines.push_back(line_json(line));
  json::object out{{"file", page.file}, {"width", page.width}, {"height", page.height}, {"channels", page.channels}};
  if (page.image_tokens) out["image_tokens"] = *page.image_tokens;
  out["lines"] = std::move(lines);
  return out;
}

}  // namespace

std::string pages_json(const PagesReport& report) {
  json::object out{{"document", report.document}, {"format", report.format},         {"style", json::parse(report.style_json)},
                   {"font", report.font},         {"dpi", report.dpi}, {"text_chars", report.text_chars}};
  int64_t image_tokens = 0;
  json::array pages;
  for (const PageRecord& page : report.pages) {
    pages.push_back(page_json(page));
    image_tokens += page.image_tokens.value_or(0);
  }
  if (report.text_tokens) {
    out["text_tokens"] = *report.text_tokens;
    out["image_tokens"] = image_tokens;
    out["compression"] = image_tokens == 0 ? 0.0 : static_cast<double>(*report.text_tokens) / static_cast<double>(image_tokens);
  }
  out["warnings"] = json::value_from(report.warnings);
  out["pages"] = std::move(pages);
  return json_text(out) + "\n";
}

}  // namespace glyph
