#include "server/token_logprobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/utf8.h"

namespace glyph {
namespace json = boost::json;
namespace {

constexpr float kLeast = -9999.0f;  // OpenAI's number for "never": JSON has no infinity

double shown(float logprob) { return std::max(logprob, kLeast); }

json::object chat_entry(const std::string& bytes, float logprob) {
  json::array numbers;
  for (const char byte : bytes) numbers.emplace_back(static_cast<uint8_t>(byte));
  return {{"token", sanitize_utf8(bytes)}, {"logprob", shown(logprob)}, {"bytes", std::move(numbers)}};
}

// A part of a character is spelled "bytes:\xe4\xbd", as OpenAI does, so that two parts are not one key.
std::string completion_text(const std::string& bytes) {
  if (is_valid_utf8(bytes)) return bytes;
  std::string text = "bytes:";
  for (const char byte : bytes) text += fmt::format("\\x{:02x}", static_cast<uint8_t>(byte));
  return text;
}

}  // namespace

size_t num_characters(const std::string& bytes) {
  return static_cast<size_t>(std::count_if(bytes.begin(), bytes.end(), [](char byte) { return (static_cast<uint8_t>(byte) & 0xC0) != 0x80; }));
}

TokenLogprob token_logprob(const Tokenizer& tokenizer, const SampledToken& token, size_t offset) {
  TokenLogprob found{std::string(tokenizer.token_bytes(token.id)), token.logprob, {}, offset};
  for (const auto& [id, logprob] : token.top_logprobs) found.others.emplace_back(std::string(tokenizer.token_bytes(id)), logprob);
  return found;
}

json::value chat_logprobs(std::span<const TokenLogprob> tokens) {
  json::array content;
  for (const TokenLogprob& token : tokens) {
    json::object entry = chat_entry(token.bytes, token.logprob);
    json::array others;
    for (const auto& [bytes, logprob] : token.others) others.push_back(chat_entry(bytes, logprob));
    entry["top_logprobs"] = std::move(others);
    content.push_back(std::move(entry));
  }
  return json::object{{"content", std::move(content)}, {"refusal", nullptr}};
}

json::value completion_logprobs(std::span<const TokenLogprob> tokens) {
  json::array texts, logprobs, others, offsets;
  for (const TokenLogprob& token : tokens) {
    texts.emplace_back(completion_text(token.bytes));
    logprobs.emplace_back(shown(token.logprob));
    offsets.emplace_back(token.offset);
    json::object likeliest;
    for (const auto& [bytes, logprob] : token.others) likeliest.emplace(completion_text(bytes), shown(logprob));
    others.push_back(std::move(likeliest));
  }
  return json::object{{"tokens", std::move(texts)}, {"token_logprobs", std::move(logprobs)}, {"top_logprobs", std::move(others)},
                      {"text_offset", std::move(offsets)}};
}

}  // namespace glyph
