// PageStyle: how text is set on pages. The keys of a style file are the published ones of the Glyph renderer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "glyph/document.h"
#include "glyph/status.h"

namespace glyph {

enum class Alignment { kLeft, kCenter, kRight, kJustify };

// An opaque colour; a style file writes it as "#RRGGBB".
struct Color {
  uint8_t r = 0, g = 0, b = 0;

  bool is_grey() const { return r == g && g == b; }
  bool operator==(const Color&) const = default;
};

// One field a key. Lengths are points (1/72 inch) unless a comment says otherwise. The initial values are what the published
// renderer uses where a key is absent; english() and chinese() are the styles glyph uses when no style file is given.
struct PageStyle {
  double page_width = 595.2755905511812;   // "page-size": "W,H"; absent: A4
  double page_height = 841.8897637795277;
  double dpi = 72;                         // pixels = points * dpi / 72
  double margin_x = 20;                    // left and right; the right crop keeps this many *pixels*
  double margin_y = 20;                    // top and bottom; the bottom crop keeps this many *pixels*
  std::string font_path;                   // "FILE" or, in a collection, "FILE#Family Name"; "" = the script's default font
  double font_size = 9;
  double line_height = 0;                  // baseline to baseline; 0 = font_size + 1
  Color font_color = {0, 0, 0};
  Alignment alignment = Alignment::kJustify;
  double horizontal_scale = 1.0;           // factor on the finished page's width (bicubic)
  double first_line_indent = 0;
  double left_indent = 0;
  double right_indent = 0;
  double space_before = 0;                 // above a paragraph of 30 source lines, not at the top of a page
  double space_after = 0;
  double border_width = 0;
  double border_padding = 0;
  Color page_bg_color = {255, 255, 255};
  Color para_bg_color = {255, 255, 255};
  Color para_border_color = {255, 255, 255};
  bool auto_crop_width = false;            // cut the right side at last ink column + 1 + margin_x
  bool auto_crop_last_page = false;        // cut the last page at last ink row + margin_y
  std::string newline_markup = "<br/>";    // what joins two source lines: text, <br/>, <font color="#RRGGBB">text</font>

  // Reads a style file. `name` is what messages call it. kRefused: not JSON, an unknown key (named), a value of the wrong type
  // or out of range (key, value and limit named).
  static Result<PageStyle> parse(std::string_view json, std::string_view name);

  // 595x842 pt, 72 dpi, margins 10, 9 pt on 10, left, both crops; DejaVu Sans.
  static PageStyle english();
  // The same with Noto Sans Mono CJK SC.
  static PageStyle chinese();
  // chinese() for a text with any character of U+4E00..U+9FFF, else english(): the published rule.
  static PageStyle for_document(const Document& document);

  // This style with the default font of the document's script where it names none.
  PageStyle with_font_for(const Document& document) const;

  // Every range rule of parse() on a style built in code. kRefused names key, value and limit.
  Status validate(std::string_view name) const;

  // All keys in a fixed order with the shortest exact numbers: equal strings, equal styles. The font is only a path here; who
  // needs its identity adds Renderer::font_digest().
  std::string canonical_json() const;

  bool operator==(const PageStyle&) const = default;
};

}  // namespace glyph
