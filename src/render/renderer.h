// Renderer: Document + PageStyle -> Pages, with the pixels of the published pipeline (ReportLab 3.6.12 -> PDF -> pdftoppm 22.12
// -> crop). README.md beside this file tells how.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "glyph/document.h"
#include "glyph/page.h"
#include "glyph/page_style.h"
#include "glyph/status.h"

namespace glyph {

constexpr size_t kMaxPages = 10'000;

// Receives pages in order; false stops the drawing (render() then returns kCancelled). A sink may move from the page; one that
// only looks at it lets the renderer use its memory again.
using PageSink = std::function<bool(Page&& page)>;

struct RenderOptions {
  size_t max_pages = kMaxPages;  // one page more is kRefused, after max_pages pages were delivered
  int num_threads = 1;           // 0 = one a core; the pages are the same for any number
  bool line_boxes = true;        // fill Page::lines
};

// One thread at a time may use a Renderer; several Renderers share nothing mutable.
class Renderer {
 public:
  // kRefused: the style is out of range, or the font is not one FreeType can scale. kNotFound: no such font; for the default
  // fonts the message names the package to install.
  static Result<std::unique_ptr<Renderer>> open(const PageStyle& style);
  ~Renderer();

  // Draws the document. Page 1 reaches the sink before page 2 is drawn; a picture block is a page of its own, not cropped. An
  // empty text gives one empty page, as the published renderer does. A page whose colours are all grey is a grey image, any
  // other RGB. Offsets in Page::lines point into Document::text().
  Status render(const Document& document, const PageSink& sink, const RenderOptions& options = {});

  // One sentence each about the last render(): characters the font has no glyph for (drawn as its replacement box).
  const std::vector<std::string>& warnings() const;

  const PageStyle& style() const;
  const std::string& font_name() const;   // "DejaVu Sans Book"
  const Digest& font_digest() const;      // SHA-256 of the font file and the face's index
  // Style, font content and renderer version in one string: equal keys and equal text give equal pixels.
  const std::string& style_key() const;

 private:
  struct State;
  explicit Renderer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace glyph
