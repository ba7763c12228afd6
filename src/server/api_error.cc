#include "server/api_error.h"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/utf8.h"

namespace glyph {
namespace {

std::string_view type_of(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    default: return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

// What a client sent may be part of it, as in an address that leads nowhere, and need not be UTF-8.
boost::json::value text_or_null(const std::string& text) {
  return text.empty() ? boost::json::value(nullptr) : boost::json::value(sanitize_utf8(text));
}

}  // namespace

int http_status(StatusCode code) {
  switch (code) {
    case StatusCode::kOk: return 200;
    case StatusCode::kUsage: return 400;
    case StatusCode::kRefused: return 422;
    case StatusCode::kNotFound: return 404;
    case StatusCode::kExhausted: return 429;
    case StatusCode::kCancelled: return 503;
    case StatusCode::kDeadline: return 408;
    case StatusCode::kInternal: break;
  }
  return 500;
}

std::string error_json(const ApiError& error) {
  boost::json::object body;
  body["message"] = sanitize_utf8(error.message);
  body["type"] = type_of(error.status);
  body["param"] = text_or_null(error.param);
  body["code"] = text_or_null(error.code);
  return boost::json::serialize(boost::json::object{{"error", std::move(body)}});
}

HttpResponse error_response(const ApiError& error) {
  HttpResponse response;
  response.status = error.status;
  response.body = error_json(error);
  if (error.status == 429 || error.status == 503) response.headers.emplace_back("Retry-After", std::to_string(error.retry_after_seconds));
  if (error.status == 401) response.headers.emplace_back("WWW-Authenticate", error.challenge);
  return response;
}

HttpResponse error_response(int status, std::string_view message) { return error_response(ApiError{status, std::string(message), {}, {}}); }

HttpResponse error_response(const Status& status) { return error_response(http_status(status.code()), status.message()); }

}  // namespace glyph
