// Failures in the form OpenAI's clients expect.
#pragma once

#include <string>
#include <string_view>

#include "glyph/status.h"
#include "server/http_message.h"

namespace glyph {

// What is wrong with a request, as far as its client should know.
struct ApiError {
  int status = 400;
  std::string message;  // one sentence
  std::string param;    // the field, "" for none
  std::string code;     // "" for none
  int retry_after_seconds = 1;  // of 429 and 503
  std::string_view challenge = "Bearer";  // of 401
};

HttpResponse error_response(const ApiError& error);
HttpResponse error_response(int status, std::string_view message);
// kUsage 400, kRefused 422, kNotFound 404, kExhausted 429 with Retry-After, kDeadline 408, kCancelled 503, kInternal 500.
HttpResponse error_response(const Status& status);
// {"error":{...}} alone, for streams.
std::string error_json(const ApiError& error);
int http_status(StatusCode code);

}  // namespace glyph
