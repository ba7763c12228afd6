#include "inputs.h"

#include <limits>

#include "base/log.h"
#include "base/text_file.h"

namespace glyph {
namespace {

constexpr int64_t kMaxMib = int64_t{1} << 20;
constexpr int64_t kMib = int64_t{1} << 20;
constexpr size_t kMaxStyleBytes = size_t{1} << 20;

}  // namespace

Result<IngestOptions> ingest_options(const Settings& settings, std::stop_token stop) {
  IngestOptions options;
  IngestLimits& limits = options.limits;
  const auto mib = [&](std::string_view name, size_t fallback) {
    return settings.integer(name, static_cast<int64_t>(fallback) / kMib, 1, kMaxMib);
  };
  constexpr int64_t kMaxInt = std::numeric_limits<int>::max();
  GLYPH_ASSIGN_OR_RETURN(const int64_t file, mib("limit-file-mib", limits.file_bytes));
  GLYPH_ASSIGN_OR_RETURN(const int64_t inflated, mib("limit-inflated-mib", limits.inflated_bytes));
  GLYPH_ASSIGN_OR_RETURN(const int64_t helper, mib("limit-helper-mib", limits.helper_memory));
  GLYPH_ASSIGN_OR_RETURN(const int64_t ratio, settings.integer("limit-inflate-ratio", 100, 1, kMaxInt));
  GLYPH_ASSIGN_OR_RETURN(const int64_t entries, settings.integer("limit-zip-entries", 4096, 1, kMaxInt));
  GLYPH_ASSIGN_OR_RETURN(const int64_t pages, settings.integer("limit-pages", kMaxPages, 1, kMaxInt));
  GLYPH_ASSIGN_OR_RETURN(const int64_t side, settings.integer("limit-image-side", limits.image_side, 1, 1 << 16));
  GLYPH_ASSIGN_OR_RETURN(const int64_t megapixels, settings.integer("limit-image-megapixels", 36, 1, 4096));
  GLYPH_ASSIGN_OR_RETURN(limits.helper_seconds, settings.number("limit-helper-seconds", limits.helper_seconds, 0.1, 86400));
  limits.file_bytes = static_cast<size_t>(file * kMib);
  limits.inflated_bytes = static_cast<size_t>(inflated * kMib);
  limits.helper_memory = static_cast<size_t>(helper * kMib);
  limits.inflate_ratio = static_cast<size_t>(ratio);
  limits.zip_entries = static_cast<size_t>(entries);
  limits.pages = static_cast<size_t>(pages);
  limits.image_side = static_cast<int>(side);
  limits.image_pixels = megapixels * 1'000'000;
  options.stop = std::move(stop);
  return options;
}

PageStyle StyleChoice::for_document(const Document& document) const {
  PageStyle chosen = style ? *style : PageStyle::for_document(document);
  if (dpi) chosen.dpi = *dpi;
  return chosen;
}

Result<StyleChoice> style_choice(const Settings& settings) {
  StyleChoice choice;
  if (const auto path = settings.text("style")) {
    GLYPH_ASSIGN_OR_RETURN(const std::string json, read_file(*path, kMaxStyleBytes));
    GLYPH_ASSIGN_OR_RETURN(choice.style, PageStyle::parse(json, *path));
  }
  if (settings.has("dpi")) {
    GLYPH_ASSIGN_OR_RETURN(choice.dpi, settings.number("dpi", 72, 18, 600));
  }
  return choice;
}

Result<RenderOptions> render_options(const Settings& settings) {
  RenderOptions options;
  GLYPH_ASSIGN_OR_RETURN(const int64_t pages, settings.integer("limit-pages", kMaxPages, 1, std::numeric_limits<int>::max()));
  options.max_pages = static_cast<size_t>(pages);
  return options;
}

void log_document(const Document& document) {
  for (const std::string& warning : document.warnings) log_warning("{}", warning);
  if (!document.encoding.empty() && document.encoding != "UTF-8") {
    log_info("{}: read as {}", document.name, document.encoding);
  }
}

}  // namespace glyph
