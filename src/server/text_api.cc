#include "server/text_api.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <limits>

#include "render/png.h"
#include "render/renderer.h"
#include "server/api_error.h"
#include "server/api_json.h"
#include "server/data_url.h"
#include "server/document_store.h"
#include "server/generation_request.h"
#include "server/json_reader.h"
#include "vision/preprocess.h"

namespace glyph {
namespace json = boost::json;
namespace {

constexpr size_t kMaxTextBytes = size_t{4} << 20;
constexpr size_t kMaxIds = size_t{1} << 20;
constexpr size_t kMaxPreviewPages = 1000;

struct Preview {
  size_t num_pages = 0;
  int64_t image_tokens = 0;
  Page page;  // the one asked for
};

Result<Preview> draw_preview(const Model& model, const Document& document, const PageStyle& style, size_t number) {
  GLYPH_ASSIGN_OR_RETURN(const auto renderer, Renderer::open(style));
  Preview preview;
  Status counted;
  const auto sink = [&](Page&& page) {
    const auto tokens = num_image_tokens({page.image.width, page.image.height}, model.preprocessor());
    if (!tokens.ok()) counted = tokens.status();
    else preview.image_tokens += *tokens;
    if (++preview.num_pages == number) preview.page = std::move(page);
    return counted.ok();
  };
  RenderOptions options;
  options.max_pages = kMaxPreviewPages;
  options.line_boxes = false;
  const Status status = renderer->render(document, sink, options);
  GLYPH_RETURN_IF_ERROR(counted);
  GLYPH_RETURN_IF_ERROR(status);
  if (preview.page.image.empty()) return not_found(fmt::format("there is no page {}; the text has {}", number, preview.num_pages));
  return preview;
}

json::object model_json(const Model& model) {
  return {{"id", model.name()}, {"object", "model"}, {"created", 0}, {"owned_by", "glyph"}, {"max_model_len", model.config().text.max_position_embeddings}};
}

}  // namespace

HttpResponse tokenize_text(const Model& model, const std::string& body) {
  auto parsed = parse_json_object(body);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return error_response(*error);
  JsonReader reader(std::get<json::object>(parsed));
  const auto text = reader.text("text", kMaxTextBytes);
  if (!text) reader.fail("text", "is missing");
  if (reader.error()) return error_response(*reader.error());
  json::array ids;
  for (const int32_t id : model.tokenizer().encode_plain(*text)) ids.emplace_back(id);
  const size_t count = ids.size();
  return json_response({{"tokens", std::move(ids)}, {"count", count}});
}

HttpResponse detokenize_ids(const Model& model, const std::string& body) {
  auto parsed = parse_json_object(body);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return error_response(*error);
  JsonReader reader(std::get<json::object>(parsed));
  if (!reader.has("tokens")) reader.fail("tokens", "is missing");
  std::vector<int32_t> ids;
  for (const int64_t id : reader.integers("tokens", kMaxIds, 0, std::numeric_limits<int32_t>::max())) ids.push_back(static_cast<int32_t>(id));
  if (reader.error()) return error_response(*reader.error());
  return json_response({{"text", model.tokenizer().decode(ids, false)}});
}

HttpResponse render_preview(const Model& model, const std::string& body) {
  auto parsed = parse_json_object(body);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return error_response(*error);
  JsonReader reader(std::get<json::object>(parsed));
  const auto text = reader.text("text", kMaxTextBytes);
  if (!text) reader.fail("text", "is missing");
  const json::object* overrides = reader.object("style");
  const auto number = reader.integer("page", 1, 10'000).value_or(1);
  if (reader.error()) return error_response(*reader.error());
  Document document;
  document.name = "text";
  document.format = "txt";
  document.blocks.push_back({Block::Kind::kText, *text, {}});
  const auto style = style_with(document, model.config(), overrides == nullptr ? "" : json::serialize(*overrides));
  if (!style.ok()) return error_response(ApiError{400, style.status().message(), "style", "invalid_value"});
  const auto preview = draw_preview(model, document, *style, static_cast<size_t>(number));
  if (!preview.ok()) return error_response(preview.status());
  const auto png = encode_png(preview->page.image);
  if (!png.ok()) return error_response(png.status());
  const auto text_tokens = static_cast<int64_t>(model.tokenizer().encode_plain(*text).size());
  const double ratio = static_cast<double>(text_tokens) / static_cast<double>(std::max<int64_t>(1, preview->image_tokens));
  return json_response({{"pages", preview->num_pages}, {"width", preview->page.image.width}, {"height", preview->page.image.height},
                        {"png", encode_base64(*png)}, {"text_tokens", text_tokens}, {"image_tokens", preview->image_tokens},
                        {"compression", std::round(ratio * 100) / 100}});
}

HttpResponse list_models(const Model& model) { return json_response({{"object", "list"}, {"data", json::array{model_json(model)}}}); }

HttpResponse get_model(const Model& model, const std::string& name) {
  if (const auto unknown = check_model(name, model.name())) return error_response(*unknown);
  return json_response(model_json(model));
}

}  // namespace glyph
