// glyph render FILE... -o DIR: the pages as the model will see them, as PNG files, and pages.json.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/text_file.h"
#include "base/utf8.h"
#include "command.h"
#include "fresh_dir.h"
#include "inputs.h"
#include "model_dir.h"
#include "output.h"
#include "pages_json.h"
#include "render/png.h"
#include "tokenize/tokenizer.h"
#include "vision/preprocess.h"
#include "weights/config.h"

namespace glyph {
namespace fs = std::filesystem;
namespace {

struct RenderArguments {
  std::vector<fs::path> files;
  fs::path output;
};

bool is_render_output(const std::string& name) {
  return name == "pages.json" || (name.starts_with("page_") && name.ends_with(".png"));
}

size_t count_code_points(std::string_view text) {
  size_t count = 0;
  for (size_t offset = 0; offset < text.size(); ++count) offset += decode_utf8(text, offset).length;
  return count;
}

// Writes each page it is given into a folder and keeps the record of it.
class PageWriter {
 public:
  PageWriter(fs::path dir, ProgressLine& progress, std::stop_token stop)
      : dir_(std::move(dir)), progress_(progress), stop_(std::move(stop)) {}

  // False ends the drawing: status() says why.
  bool write(Page&& page) {
    const std::string name = fmt::format("page_{:03}.png", records_.size() + 1);
    status_ = stop_.stop_requested() ? cancelled("rendering was stopped") : write_png(name, page.image);
    records_.push_back({name, page.image.width, page.image.height, page.image.channels, {}, std::move(page.lines)});
    progress_.update(fmt::format("drawing: {} pages", records_.size()));
    return status_.ok();
  }

  const Status& status() const { return status_; }
  std::vector<PageRecord> take_records() { return std::move(records_); }

 private:
  Status write_png(const std::string& name, const Image& image) {
    GLYPH_ASSIGN_OR_RETURN(const std::string png, encode_png(image));
    return write_file_atomically(dir_ / name, png);
  }

  const fs::path dir_;
  ProgressLine& progress_;
  const std::stop_token stop_;
  std::vector<PageRecord> records_;
  Status status_;
};

// Text and image tokens, when there is a model. A model that was named must be there; the default one need not.
Status add_tokens(const Settings& settings, const std::string& text, PagesReport& report) {
  const Result<fs::path> dir = find_model_dir(settings);
  if (!dir.ok()) return settings.has("model") ? dir.status() : Status();
  GLYPH_ASSIGN_OR_RETURN(const ModelConfig config, load_model_config(*dir));
  GLYPH_ASSIGN_OR_RETURN(const PreprocessorConfig preprocessor, load_preprocessor_config(*dir, config));
  GLYPH_ASSIGN_OR_RETURN(const Tokenizer tokenizer, Tokenizer::load(*dir));
  report.text_tokens = static_cast<int64_t>(tokenizer.encode_plain(text).size());
  for (PageRecord& page : report.pages) {
    GLYPH_ASSIGN_OR_RETURN(page.image_tokens, num_image_tokens({page.width, page.height}, preprocessor));
  }
  return {};
}

PagesReport describe(const Document& document, const Renderer& renderer, const std::string& text) {
  PagesReport report;
  report.document = document.name;
  report.format = document.format;
  report.style_json = renderer.style().canonical_json();
  report.font = renderer.font_name();
  report.dpi = renderer.style().dpi;
  report.text_chars = count_code_points(text);
  report.warnings = document.warnings;
  report.warnings.insert(report.warnings.end(), renderer.warnings().begin(), renderer.warnings().end());
  return report;
}

Result<int> run_render(Context& context, const RenderArguments& arguments) {
  const Settings& settings = context.settings;
  ProgressLine progress;
  GLYPH_ASSIGN_OR_RETURN(IngestOptions ingest, ingest_options(settings, context.interrupt.token()));
  GLYPH_ASSIGN_OR_RETURN(const StyleChoice choice, style_choice(settings));
  GLYPH_ASSIGN_OR_RETURN(const RenderOptions options, render_options(settings));
  GLYPH_ASSIGN_OR_RETURN(FreshDir dir, FreshDir::create(arguments.output, is_render_output));
  show_progress_of(ingest, progress);
  GLYPH_ASSIGN_OR_RETURN(const Document document, read_documents(arguments.files, ingest));
  GLYPH_ASSIGN_OR_RETURN(const auto renderer, Renderer::open(choice.for_document(document)));
  PageWriter writer(dir.path(), progress, context.interrupt.token());
  const Status drawn = renderer->render(document, [&](Page&& page) { return writer.write(std::move(page)); }, options);
  GLYPH_RETURN_IF_ERROR(writer.status());
  GLYPH_RETURN_IF_ERROR(drawn);

  const std::string text = document.text();
  PagesReport report = describe(document, *renderer, text);
  report.pages = writer.take_records();
  GLYPH_RETURN_IF_ERROR(add_tokens(settings, text, report));
  GLYPH_RETURN_IF_ERROR(write_file_atomically(dir.path() / "pages.json", pages_json(report)));
  GLYPH_RETURN_IF_ERROR(dir.commit());
  progress.finish();
  log_document(document);
  for (const std::string& warning : renderer->warnings()) log_warning("{}", warning);
  log_info("{}: {} pages, {}, {} dpi", arguments.output.string(), report.pages.size(), report.font, report.dpi);
  return 0;
}

}  // namespace

Command render_command() {
  auto given = std::make_shared<RenderArguments>();
  return {"render", "Draw a document's pages as PNG files, with pages.json beside them.",
          [given](Arguments& arguments) {
            arguments.files(given->files, {"FILE", "documents: TXT, Markdown, HTML, DOCX, PDF, pictures", ""});
            arguments.required_path(given->output, {"-o,--output", "folder to write; earlier pages in it are replaced", "DIR"});
            arguments.page_settings();
            arguments.settings({"model"});
            arguments.limit_settings();
          },
          [given](Context& context) { return run_render(context, *given); }};
}

}  // namespace glyph
