#include "server/conversation_api.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "server/api_error.h"
#include "server/api_json.h"
#include "server/json_reader.h"

namespace glyph {
namespace json = boost::json;
namespace {

constexpr size_t kMaxTitleBytes = 1024;
constexpr size_t kMaxMessages = 4096;
constexpr size_t kMaxDocuments = 64;

json::object conversation_json(const Conversation& conversation, bool with_messages) {
  boost::system::error_code damaged;
  json::object object{{"id", conversation.id}, {"object", "conversation"}, {"title", conversation.title}};
  object["documents"] = json::parse(conversation.documents, damaged);
  if (with_messages) object["messages"] = json::parse(conversation.messages, damaged);
  object["created_at"] = conversation.created_at;
  object["updated_at"] = conversation.updated_at;
  return object;
}

HttpResponse answer(const Result<Conversation>& conversation, int status = 200) {
  return conversation.ok() ? json_response(conversation_json(*conversation, true), status) : error_response(conversation.status());
}

// Messages are the client's; only that they are messages is checked.
void check_messages(JsonReader& reader, const json::array& messages) {
  for (const json::value& message : messages) {
    const json::object* fields = message.if_object();
    const json::value* role = fields == nullptr ? nullptr : fields->if_contains("role");
    if (role == nullptr || !role->is_string()) return reader.fail("messages", "must hold objects with a role");
  }
}

std::optional<ApiError> read_fields(const std::string& body, Conversation& conversation) {
  auto parsed = parse_json_object(body);
  if (auto* error = std::get_if<ApiError>(&parsed)) return std::move(*error);
  JsonReader reader(std::get<json::object>(parsed));
  if (auto title = reader.text("title", kMaxTitleBytes)) conversation.title = *std::move(title);
  if (reader.has("documents")) {
    json::array ids;
    for (const std::string& id : reader.texts("documents", kMaxDocuments, 256)) ids.emplace_back(id);
    conversation.documents = json::serialize(ids);
  }
  if (const json::array* messages = reader.array("messages", kMaxMessages)) {
    check_messages(reader, *messages);
    conversation.messages = json::serialize(*messages);
  }
  return reader.error();
}

}  // namespace

HttpResponse list_conversations(ConversationStore& store) {
  const auto all = store.list();
  if (!all.ok()) return error_response(all.status());
  json::array data;
  for (const Conversation& conversation : *all) data.push_back(conversation_json(conversation, false));
  return json_response({{"object", "list"}, {"data", std::move(data)}});
}

HttpResponse get_conversation(ConversationStore& store, const std::string& id) { return answer(store.get(id)); }

HttpResponse add_conversation(ConversationStore& store, const std::string& body) {
  Conversation conversation{{}, {}, "[]", "[]", 0, 0};
  if (const auto error = read_fields(body, conversation)) return error_response(*error);
  return answer(store.add(std::move(conversation)), 201);
}

HttpResponse update_conversation(ConversationStore& store, const std::string& id, const std::string& body) {
  Result<Conversation> conversation = store.get(id);
  if (!conversation.ok()) return error_response(conversation.status());
  if (const auto error = read_fields(body, *conversation)) return error_response(*error);
  return answer(store.update(*conversation));
}

HttpResponse delete_conversation(ConversationStore& store, const std::string& id) {
  const Status status = store.remove(id);
  if (!status.ok()) return error_response(status);
  return json_response({{"id", id}, {"object", "conversation.deleted"}, {"deleted", true}});
}

}  // namespace glyph
