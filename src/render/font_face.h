// FontFace: one face of a font file, opened by FreeType from mapped bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/hash.h"
#include "base/mapped_file.h"
#include "glyph/status.h"

struct FT_LibraryRec_;
struct FT_FaceRec_;

namespace glyph {

// The default fonts, at the places where Debian and its relatives install them.
constexpr const char* kEnglishFont = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";
constexpr const char* kChineseFont = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc#Noto Sans Mono CJK SC";

// A font file in memory and which of its faces is meant. Shared by the faces that several threads open from it.
struct FontFile {
  MappedFile file;
  int face_index = 0;
  std::string name;  // "DejaVu Sans Book"
  Digest digest{};   // of the bytes and the index

  // `path` is "FILE" or "FILE#Family Name" or "FILE#2". kNotFound names the package of a default font.
  // Fonts stay open for the life of the process.
  static Result<std::shared_ptr<const FontFile>> open(const std::string& path);

 private:
  static Result<std::shared_ptr<const FontFile>> read(const std::string& path);
};

// A FreeType library and face of its own: one thread at a time.
class FontFace {
 public:
  static Result<std::unique_ptr<FontFace>> open(std::shared_ptr<const FontFile> file);
  ~FontFace();
  FontFace(const FontFace&) = delete;
  FontFace& operator=(const FontFace&) = delete;

  // 0 when the font has no glyph for the character.
  uint32_t glyph_index(uint32_t code_point) const;
  // Advance width in 1/1000 of the font size, as ReportLab scales it.
  double width_1000(uint32_t glyph) const;
  // False for a glyph that leaves the page as it is.
  bool has_outline(uint32_t glyph) const;
  int num_glyphs() const;
  FT_FaceRec_* get() const { return face_; }

 private:
  FontFace(std::shared_ptr<const FontFile> file, FT_LibraryRec_* library, FT_FaceRec_* face);

  std::shared_ptr<const FontFile> file_;
  FT_LibraryRec_* library_;
  FT_FaceRec_* face_;
};

}  // namespace glyph
