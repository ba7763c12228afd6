#include "server/chat_request.h"

#include <fmt/format.h>

#include "answer/sampler.h"
#include "server/data_url.h"
#include "server/json_reader.h"

namespace glyph {
namespace json = boost::json;
namespace {

constexpr size_t kMaxTextBytes = size_t{16} << 20;
constexpr size_t kMaxFileBytes = size_t{64} << 20;
constexpr size_t kMaxParts = 256;

std::optional<ApiError> read_image(const json::object& part, const std::string& prefix, ChatMessage& message) {
  JsonReader reader(part, prefix);
  const json::object* image = reader.object("image_url");
  if (image == nullptr) return reader.error() ? reader.error() : ApiError{400, prefix + "image_url is missing", prefix + "image_url", {}};
  JsonReader fields(*image, prefix + "image_url.");
  const auto url = fields.text("url", kMaxFileBytes * 4 / 3 + 64);
  if (!url) return fields.error() ? fields.error() : ApiError{400, prefix + "image_url.url is missing", prefix + "image_url.url", {}};
  if (url->starts_with("http:") || url->starts_with("https:")) {
    message.files.push_back({.url = *url, .field = prefix + "image_url.url"});
    return std::nullopt;
  }
  auto data = parse_data_url(*url);
  if (!data) {
    fields.fail("url", "is not a base64 data: URL");
    return fields.error();
  }
  if (!data->media_type.starts_with("image/")) {
    fields.fail("url", "is not a picture");
    return fields.error();
  }
  message.files.push_back({.name = fmt::format("image{}", extension_of(data->media_type)), .bytes = std::move(data->bytes)});
  return std::nullopt;
}

std::optional<ApiError> read_file_part(const json::object& part, const std::string& prefix, ChatMessage& message) {
  JsonReader reader(part, prefix);
  const json::object* file = reader.object("file");
  if (file == nullptr) return reader.error() ? reader.error() : ApiError{400, prefix + "file is missing", prefix + "file", {}};
  JsonReader fields(*file, prefix + "file.");
  const auto id = fields.text("file_id", 256);
  const auto data = fields.text("file_data", kMaxFileBytes * 4 / 3 + 256);
  const auto name = fields.text("filename", 1024);
  if (fields.error()) return fields.error();
  if (id) {
    message.files.push_back({.id = *id});
    return std::nullopt;
  }
  if (!data) return ApiError{400, prefix + "file needs file_id or file_data", prefix + "file", "invalid_value"};
  auto url = parse_data_url(*data);
  if (!url) {
    if (auto bytes = decode_base64(*data)) url = DataUrl{{}, *std::move(bytes)};
  }
  if (!url) {
    fields.fail("file_data", "is neither base64 nor a base64 data: URL");
    return fields.error();
  }
  message.files.push_back({.name = name.value_or(fmt::format("file{}", extension_of(url->media_type))), .bytes = std::move(url->bytes)});
  return std::nullopt;
}

std::optional<ApiError> read_part(const json::object& part, const std::string& prefix, ChatMessage& message) {
  JsonReader reader(part, prefix);
  const auto type = reader.text("type", 64);
  if (!type) return reader.error() ? reader.error() : ApiError{400, prefix + "type is missing", prefix + "type", {}};
  if (*type == "text") {
    const auto text = reader.text("text", kMaxTextBytes);
    if (!text) return reader.error() ? reader.error() : ApiError{400, prefix + "text is missing", prefix + "text", {}};
    if (!message.text.empty()) message.text += '\n';
    message.text += *text;
    return std::nullopt;
  }
  if (message.role == Role::kUser && *type == "image_url") return read_image(part, prefix, message);
  if (message.role == Role::kUser && *type == "file") return read_file_part(part, prefix, message);
  reader.fail("type", "must be text, or in a user's message image_url or file");
  return reader.error();
}

std::optional<ApiError> read_content(const json::object& object, const std::string& prefix, ChatMessage& message) {
  JsonReader reader(object, prefix);
  const json::value* content = object.if_contains("content");
  if (content == nullptr || content->is_null()) return ApiError{400, prefix + "content is missing", prefix + "content", {}};
  if (content->is_string()) {
    message.text = reader.text("content", kMaxTextBytes).value_or("");
    return reader.error();
  }
  const json::array* parts = content->is_array() ? reader.array("content", kMaxParts) : nullptr;
  if (parts == nullptr) {
    reader.fail("content", "must be a text or a list of parts");
    return reader.error();
  }
  for (size_t i = 0; i < parts->size(); ++i) {
    const std::string part_prefix = fmt::format("{}content[{}].", prefix, i);
    if (!(*parts)[i].is_object()) return ApiError{400, part_prefix + " is not an object", prefix + "content", {}};
    if (auto error = read_part((*parts)[i].get_object(), part_prefix, message)) return error;
  }
  return std::nullopt;
}

std::optional<ApiError> read_message(const json::value& value, size_t index, ChatRequest& request) {
  const std::string prefix = fmt::format("messages[{}].", index);
  if (!value.is_object()) return ApiError{400, fmt::format("messages[{}] is not an object", index), "messages", "invalid_value"};
  JsonReader reader(value.get_object(), prefix);
  const std::string role = reader.text("role", 32).value_or("");
  ChatMessage message;
  if (role == "user") message.role = Role::kUser;
  else if (role == "assistant") message.role = Role::kAssistant;
  else if (role == "system" || role == "developer") message.role = Role::kSystem;
  else reader.fail("role", "must be system, developer, user or assistant");
  if (reader.error()) return reader.error();
  if (auto error = read_content(value.get_object(), prefix, message)) return error;
  request.messages.push_back(std::move(message));
  return std::nullopt;
}

// logprobs: true, and how many others with top_logprobs.
void read_logprobs(JsonReader& reader, ChatRequest& request) {
  const bool wanted = reader.boolean("logprobs").value_or(false);
  const auto others = reader.integer("top_logprobs", 0, kMaxTopLogprobs);
  if (others && !wanted) reader.fail("top_logprobs", "needs logprobs to be true");
  if (wanted) request.top_logprobs = others.value_or(0);
}

// What would change the answer and is not here.
void refuse_unsupported(JsonReader& reader) {
  for (const char* key : {"tools", "functions"}) {
    if (const json::array* list = reader.array(key, 1024); list != nullptr && !list->empty()) reader.fail(key, "is not offered by this server");
  }
}

}  // namespace

std::string_view extension_of(std::string_view media_type) {
  if (media_type == "application/pdf") return ".pdf";
  if (media_type == "image/png") return ".png";
  if (media_type == "image/jpeg") return ".jpg";
  if (media_type == "image/webp") return ".webp";
  if (media_type == "text/html") return ".html";
  if (media_type == "application/vnd.openxmlformats-officedocument.wordprocessingml.document") return ".docx";
  return ".txt";
}

std::variant<ChatRequest, ApiError> parse_chat_request(std::string_view body) {
  auto parsed = parse_json_object(body);
  if (auto* error = std::get_if<ApiError>(&parsed)) return std::move(*error);
  const json::object& object = std::get<json::object>(parsed);
  JsonReader reader(object);
  ChatRequest request;
  read_generation(reader, request);
  read_logprobs(reader, request);
  request.documents = reader.texts("documents", kMaxDocumentsPerRequest, 256);
  refuse_unsupported(reader);
  const json::array* messages = reader.array("messages", kMaxMessages);
  if (reader.error()) return *reader.error();
  if (messages == nullptr || messages->empty()) return ApiError{400, "messages is missing or empty", "messages", "invalid_value"};
  for (size_t i = 0; i < messages->size(); ++i) {
    if (auto error = read_message((*messages)[i], i, request)) return std::move(*error);
  }
  const ChatMessage& last = request.messages.back();
  if (last.role == Role::kAssistant || last.role == Role::kSystem) return ApiError{400, "the last message must be the user's", "messages", "invalid_value"};
  if (last.text.empty()) return ApiError{400, "the last message has no text", "messages", "invalid_value"};
  return request;
}

}  // namespace glyph
