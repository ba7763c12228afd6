// glyph extract FILE...: the text of a document, as the model will see it, on stdout.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "command.h"
#include "inputs.h"
#include "output.h"

namespace glyph {
namespace {

Result<int> run_extract(Context& context, const std::vector<std::filesystem::path>& files) {
  ProgressLine progress;
  GLYPH_ASSIGN_OR_RETURN(IngestOptions options, ingest_options(context.settings, context.interrupt.token()));
  show_progress_of(options, progress);
  GLYPH_ASSIGN_OR_RETURN(const Document document, read_documents(files, options));
  progress.finish();
  log_document(document);
  std::string text = document.text();
  const auto is_picture = [](const Block& block) { return block.kind == Block::Kind::kImage; };
  const auto pictures = std::count_if(document.blocks.begin(), document.blocks.end(), is_picture);
  if (pictures > 0) {
    log_warning("{}: {} which {} no text to print", document.name, pictures == 1 ? "1 page is a picture," : fmt::format("{} pages are pictures,", pictures),
                pictures == 1 ? "has" : "have");
  }
  if (!text.empty() && text.back() != '\n') text += '\n';
  GLYPH_RETURN_IF_ERROR(write_stdout(text));
  return 0;
}

}  // namespace

Command extract_command() {
  auto files = std::make_shared<std::vector<std::filesystem::path>>();
  return {"extract", "Print the text of a document as UTF-8.",
          [files](Arguments& arguments) {
            arguments.files(*files, {"FILE", "documents: TXT, Markdown, HTML, DOCX, PDF", ""});
            arguments.limit_settings();
          },
          [files](Context& context) { return run_extract(context, *files); }};
}

}  // namespace glyph
