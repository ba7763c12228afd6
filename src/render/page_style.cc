#include "glyph/page_style.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <variant>

#include "render/font_face.h"
#include "render/newline_markup.h"
#include "render/paginate.h"
#include "render/story.h"

namespace glyph {

namespace {

constexpr size_t kMaxStyleBytes = 64 * 1024;
constexpr double kMaxPoints = 14'400;      // 200 inches, PDF's own limit
constexpr double kMaxSidePixels = 8192;
constexpr double kMaxPagePixels = 36e6;
constexpr double kMaxGlyphPixels = 4096;   // font size in pixels

// A key whose value is one number of PageStyle, with its range.
struct NumberKey {
  const char* key;
  double PageStyle::*field;
  double low, high;
};

constexpr NumberKey kNumberKeys[] = {
    {"dpi", &PageStyle::dpi, 1, 2400},
    {"margin-x", &PageStyle::margin_x, 0, kMaxPoints},
    {"margin-y", &PageStyle::margin_y, 0, kMaxPoints},
    {"font-size", &PageStyle::font_size, 0.5, 2000},
    {"line-height", &PageStyle::line_height, 0, 4000},
    {"horizontal-scale", &PageStyle::horizontal_scale, 0.05, 20},
    {"first-line-indent", &PageStyle::first_line_indent, -kMaxPoints, kMaxPoints},
    {"left-indent", &PageStyle::left_indent, -kMaxPoints, kMaxPoints},
    {"right-indent", &PageStyle::right_indent, -kMaxPoints, kMaxPoints},
    {"space-before", &PageStyle::space_before, 0, kMaxPoints},
    {"space-after", &PageStyle::space_after, 0, kMaxPoints},
    {"border-width", &PageStyle::border_width, 0, 1000},
    {"border-padding", &PageStyle::border_padding, 0, 1000},
};

struct ColorKey {
  const char* key;
  Color PageStyle::*field;
};

constexpr ColorKey kColorKeys[] = {
    {"font-color", &PageStyle::font_color},
    {"page-bg-color", &PageStyle::page_bg_color},
    {"para-bg-color", &PageStyle::para_bg_color},
    {"para-border-color", &PageStyle::para_border_color},
};

struct BoolKey {
  const char* key;
  bool PageStyle::*field;
};

constexpr BoolKey kBoolKeys[] = {
    {"auto-crop-width", &PageStyle::auto_crop_width},
    {"auto-crop-last-page", &PageStyle::auto_crop_last_page},
};

constexpr const char* kAlignments[] = {"LEFT", "CENTER", "RIGHT", "JUSTIFY"};

Status wrong(std::string_view name, std::string_view key, std::string_view what) {
  return refused(fmt::format("{}: {}: {}", name, key, what));
}

Status check_range(std::string_view name, std::string_view key, double value, double low, double high) {
  if (!(value >= low)) return wrong(name, key, fmt::format("{} is below the limit of {}", value, low));
  if (!(value <= high)) return wrong(name, key, fmt::format("{} is above the limit of {}", value, high));
  return {};
}

// "W,H" in points.
bool parse_page_size(std::string_view text, PageStyle* style) {
  const std::string copy(text);
  char* end = nullptr;
  const double width = std::strtod(copy.c_str(), &end);
  if (end == copy.c_str() || *end != ',') return false;
  const char* second = end + 1;
  const double height = std::strtod(second, &end);
  if (end == second) return false;
  while (*end == ' ') ++end;
  if (*end != '\0' || !std::isfinite(width) || !std::isfinite(height)) return false;
  style->page_width = width;
  style->page_height = height;
  return true;
}

// One entry of a style file into `style`.
Status read_entry(std::string_view name, std::string_view key, const boost::json::value& value, PageStyle* style) {
  for (const NumberKey& known : kNumberKeys) {
    if (key != known.key) continue;
    if (value.is_null() && key == "line-height") return {};
    if (!value.is_number()) return wrong(name, key, "not a number");
    style->*known.field = value.to_number<double>();
    return {};
  }
  for (const BoolKey& known : kBoolKeys) {
    if (key != known.key) continue;
    if (!value.is_bool()) return wrong(name, key, "neither true nor false");
    style->*known.field = value.as_bool();
    return {};
  }
  const std::string_view text = value.is_string() ? std::string_view(value.as_string()) : std::string_view();
  for (const ColorKey& known : kColorKeys) {
    if (key != known.key) continue;
    if (!parse_color(text, &(style->*known.field))) return wrong(name, key, fmt::format("\"{}\" is not \"#RRGGBB\"", text));
    return {};
  }
  if (key == "alignment") {
    const auto* found = std::find(std::begin(kAlignments), std::end(kAlignments), text);
    if (found == std::end(kAlignments)) return wrong(name, key, fmt::format("\"{}\" is none of LEFT, CENTER, RIGHT, JUSTIFY", text));
    style->alignment = static_cast<Alignment>(found - kAlignments);
    return {};
  }
  if (key == "page-size") {
    if (!parse_page_size(text, style)) return wrong(name, key, fmt::format("\"{}\" is not \"WIDTH,HEIGHT\" in points", text));
    return {};
  }
  if (key == "font-path" || key == "newline-markup") {
    if (!value.is_string()) return wrong(name, key, "not a string");
    (key == "font-path" ? style->font_path : style->newline_markup) = text;
    return {};
  }
  return wrong(name, key, "no such key in a page style");
}

}  // namespace

Result<PageStyle> PageStyle::parse(std::string_view json, std::string_view name) {
  if (json.size() > kMaxStyleBytes) {
    return refused(fmt::format("{}: {} bytes, the limit of a page style is {}", name, json.size(), kMaxStyleBytes));
  }
  boost::json::error_code error;
  const boost::json::value root = boost::json::parse({json.data(), json.size()}, error);
  if (error) return refused(fmt::format("{}: not JSON: {}", name, error.message()));
  if (!root.is_object()) return refused(fmt::format("{}: a page style is a JSON object", name));
  PageStyle style;
  for (const auto& [key, value] : root.as_object()) {
    GLYPH_RETURN_IF_ERROR(read_entry(name, {key.data(), key.size()}, value, &style));
  }
  GLYPH_RETURN_IF_ERROR(style.validate(name));
  return style;
}

Status PageStyle::validate(std::string_view name) const {
  for (const NumberKey& known : kNumberKeys) {
    GLYPH_RETURN_IF_ERROR(check_range(name, known.key, this->*known.field, known.low, known.high));
  }
  if (line_height != 0) GLYPH_RETURN_IF_ERROR(check_range(name, "line-height", line_height, 0.5, 4000));
  GLYPH_RETURN_IF_ERROR(check_range(name, "page-size", page_width, 1, kMaxPoints));
  GLYPH_RETURN_IF_ERROR(check_range(name, "page-size", page_height, 1, kMaxPoints));
  const double scale = dpi / 72;
  const double width = std::ceil(page_width * scale), height = std::ceil(page_height * scale);
  const double longest = std::max({width, height, width * horizontal_scale});
  if (longest > kMaxSidePixels) {
    return wrong(name, "page-size", fmt::format("a page of {} pixels is above the limit of {}", longest, kMaxSidePixels));
  }
  if (width * height * std::max(1.0, horizontal_scale) > kMaxPagePixels) {
    return wrong(name, "page-size", fmt::format("a page of {}x{} pixels is above the limit of {}", width, height, kMaxPagePixels));
  }
  if (font_size * scale > kMaxGlyphPixels) {
    return wrong(name, "font-size", fmt::format("{} pixels are above the limit of {}", font_size * scale, kMaxGlyphPixels));
  }
  const FrameSize frame = frame_size(*this);
  if (!(frame.width >= 1)) return wrong(name, "margin-x", fmt::format("{} leaves no room on a page {} wide", margin_x, page_width));
  if (!(frame.height >= 1)) return wrong(name, "margin-y", fmt::format("{} leaves no room on a page {} high", margin_y, page_height));
  const Result<std::vector<MarkupPiece>> markup = parse_newline_markup(newline_markup);
  if (!markup.ok()) return wrong(name, "newline-markup", markup.status().message());
  return {};
}

PageStyle PageStyle::english() {
  PageStyle style;
  style.page_width = 595;
  style.page_height = 842;
  style.margin_x = style.margin_y = 10;
  style.font_path = kEnglishFont;
  style.line_height = 10;
  style.alignment = Alignment::kLeft;
  style.auto_crop_width = style.auto_crop_last_page = true;
  return style;
}

PageStyle PageStyle::chinese() {
  PageStyle style = english();
  style.font_path = kChineseFont;
  return style;
}

PageStyle PageStyle::for_document(const Document& document) {
  for (const Block& block : document.blocks) {
    if (block.kind == Block::Kind::kText && has_cjk(block.text)) return chinese();
  }
  return english();
}

PageStyle PageStyle::with_font_for(const Document& document) const {
  PageStyle style = *this;
  if (style.font_path.empty()) style.font_path = for_document(document).font_path;
  return style;
}

std::string PageStyle::canonical_json() const {
  const auto quoted = [](std::string_view text) { return boost::json::serialize(boost::json::string(text)); };
  std::string out = fmt::format("{{\"page-size\":\"{},{}\"", page_width, page_height);
  for (const NumberKey& known : kNumberKeys) out += fmt::format(",\"{}\":{}", known.key, this->*known.field);
  for (const ColorKey& known : kColorKeys) {
    const Color color = this->*known.field;
    out += fmt::format(",\"{}\":\"#{:02X}{:02X}{:02X}\"", known.key, color.r, color.g, color.b);
  }
  for (const BoolKey& known : kBoolKeys) out += fmt::format(",\"{}\":{}", known.key, this->*known.field);
  out += fmt::format(",\"alignment\":\"{}\"", kAlignments[static_cast<int>(alignment)]);
  out += fmt::format(",\"font-path\":{},\"newline-markup\":{}}}", quoted(font_path), quoted(newline_markup));
  return out;
}

}  // namespace glyph
