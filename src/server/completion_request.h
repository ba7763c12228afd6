// The body of POST /v1/completions as a struct.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/api_error.h"
#include "server/generation_request.h"

namespace glyph {

constexpr int64_t kDefaultCompletionTokens = 16;  // OpenAI's

// max_tokens is always set.
struct CompletionRequest : GenerationRequest {
  std::string prompt;            // when there are no ids
  std::vector<int32_t> ids;
};

// Checks everything that needs no model. What would change the answer and is not offered (echo, suffix, best_of, several prompts,
// documents) is refused.
std::variant<CompletionRequest, ApiError> parse_completion_request(std::string_view body);

}  // namespace glyph
