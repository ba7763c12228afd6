#include "glyph_extract/pdf_reader.h"

#include <fmt/format.h>
#include <iconv.h>
#include <poppler-document.h>
#include <poppler-global.h>
#include <poppler-image.h>
#include <poppler-page-renderer.h>
#include <poppler-page.h>
#include <poppler-version.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "base/utf8.h"
#include "ingest/page_layout.h"

namespace glyph {
namespace {

constexpr size_t kTailBytes = 8 << 10;     // where a whole PDF has its end-of-file marker
constexpr size_t kFewCharacters = 80;      // a page with less text may be a scan with a page number on it
constexpr double kPictureInk = 0.02;       // share of dark pixels outside the words that makes a page a picture
constexpr uint8_t kDark = 128;             // grey below this is ink

// poppler reports errors to one function for the whole process; those of the file's syntax come with a place in it.
size_t num_syntax_errors = 0;

void count_error(const std::string& message, void*) { num_syntax_errors += message.starts_with("error ("); }

std::string to_utf8(const poppler::ustring& text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    uint32_t c = text[i];
    if (c == 0xFEFF) continue;
    const bool is_pair = c >= 0xD800 && c < 0xDC00 && i + 1 < text.size() && text[i + 1] >= 0xDC00 && text[i + 1] < 0xE000;
    if (is_pair) c = 0x10000 + ((c - 0xD800) << 10) + (text[++i] - 0xDC00);
    append_utf8(out, c);
  }
  return out;
}

std::vector<PageWord> words_of(const poppler::page& page) {
  std::vector<PageWord> words;
  for (const poppler::text_box& box : page.text_list(0)) {
    const poppler::rectf area = box.bbox();
    words.push_back({.x0 = static_cast<float>(area.left()), .y0 = static_cast<float>(area.top()),
                     .x1 = static_cast<float>(area.right()), .y1 = static_cast<float>(area.bottom()),
                     .text = to_utf8(box.text()), .rotation = box.rotation(), .space_after = box.has_space_after()});
  }
  return words;
}

// Dots an inch at which the page stays within the limits.
double fitting_dpi(const poppler::rectf& page, const IngestLimits& limits) {
  const double width = std::max(page.width() / 72, 1e-3);
  const double height = std::max(page.height() / 72, 1e-3);
  const double by_side = (limits.image_side - 1) / std::max(width, height);
  const double by_pixels = std::sqrt(0.99 * static_cast<double>(limits.image_pixels) / (width * height));
  return std::min({static_cast<double>(limits.page_image_dpi), by_side, by_pixels});
}

Image draw_page(const poppler::page& page, double dpi) {
  poppler::page_renderer renderer;
  renderer.set_image_format(poppler::image::format_gray8);
  renderer.set_render_hint(poppler::page_renderer::antialiasing);
  renderer.set_render_hint(poppler::page_renderer::text_antialiasing);
  const poppler::image drawn = renderer.render_page(&page, dpi, dpi);
  if (!drawn.is_valid()) return {};
  Image image{.width = drawn.width(), .height = drawn.height(), .channels = 1, .pixels = {}};
  image.pixels.reserve(static_cast<size_t>(image.width) * image.height);
  for (int y = 0; y < image.height; ++y) {
    const char* row = drawn.const_data() + static_cast<ptrdiff_t>(y) * drawn.bytes_per_row();
    image.pixels.insert(image.pixels.end(), row, row + image.width);
  }
  return image;
}

// True when every pixel has the same value: nothing to look at.
bool is_blank(const Image& image) {
  return std::all_of(image.pixels.begin(), image.pixels.end(), [&](uint8_t v) { return v == image.pixels[0]; });
}

// Share of the page's pixels that are dark and belong to no word.
double ink_outside(const Image& image, const std::vector<PageWord>& words, double dpi) {
  std::vector<uint8_t> pixels = image.pixels;
  const double scale = dpi / 72;
  for (const PageWord& word : words) {
    const int left = std::clamp(static_cast<int>(word.x0 * scale) - 1, 0, image.width);
    const int right = std::clamp(static_cast<int>(word.x1 * scale) + 2, left, image.width);
    const int top = std::clamp(static_cast<int>(word.y0 * scale) - 1, 0, image.height);
    const int bottom = std::clamp(static_cast<int>(word.y1 * scale) + 2, top, image.height);
    for (int y = top; y < bottom; ++y) std::fill_n(pixels.begin() + static_cast<ptrdiff_t>(y) * image.width + left, right - left, 255);
  }
  const auto dark = std::count_if(pixels.begin(), pixels.end(), [](uint8_t v) { return v < kDark; });
  return static_cast<double>(dark) / static_cast<double>(std::max<size_t>(pixels.size(), 1));
}

class PdfReader {
 public:
  PdfReader(const ExtractRequest& request, FrameSink& sink) : limits_(request.limits), request_(request), sink_(sink) {}

