#include "render/renderer.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <thread>

#include "base/utf8.h"
#include "render/char_table.h"
#include "render/font_face.h"
#include "render/newline_markup.h"
#include "render/page_pipeline.h"
#include "render/paginate.h"
#include "render/rasterizer.h"
#include "render/story.h"
#include "render/typesetter.h"

namespace glyph {

namespace {

// Part of every style key: raise it when the same style and text give other pixels than before.
constexpr int kRendererVersion = 1;
constexpr size_t kMaxNamedCharacters = 20;
constexpr size_t kMaxStoryBytes = 0xFFFFFFF0;

bool is_color_style(const PageStyle& style, const std::vector<MarkupPiece>& markup) {
  for (const Color& color : {style.font_color, style.page_bg_color, style.para_bg_color, style.para_border_color}) {
    if (!color.is_grey()) return true;
  }
  return std::any_of(markup.begin(), markup.end(),
                     [](const MarkupPiece& piece) { return piece.has_color && !piece.color.is_grey(); });
}

bool is_invisible(uint32_t code) {
  return code < 0x20 || code == 0x7F || (code >= 0x200C && code <= 0x200F) || code == 0xFEFF ||
         (code >= 0xFE00 && code <= 0xFE0F);
}

}  // namespace

struct Renderer::State {
  PageStyle style;
  std::vector<MarkupPiece> markup;
  bool is_color = false;
  std::shared_ptr<const FontFile> font;
  std::unique_ptr<FontFace> face;
  std::unique_ptr<CharTable> table;
  std::unique_ptr<Typesetter> typesetter;
  std::vector<std::unique_ptr<Rasterizer>> rasterizers;  // one a thread, made when first needed
  std::string style_key;
  std::vector<std::string> warnings;

