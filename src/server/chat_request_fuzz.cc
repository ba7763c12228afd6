// A chat or completion request: any bytes give a request inside its limits or an error with a sentence.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "server/chat_request.h"
#include "server/completion_request.h"

namespace {

void check(const glyph::ApiError& error) {
  if (error.status != 400 || error.message.empty()) std::abort();
}
void check(const glyph::GenerationRequest& request) {
  if (request.num_answers < 1 || request.num_answers > glyph::kMaxAnswers || request.top_logprobs > 20) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto chat = glyph::parse_chat_request(body);
  std::visit([](const auto& parsed) { check(parsed); }, chat);
  const auto completion = glyph::parse_completion_request(body);
  std::visit([](const auto& parsed) { check(parsed); }, completion);
  return 0;
}
