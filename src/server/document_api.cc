#include "server/document_api.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <utility>

#include "base/mapped_file.h"
#include "base/utf8.h"
#include "render/png.h"
#include "server/api_error.h"
#include "server/api_json.h"
#include "server/json_reader.h"
#include "server/multipart.h"
#include "server/page_view.h"

namespace glyph {
namespace json = boost::json;
namespace {

constexpr size_t kMaxQuotes = 64;
constexpr size_t kMaxQuoteBytes = 4096;
constexpr size_t kMaxNameBytes = 255;

Result<std::vector<DocumentInfo>> store_parts(DocumentStore& store, const HttpRequest& request) {
  GLYPH_ASSIGN_OR_RETURN(const std::string boundary, multipart_boundary(request.header("content-type")));
  GLYPH_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(request.body_file));
  const std::string_view body(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  GLYPH_ASSIGN_OR_RETURN(const std::vector<FormPart> parts, parse_multipart(body, boundary));
  std::string style;
  for (const FormPart& part : parts) {
    if (part.name == "style") style = std::string(part.bytes.substr(0, size_t{64} << 10));
  }
  std::vector<DocumentInfo> stored;
  for (const FormPart& part : parts) {
    if (part.name != "file" && part.name != "file[]") continue;
    GLYPH_ASSIGN_OR_RETURN(DocumentInfo info, store.add(file_name_of(part), part.bytes, style));
    stored.push_back(std::move(info));
  }
  if (stored.empty()) return usage_error("the form has no part named file");
  return stored;
}

}  // namespace

std::string file_name_of(const FormPart& part) {
  std::string name = sanitize_utf8(part.file_name);
  name = name.substr(name.find_last_of("/\\") + 1);
  std::erase_if(name, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  if (name.size() > kMaxNameBytes) name = sanitize_utf8(name.substr(name.size() - kMaxNameBytes));
  return name.empty() || name == "." || name == ".." ? "document.txt" : name;
}

void upload_documents(DocumentStore& store, const HttpRequest& request, const ResponderPtr& responder) {
  const auto stored = store_parts(store, request);
  if (!stored.ok()) return responder->respond(error_response(stored.status()));
  json::object answer = document_json(stored->front());
  if (stored->size() > 1) {
    json::array all;
    for (const DocumentInfo& info : *stored) all.push_back(document_json(info));
    answer = {{"object", "list"}, {"data", std::move(all)}};
  }
  responder->respond(json_response(answer, 202));
}

HttpResponse list_documents(const DocumentStore& store) {
  json::array all;
  for (const DocumentInfo& info : store.list()) all.push_back(document_json(info));
  return json_response({{"object", "list"}, {"data", std::move(all)}});
}

HttpResponse get_document(const DocumentStore& store, const std::string& id) {
  const auto info = store.get(id);
  return info.ok() ? json_response(document_json(*info)) : error_response(info.status());
}

HttpResponse delete_document(DocumentStore& store, const std::string& id) {
  const Status status = store.remove(id);
  if (!status.ok()) return error_response(status);
  return json_response({{"id", id}, {"object", "document.deleted"}, {"deleted", true}});
}

HttpResponse page_picture(DocumentStore& store, const std::string& id, const std::string& number) {
  size_t page_number = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), page_number);
  if (error != std::errc() || end != number.data() + number.size()) return error_response(404, "pages are numbered from 1");
  const auto source = store.source(id, {});
  if (!source.ok()) return error_response(source.status());
  const auto page = draw_page(**source, page_number);
  if (!page.ok()) return error_response(page.status());
  auto png = encode_png(page->image);
  if (!png.ok()) return error_response(png.status());
  HttpResponse response;
  response.content_type = "image/png";
  response.headers = {{"Cache-Control", "private, max-age=3600"}};
  response.body = *std::move(png);
  return response;
}

HttpResponse document_text(DocumentStore& store, const std::string& id) {
  const auto source = store.source(id, {});
  if (!source.ok()) return error_response(source.status());
  HttpResponse response;
  response.content_type = "text/plain; charset=utf-8";
  response.body = (*source)->document->text();
  return response;
}

HttpResponse find_in_document(DocumentStore& store, const std::string& id, const std::string& body) {
  auto parsed = parse_json_object(body);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return error_response(*error);
  JsonReader reader(std::get<json::object>(parsed));
  const std::vector<std::string> quotes = reader.texts("quotes", kMaxQuotes, kMaxQuoteBytes);
  if (!reader.error() && !reader.has("quotes")) reader.fail("quotes", "is missing");
  if (reader.error()) return error_response(*reader.error());
  const auto source = store.source(id, {});
  if (!source.ok()) return error_response(source.status());
  const auto matches = find_quotes(**source, quotes);
  if (!matches.ok()) return error_response(matches.status());
  json::array found;
  for (const QuoteMatch& match : *matches) {
    json::array boxes;
    for (const QuoteBox& box : match.boxes) boxes.push_back({{"page", box.page}, {"x0", box.x0}, {"y0", box.y0}, {"x1", box.x1}, {"y1", box.y1}});
    found.push_back({{"quote", match.quote}, {"found", match.found}, {"boxes", std::move(boxes)}});
  }
  return json_response({{"matches", std::move(found)}});
}

void watch_document(DocumentStore& store, const std::string& id, const ResponderPtr& responder) {
  const auto info = store.get(id);
  if (!info.ok()) return responder->respond(error_response(info.status()));
  auto stop = std::make_shared<std::stop_source>();
  responder->on_gone([stop] { stop->request_stop(); });
  responder->begin_stream();
  const auto watcher = [responder](const DocumentInfo& news) {
    responder->send(event_text(json::serialize(document_json(news)), "progress"));
    if (news.finished()) responder->end_stream();
  };
  if (!store.watch(id, watcher, stop->get_token()).ok()) responder->end_stream();  // deleted meanwhile
}

}  // namespace glyph
