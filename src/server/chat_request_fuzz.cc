// A chat request: any bytes give a request inside its limits or an error with a sentence.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "server/chat_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parsed = glyph::parse_chat_request({reinterpret_cast<const char*>(data), size});
  if (const auto* error = std::get_if<glyph::ApiError>(&parsed)) {
    if (error->status != 400 || error->message.empty()) std::abort();
  } else {
    const auto& request = std::get<glyph::ChatRequest>(parsed);
    if (request.messages.empty() || request.num_answers < 1 || request.num_answers > glyph::kMaxAnswers) std::abort();
  }
  return 0;
}
