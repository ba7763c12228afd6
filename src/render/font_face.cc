#include "render/font_face.h"

#include <fmt/format.h>
#include <ft2build.h>

#include <charconv>
#include <filesystem>
#include <map>
#include <mutex>
#include <string_view>
#include FT_FREETYPE_H
#include FT_ADVANCES_H

namespace glyph {

namespace {

constexpr int kMaxFaces = 64;  // of a collection

std::string package_hint(const std::string& path) {
  if (path == kEnglishFont) return "; install the package fonts-dejavu-core";
  if (path == kChineseFont) return "; install the package fonts-noto-cjk";
  return "";
}

struct Library {
  FT_Library handle = nullptr;
  ~Library() {
    if (handle) FT_Done_FreeType(handle);
  }
};

struct Face {
  FT_Face handle = nullptr;
  ~Face() {
    if (handle) FT_Done_Face(handle);
  }
};

bool open_face(FT_Library library, const MappedFile& file, int index, FT_Face* face) {
  return FT_New_Memory_Face(library, file.bytes().data(), static_cast<FT_Long>(file.bytes().size()), index, face) == 0;
}

std::string name_of(FT_Face face) {
  std::string name = face->family_name ? face->family_name : "unnamed";
  if (face->style_name) name += std::string(" ") + face->style_name;
  return name;
}

// The face that `wanted` names: a family or an index; -1 when there is none.
int find_face(FT_Library library, const MappedFile& file, std::string_view wanted) {
  int index = 0;
  const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), index);
  if (error == std::errc() && end == wanted.data() + wanted.size()) return index;
  for (int i = 0; i < kMaxFaces; ++i) {
    Face face;
    if (!open_face(library, file, i, &face.handle)) return -1;
    if (face.handle->family_name && wanted == face.handle->family_name) return i;
    if (i + 1 >= face.handle->num_faces) return -1;
  }
  return -1;
}

Digest digest_of(const MappedFile& file, int index) {
  return Sha256().update(file.bytes()).field(std::to_string(index)).finish();
}

}  // namespace

namespace {

// Fonts already opened by this process: reading a CJK font's 19 MB for its digest takes longer than drawing a hundred pages.
// Any thread may use it. A file that has changed on disk is opened anew.
class OpenFonts {
 public:
  std::shared_ptr<const FontFile> find(const std::string& path) {
    const Stamp stamp = stamp_of(path);
    std::lock_guard lock(mutex_);
    const auto known = fonts_.find(path);
    return known != fonts_.end() && known->second.stamp == stamp ? known->second.font : nullptr;
  }

  void keep(const std::string& path, std::shared_ptr<const FontFile> font) {
    const Stamp stamp = stamp_of(path);
    std::lock_guard lock(mutex_);
    if (fonts_.size() >= kMaxFonts) fonts_.clear();
    fonts_[path] = {stamp, std::move(font)};
  }

 private:
  static constexpr size_t kMaxFonts = 16;

  struct Stamp {
    std::filesystem::file_time_type time;
    uintmax_t size = 0;
    bool operator==(const Stamp&) const = default;
  };
  struct Entry {
    Stamp stamp;
    std::shared_ptr<const FontFile> font;
  };

  static Stamp stamp_of(const std::string& path) {
    const std::filesystem::path file = path.substr(0, path.find('#'));
    std::error_code error;
    Stamp stamp;
    stamp.time = std::filesystem::last_write_time(file, error);
    stamp.size = std::filesystem::file_size(file, error);
    return stamp;
  }

  std::mutex mutex_;
  std::map<std::string, Entry> fonts_;  // guarded by mutex_
};

OpenFonts& open_fonts() {
  static OpenFonts fonts;
  return fonts;
}

}  // namespace

Result<std::shared_ptr<const FontFile>> FontFile::open(const std::string& path) {
  if (std::shared_ptr<const FontFile> known = open_fonts().find(path)) return known;
  GLYPH_ASSIGN_OR_RETURN(std::shared_ptr<const FontFile> font, read(path));
  open_fonts().keep(path, font);
  return font;
}

Result<std::shared_ptr<const FontFile>> FontFile::read(const std::string& path) {
  const size_t hash = path.find('#');
  const std::string file_path = path.substr(0, hash);
  Result<MappedFile> mapped = MappedFile::open(file_path);
  if (!mapped.ok()) {
    return Status(mapped.status().code(), fmt::format("{}: cannot open the font{}", file_path, package_hint(path)));
  }
  auto font = std::make_shared<FontFile>();
  font->file = *std::move(mapped);
  Library library;
  if (FT_Init_FreeType(&library.handle)) return internal_error("FreeType cannot be started");
  if (hash != std::string::npos) {
    font->face_index = find_face(library.handle, font->file, std::string_view(path).substr(hash + 1));
    if (font->face_index < 0) {
      return refused(fmt::format("{}: the font has no face \"{}\"", file_path, path.substr(hash + 1)));
    }
  }
  Face face;
  if (!open_face(library.handle, font->file, font->face_index, &face.handle)) {
    return refused(fmt::format("{}: FreeType cannot read this font", file_path));
  }
  if (!FT_IS_SCALABLE(face.handle) || !FT_IS_SFNT(face.handle) || face.handle->units_per_EM == 0) {
    return refused(fmt::format("{}: not a scalable TrueType or OpenType font", file_path));
  }
  if (FT_Select_Charmap(face.handle, FT_ENCODING_UNICODE)) {
    return refused(fmt::format("{}: the font has no Unicode character map", file_path));
  }
  font->name = name_of(face.handle);
  font->digest = digest_of(font->file, font->face_index);
  return std::shared_ptr<const FontFile>(std::move(font));
}

Result<std::unique_ptr<FontFace>> FontFace::open(std::shared_ptr<const FontFile> file) {
  Library library;
  Face face;
  if (FT_Init_FreeType(&library.handle)) return internal_error("FreeType cannot be started");
  if (!open_face(library.handle, file->file, file->face_index, &face.handle) ||
      FT_Select_Charmap(face.handle, FT_ENCODING_UNICODE)) {
    return refused(fmt::format("{}: FreeType cannot read this font", file->name));
  }
  std::unique_ptr<FontFace> result(new FontFace(std::move(file), library.handle, face.handle));
  library.handle = nullptr;
  face.handle = nullptr;
  return result;
}

FontFace::FontFace(std::shared_ptr<const FontFile> file, FT_LibraryRec_* library, FT_FaceRec_* face)
    : file_(std::move(file)), library_(library), face_(face) {}

FontFace::~FontFace() {
  FT_Done_Face(face_);
  FT_Done_FreeType(library_);
}

uint32_t FontFace::glyph_index(uint32_t code_point) const { return FT_Get_Char_Index(face_, code_point); }

double FontFace::width_1000(uint32_t glyph) const {
  FT_Fixed advance = 0;
  if (FT_Get_Advance(face_, glyph, FT_LOAD_NO_SCALE, &advance)) return 0;
  return static_cast<double>(advance) * 1000. / face_->units_per_EM;
}

bool FontFace::has_outline(uint32_t glyph) const {
  return FT_Load_Glyph(face_, glyph, FT_LOAD_NO_SCALE) == 0 && face_->glyph->outline.n_contours > 0;
}

int FontFace::num_glyphs() const { return static_cast<int>(face_->num_glyphs); }

}  // namespace glyph
