// /v1/conversations: what was said, kept on the server.
#pragma once

#include <string>

#include "server/conversation_store.h"
#include "server/http_message.h"

namespace glyph {

HttpResponse list_conversations(ConversationStore& store);
HttpResponse get_conversation(ConversationStore& store, const std::string& id);
HttpResponse add_conversation(ConversationStore& store, const std::string& body);
// Replaces the fields that are given.
HttpResponse update_conversation(ConversationStore& store, const std::string& id, const std::string& body);
HttpResponse delete_conversation(ConversationStore& store, const std::string& id);

}  // namespace glyph
