#include "server/batch_line.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <utility>

#include "server/json_reader.h"

namespace glyph {
namespace json = boost::json;
namespace {

constexpr size_t kMaxCustomIdBytes = 512;
constexpr std::string_view kIdPrefix = "{\"id\":\"batch_req_";

json::value text_or_null(const std::string& text) { return text.empty() ? json::value(nullptr) : json::value(text); }

}  // namespace

std::variant<BatchLine, BadBatchLine> parse_batch_line(std::string_view line, const std::string& endpoint) {
  auto parsed = parse_json_object(line);
  if (auto* error = std::get_if<ApiError>(&parsed)) {
    error->message = "the line is not a request: " + error->message;
    return BadBatchLine{{}, std::move(*error)};
  }
  JsonReader reader(std::get<json::object>(parsed));
  const std::string custom_id = reader.text("custom_id", kMaxCustomIdBytes).value_or("");
  if (custom_id.empty()) reader.fail("custom_id", "is missing");
  if (reader.text("method", 16).value_or("") != "POST") reader.fail("method", "must be POST");
  if (reader.text("url", 256).value_or("") != endpoint) reader.fail("url", fmt::format("must be the batch's endpoint, {}", endpoint));
  const json::object* body = reader.object("body");
  if (body == nullptr) reader.fail("body", "is missing");
  if (reader.error()) return BadBatchLine{custom_id, *reader.error()};
  JsonReader inner(*body, "body.");
  if (inner.boolean("stream").value_or(false)) inner.fail("stream", "is not offered inside a batch");
  if (inner.error()) return BadBatchLine{custom_id, *inner.error()};
  return BatchLine{custom_id, json::serialize(*body)};
}

std::string answered_line(const std::string& id, const std::string& custom_id, const std::string& request_id, const HttpResponse& response) {
  boost::system::error_code damaged;
  json::object answer{{"status_code", response.status}, {"request_id", request_id}};
  answer["body"] = json::parse(response.body, damaged);
  return json::serialize(json::object{{"id", id}, {"custom_id", custom_id}, {"response", std::move(answer)}, {"error", nullptr}}) + "\n";
}

std::string refused_line(const std::string& id, const BadBatchLine& bad) {
  const json::object error{{"code", text_or_null(bad.error.code)}, {"message", bad.error.message}, {"param", text_or_null(bad.error.param)}};
  return json::serialize(json::object{{"id", id}, {"custom_id", text_or_null(bad.custom_id)}, {"response", nullptr}, {"error", error}}) + "\n";
}

std::string line_id(const std::string& batch_id, size_t number) {
  return fmt::format("batch_req_{}_{}", batch_id.substr(batch_id.find('_') + 1), number);
}

std::optional<size_t> number_of_line(std::string_view line) {
  if (!line.starts_with(kIdPrefix)) return std::nullopt;
  line.remove_prefix(kIdPrefix.size());
  const size_t begin = line.find('_') + 1;
  size_t number = 0;
  const auto [end, error] = std::from_chars(line.data() + begin, line.data() + line.size(), number);
  if (begin == 0 || error != std::errc() || end == line.data() + line.size() || *end != '"') return std::nullopt;
  return number;
}

}  // namespace glyph
