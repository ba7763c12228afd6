// The body of POST /v1/chat/completions as a struct.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/ask.h"
#include "server/api_error.h"
#include "tokenize/prompt.h"

namespace glyph {

constexpr size_t kMaxMessages = 1024;
constexpr size_t kMaxDocumentsPerRequest = 64;
constexpr int kMaxAnswers = 4;

// A file inside a message: a document the server knows, or bytes.
struct ChatFile {
  std::string document_id;  // "" when bytes are given
  std::string name;
  std::string bytes;
};

struct ChatMessage {
  Role role = Role::kUser;
  std::string text;
  std::vector<ChatFile> files;  // shown before the text
};

struct ChatRequest {
  std::string model;  // "" when none is named
  std::vector<ChatMessage> messages;
  std::vector<std::string> documents;  // ids; shown before the first user message
  bool stream = false;
  bool include_usage = false;
  SamplingRequest sampling;
  double presence_penalty = 0;
  double frequency_penalty = 0;
  std::vector<int32_t> stop_ids;
  std::optional<int64_t> max_tokens;
  int num_answers = 1;
  bool use_cache = true;               // "cache", our own: false reads everything anew
};

// Checks everything that needs no model. Fields that OpenAI has and that change nothing here (user, metadata, store) are ignored;
// what would change the answer and is not offered (tools, logprobs, another response_format) is refused.
std::variant<ChatRequest, ApiError> parse_chat_request(std::string_view body);

}  // namespace glyph
