// The body of POST /v1/chat/completions as a struct.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/api_error.h"
#include "server/generation_request.h"
#include "tokenize/prompt.h"

namespace glyph {

constexpr size_t kMaxMessages = 1024;
constexpr size_t kMaxDocumentsPerRequest = 64;

// A file inside a message: a document or a file the server knows, or bytes, or a picture somewhere else.
struct ChatFile {
  std::string id = {};  // "" when bytes are given
  std::string name = {};
  std::string bytes = {};
  std::string url = {};    // http: or https:, not looked at yet
  std::string field = {};  // of the request, that holds the url
};

struct ChatMessage {
  Role role = Role::kUser;
  std::string text;
  std::vector<ChatFile> files;  // shown before the text
};

struct ChatRequest : GenerationRequest {
  std::vector<ChatMessage> messages;
  std::vector<std::string> documents;  // ids; shown before the first user message
};

// "image/png" -> ".png"; ".txt" for what it does not know.
std::string_view extension_of(std::string_view media_type);

// Checks everything that needs no model. Fields that OpenAI has and that change nothing here (user, metadata, store) are ignored;
// what would change the answer and is not offered (tools) is refused.
std::variant<ChatRequest, ApiError> parse_chat_request(std::string_view body);

}  // namespace glyph
