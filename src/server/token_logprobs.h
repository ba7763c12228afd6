// Logprobs of an answer's tokens in the two forms of the OpenAI API.
#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "answer/sampler.h"
#include "tokenize/tokenizer.h"

namespace glyph {

// A token as clients see it.
struct TokenLogprob {
  std::string bytes;
  float logprob = 0;
  std::vector<std::pair<std::string, float>> others;  // the likeliest, with their bytes; the token itself may be among them
  size_t offset = 0;                                  // characters of the answer before it
};

TokenLogprob token_logprob(const Tokenizer& tokenizer, const SampledToken& token, size_t offset);
// Characters that begin in the bytes.
size_t num_characters(const std::string& bytes);

// {"content":[{"token","logprob","bytes","top_logprobs":[...]}],"refusal":null}
boost::json::value chat_logprobs(std::span<const TokenLogprob> tokens);
// {"tokens","token_logprobs","top_logprobs","text_offset"}
boost::json::value completion_logprobs(std::span<const TokenLogprob> tokens);

}  // namespace glyph
