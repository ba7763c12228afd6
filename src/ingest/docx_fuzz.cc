// Any bytes as a DOCX, and, since few mutations of a ZIP survive its checksums, any bytes as its XML parts.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "ingest/docx.h"
#include "ingest/docx_body.h"
#include "ingest/docx_styles.h"
#include "ingest/xml_stream.h"

namespace {

void read_as_parts(std::string_view xml) {
  glyph::DocxStyles styles;
  glyph::DocxNumbering numbering;
  static_cast<void>(styles.parse("styles.xml", xml, 64));
  static_cast<void>(numbering.parse("numbering.xml", xml, 64));
  static_cast<void>(styles.resolve("Heading1"));
  glyph::DocxBody body(styles, numbering);
  static_cast<void>(glyph::parse_xml("document.xml", xml, 64, body));
  GLYPH_CHECK(glyph::is_valid_utf8(body.body_text()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  glyph::IngestLimits limits;
  limits.inflated_bytes = 1 << 20;
  const auto docx = glyph::read_docx(bytes, limits);
  GLYPH_CHECK(!docx.ok() || glyph::is_valid_utf8(docx->text));
  read_as_parts(bytes);
  return 0;
}
