// The "newline-markup" of a page style: what stands between two source lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "glyph/page_style.h"
#include "glyph/status.h"

namespace glyph {

// One step of the markup. ReportLab makes a fragment of its own of every entity, and fragments change how words are measured.
struct MarkupPiece {
  enum class Kind { kText, kEntity, kBreak, kTag };
  Kind kind = Kind::kText;
  std::u32string text;   // kText: white space included; kEntity: one character
  Color color;           // of kText and kEntity where has_color
  bool has_color = false;
};

// Knows text, <br/>, <font color="#RRGGBB">...</font> and the entities amp, lt, gt, nbsp. kRefused names what it does not know.
Result<std::vector<MarkupPiece>> parse_newline_markup(std::string_view markup);

// "#RRGGBB". False when `text` is anything else.
bool parse_color(std::string_view text, Color* color);

}  // namespace glyph
