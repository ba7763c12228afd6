// Document: what ingest produces and render draws. Text and page images in reading order, with what a reader should know.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace glyph {

// A decoded picture, rows from the top, no padding.
struct Image {
  int width = 0;     // pixels
  int height = 0;    // pixels
  int channels = 1;  // 1 = grey, 3 = RGB
  std::vector<uint8_t> pixels;  // (height, width, channels)

  bool empty() const { return pixels.empty(); }
};

// One run of a document: text to be drawn on pages, or a picture that is a page of its own (a scanned PDF page).
struct Block {
  enum class Kind { kText, kImage };
  Kind kind = Kind::kText;
  std::string text;  // UTF-8, '\n' line ends; valid, no NUL. kText only
  Image image;       // kImage only
};

struct Document {
  std::string name;                   // the file's name without its folder; several files: the first name
  std::string format;                 // "txt", "markdown", "html", "docx", "pdf", "image"
  std::string encoding;               // the detected charset of a text file, "" where it does not apply
  std::vector<Block> blocks;          // in reading order
  std::vector<std::string> warnings;  // one sentence each, for the user

  // All text of the document in order, blocks separated by '\n'. Offsets used by Page::lines point into this text.
  std::string text() const;
};

}  // namespace glyph
