// Documents and questions of a load test, over HTTP.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glyph/status.h"
#include "load/http_session.h"

namespace glyph {

// One question and what came of it. Times in milliseconds since it was sent.
struct LoadAnswer {
  std::string problem;         // "status 429: ...", "" when it was answered
  int64_t tokens = 0;          // of the answer
  int64_t cached_tokens = 0;   // of the prompt
  double first_token_ms = 0;
  double total_ms = 0;
};

// Sends a text as a document and waits until it was read -> its id. kRefused: the server did not take it, or could not read it.
Result<std::string> upload_text(HttpSession& session, const std::string& name, const std::string& text);

// The model that the server names first.
Result<std::string> served_model(HttpSession& session);

// Asks question `number` about a document and takes the answer as a stream, `max_tokens` long whatever it says (ignore_eos). An error only
// when there is no sense in going on: no connection, or stopped.
Result<LoadAnswer> ask_about(HttpSession& session, const std::string& model, const std::string& document, int64_t number, int64_t max_tokens);

}  // namespace glyph
