// DocxPackage: the archive of a DOCX and the relationships between its parts.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "glyph/status.h"
#include "ingest/limits.h"
#include "ingest/zip_archive.h"

namespace glyph {

class DocxPackage {
 public:
  // kRefused when the bytes are a ZIP but no DOCX, or the document part is missing.
  static Result<DocxPackage> open(std::string_view bytes, const IngestLimits& limits);

  const std::string& document_part() const { return document_part_; }
  // The part the document refers to by the last word of a relationship's type ("styles", "numbering", "footnotes"); "" when
  // it refers to none.
  std::string related(std::string_view type) const;
  bool contains(const std::string& part) const { return archive_.contains(part); }
  Result<std::string> read(const std::string& part) { return archive_.read(part); }

 private:
  explicit DocxPackage(ZipArchive archive) : archive_(std::move(archive)) {}
  // Relationship type's last word -> part name, from the .rels part beside `part`.
  Result<std::map<std::string, std::string>> relationships(const std::string& part, int max_depth);

  ZipArchive archive_;
  std::string document_part_;
  std::map<std::string, std::string> related_;
};

}  // namespace glyph
