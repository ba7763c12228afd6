#include "glyph/document.h"

namespace glyph {

std::string Document::text() const {
  std::string out;
  bool first = true;
  for (const Block& block : blocks) {
    if (block.kind != Block::Kind::kText) continue;
    if (!first) out += '\n';
    out += block.text;
    first = false;
  }
  return out;
}

}  // namespace glyph