  Status read(std::string_view bytes);

 private:
  void read_page(const poppler::page& page, int number);
  void send_picture(const poppler::page& page, const std::vector<PageWord>& words, bool has_text);

  const IngestLimits& limits_;
  const ExtractRequest& request_;
  FrameSink& sink_;
};

// Sends the page as a picture when it has no text, or little text and much else.
void PdfReader::send_picture(const poppler::page& page, const std::vector<PageWord>& words, bool has_text) {
  const double dpi = fitting_dpi(page.page_rect(poppler::crop_box), limits_);
  const Image image = draw_page(page, dpi);
  if (image.empty() || is_blank(image)) return;
  if (has_text && ink_outside(image, words, dpi) < kPictureInk) return;
  sink_.image(image);
}

void PdfReader::read_page(const poppler::page& page, int number) {
  const std::vector<PageWord> words = words_of(page);
  const TextQuality quality = judge_words(words);
  const bool is_legible = quality.legible * 2 >= quality.characters;
  const bool has_text = quality.characters > 0 && is_legible;
  if (has_text) sink_.text(layout_page(words));
  if (quality.characters > 0 && !is_legible) {
    sink_.warning(fmt::format("the text of page {} has no Unicode values, so the page is read as a picture", number));
  }
  if (!has_text || quality.characters < kFewCharacters) send_picture(page, words, has_text);
}

Status PdfReader::read(std::string_view bytes) {
  const std::unique_ptr<poppler::document> document(
      poppler::document::load_from_raw_data(bytes.data(), static_cast<int>(bytes.size())));
  const bool has_end = bytes.substr(bytes.size() - std::min(bytes.size(), kTailBytes)).find("startxref") != std::string_view::npos;
  if (document != nullptr && document->is_locked()) return refused("the PDF is encrypted and needs a password");
  if (!has_end) return refused("the PDF is truncated: its end-of-file part is missing");
  if (document == nullptr) return refused("the PDF is damaged and cannot be opened");
  const int num_pages = document->pages();
  if (num_pages <= 0) return refused("the PDF is damaged: it has no pages");
  if (static_cast<size_t>(num_pages) > limits_.pages) {
    return refused(fmt::format("the PDF has {} pages, the limit is {}", num_pages, limits_.pages));
  }
  const int first = static_cast<int>(int64_t{num_pages} * request_.part / request_.num_parts);
  const int last = static_cast<int>(int64_t{num_pages} * (request_.part + 1) / request_.num_parts);
  sink_.pages(static_cast<uint32_t>(num_pages), static_cast<uint32_t>(last - first));
  for (int i = first; i < last; ++i) {
    const std::unique_ptr<poppler::page> page(document->create_page(i));
    if (page == nullptr) {
      sink_.warning(fmt::format("page {} is damaged and was left out", i + 1));
    } else {
      read_page(*page, i + 1);
    }
    sink_.page_end();
  }
  if (num_syntax_errors > 0) sink_.warning("the PDF is damaged in places, so some of its text may be missing or wrong");
  return {};
}

}  // namespace

void warm_up_pdf() {
  poppler::set_debug_error_function(count_error, nullptr);
  // Opened and kept: poppler converts each word with iconv, which loads the UTF-16 module on first use.
  static const iconv_t to = ::iconv_open("UTF-16", "UTF-8");
  static const iconv_t from = ::iconv_open("UTF-8", "UTF-16");
  static_cast<void>(to);
  static_cast<void>(from);
}

Status read_pdf(std::string_view bytes, const ExtractRequest& request, FrameSink& sink) {
  return PdfReader(request, sink).read(bytes);
}

std::string_view poppler_version() { return POPPLER_VERSION; }

}  // namespace glyph
