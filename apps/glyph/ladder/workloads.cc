#include "ladder/workloads.h"

#include <fmt/format.h>

#include "benchmarks.h"
#include "render/renderer.h"

namespace glyph {
namespace {

constexpr size_t kBytesAPage = 8900;  // of generated_text in the default style, about
constexpr int kMaxTries = 40;

Document text_document(std::string text) {
  Document document;
  document.name = "generated";
  document.format = "txt";
  document.blocks.push_back({Block::Kind::kText, std::move(text), {}});
  return document;
}

Result<int64_t> count_pages(Renderer& renderer, const Document& document) {
  int64_t count = 0;
  const auto sink = [&](Page&&) {
    ++count;
    return true;
  };
  GLYPH_RETURN_IF_ERROR(renderer.render(document, sink, {.line_boxes = false}));
  return count;
}

}  // namespace

Result<Workload> text_workload(int64_t num_pages, PageStyle style, uint32_t variant) {
  style.auto_crop_width = style.auto_crop_last_page = false;
  GLYPH_ASSIGN_OR_RETURN(const std::unique_ptr<Renderer> renderer, Renderer::open(style));
  std::string text = generated_text(num_pages, 7 + variant);
  size_t low = 0, high = 0;  // lengths that gave too few pages and too many; 0: none yet
  for (int i = 0; i < kMaxTries; ++i) {
    const Document document = text_document(text);
    GLYPH_ASSIGN_OR_RETURN(const int64_t count, count_pages(*renderer, document));
    if (count == num_pages) {
      return Workload{.name = fmt::format("{} page{}", num_pages, num_pages == 1 ? "" : "s"),
                      .document = std::make_shared<const Document>(document),
                      .style = style,
                      .text_bytes = static_cast<int64_t>(text.size())};
    }
    (count < num_pages ? low : high) = text.size();
    const size_t next = high == 0 ? low + low / 16 + kBytesAPage / 4 : (low + high) / 2;
    const std::string longer = generated_text(static_cast<int64_t>(next / kBytesAPage) + 2, 7 + variant);
    text = longer.substr(0, next);
  }
  return internal_error(fmt::format("no text fills exactly {} pages in this style", num_pages));
}

Workload picture_workload(int width, int height) {
  Image image{.width = width, .height = height, .channels = 1, .pixels = {}};
  image.pixels.resize(static_cast<size_t>(width) * static_cast<size_t>(height));
  uint32_t state = 1;
  for (uint8_t& pixel : image.pixels) {
    state = state * 1664525u + 1013904223u;
    pixel = static_cast<uint8_t>(state >> 24);
  }
  Document document;
  document.name = fmt::format("{}x{} picture", width, height);
  document.format = "image";
  const std::string name = document.name;
  document.blocks.push_back({Block::Kind::kImage, {}, std::move(image)});
  return {.name = name, .document = std::make_shared<const Document>(std::move(document)), .style = PageStyle::english(), .text_bytes = 0};
}

}  // namespace glyph