  Result<Rasterizer*> rasterizer(size_t index);
};

Result<Rasterizer*> Renderer::State::rasterizer(size_t index) {
  while (rasterizers.size() <= index) {
    GLYPH_ASSIGN_OR_RETURN(std::unique_ptr<FontFace> own, FontFace::open(font));
    rasterizers.push_back(std::make_unique<Rasterizer>(style, std::move(own), is_color));
  }
  return rasterizers[index].get();
}

Renderer::Renderer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Renderer::~Renderer() = default;

Result<std::unique_ptr<Renderer>> Renderer::open(const PageStyle& style) {
  GLYPH_RETURN_IF_ERROR(style.validate("page style"));
  auto state = std::make_unique<State>();
  state->style = style;
  if (state->style.font_path.empty()) state->style.font_path = kEnglishFont;
  GLYPH_ASSIGN_OR_RETURN(state->markup, parse_newline_markup(style.newline_markup));
  state->is_color = is_color_style(style, state->markup);
  GLYPH_ASSIGN_OR_RETURN(state->font, FontFile::open(state->style.font_path));
  GLYPH_ASSIGN_OR_RETURN(state->face, FontFace::open(state->font));
  state->table = std::make_unique<CharTable>(*state->face, style.font_size);
  state->typesetter = std::make_unique<Typesetter>(style, *state->face, *state->table);
  PageStyle without_path = style;
  without_path.font_path.clear();
  state->style_key = fmt::format("render-{} font-{} {}", kRendererVersion, hex(state->font->digest),
                                 without_path.canonical_json());
  return std::unique_ptr<Renderer>(new Renderer(std::move(state)));
}

const std::vector<std::string>& Renderer::warnings() const { return state_->warnings; }
const PageStyle& Renderer::style() const { return state_->style; }
const std::string& Renderer::font_name() const { return state_->font->name; }
const Digest& Renderer::font_digest() const { return state_->font->digest; }
const std::string& Renderer::style_key() const { return state_->style_key; }

namespace {

// Runs of neighbouring text blocks are one story; a picture ends it.
struct StorySpan {
  std::string_view text;
  size_t base = 0;                // of its first byte in Document::text()
  const Image* picture = nullptr; // or a picture page
};

// `joined` keeps the bytes of stories that are made of several blocks.
std::vector<StorySpan> make_spans(const Document& document, std::vector<std::string>& joined) {
  std::vector<StorySpan> spans;
  std::vector<const Block*> run;
  size_t offset = 0;  // into Document::text()
  bool any_text = false;
  const auto flush = [&] {
    if (run.empty()) return;
    StorySpan span;
    if (run.size() == 1) {
      span.text = run[0]->text;
    } else {
      std::string text;
      for (const Block* block : run) {
        if (block != run[0]) text += '\n';
        text += block->text;
      }
      joined.push_back(std::move(text));
      span.text = joined.back();
    }
    span.base = offset - span.text.size();
    spans.push_back(span);
    run.clear();
  };
  joined.reserve(document.blocks.size());
  for (const Block& block : document.blocks) {
    if (block.kind == Block::Kind::kImage) {
      flush();
      StorySpan span;
      span.picture = &block.image;
      spans.push_back(span);
      continue;
    }
    if (any_text) ++offset;  // the newline between blocks
    any_text = true;
    offset += block.text.size();
    run.push_back(&block);
  }
  flush();
  if (spans.empty()) spans.push_back({});
  return spans;
}

std::string missing_warning(const std::string& font, const std::vector<uint32_t>& codes) {
  std::string named;
  for (size_t i = 0; i < std::min(codes.size(), kMaxNamedCharacters); ++i) {
    if (!named.empty()) named += ", ";
    append_utf8(named, codes[i]);
    named += fmt::format(" (U+{:04X})", codes[i]);
  }
  if (codes.size() > kMaxNamedCharacters) named += fmt::format(" and {} more", codes.size() - kMaxNamedCharacters);
  return fmt::format("{} has no glyph for {}: drawn as a box", font, named);
}

}  // namespace

Status Renderer::render(const Document& document, const PageSink& sink, const RenderOptions& options) {
  State& state = *state_;
  state.warnings.clear();
  std::vector<std::string> joined;
  const std::vector<StorySpan> spans = make_spans(document, joined);
  bool cjk = false;
  for (const StorySpan& span : spans) {
    cjk = cjk || has_cjk(span.text);
    if (span.text.size() > kMaxStoryBytes) {
      return refused(fmt::format("{}: {} bytes of text, the limit is {}", document.name, span.text.size(), kMaxStoryBytes));
    }
  }
  size_t num_threads = static_cast<size_t>(std::max(options.num_threads, 0));
  if (num_threads == 0) num_threads = std::max(1u, std::thread::hardware_concurrency());
  std::vector<Rasterizer*> rasterizers;
  for (size_t i = 0; i < num_threads; ++i) {
    GLYPH_ASSIGN_OR_RETURN(Rasterizer * rasterizer, state.rasterizer(i));
    rasterizers.push_back(rasterizer);
  }
  PagePipeline pipeline(rasterizers, sink, options.max_pages, document.name);
  state.table->take_missing();
  Status status;
  for (const StorySpan& span : spans) {
    if (span.picture) {
      status = pipeline.push_picture(*span.picture);
    } else {
      Story story(span.text, state.style, state.markup, *state.table);
      state.typesetter->set_source(options.line_boxes ? span.text : std::string_view(), span.base);
      state.typesetter->set_colors(story.colors());
      Paginator paginator(state.style, *state.typesetter, *state.table, cjk);
      status = paginator.layout(story, [&](PagePlan& plan) { return pipeline.push(plan); });
    }
    if (!status.ok()) break;
  }
  Status finished = pipeline.finish();
  if (!status.ok()) return status;
  GLYPH_RETURN_IF_ERROR(std::move(finished));
  std::vector<uint32_t> missing = state.table->take_missing();
  missing.erase(std::remove_if(missing.begin(), missing.end(), is_invisible), missing.end());
  if (!missing.empty()) state.warnings.push_back(missing_warning(state.font->name, missing));
  return {};
}

}  // namespace glyph
