// Requests and responses as the handlers see them. Plain values; nothing of Beast.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace glyph {

struct AnswerFigures;  // server/request_record.h
class FileBody;        // server/file_body.h

struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // of the target, percent-decoded, without the query
  std::string query;   // of the target, as it came, without the '?'
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  std::filesystem::path body_file;  // instead of body, where the route wants a file; deleted after the handler's last copy is gone
  std::shared_ptr<void> body_file_guard;
  std::string id;      // of the request, for the log and the X-Request-Id header
  std::string client;  // its address

  // The first header of that lower-case name, "" when there is none.
  std::string_view header(std::string_view name) const;
  // The first value of that name in the query, decoded.
  std::optional<std::string> parameter(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;  // besides those every response has
  std::string body;
  std::shared_ptr<FileBody> file = {};  // instead of body
};

// Where a handler's answer goes. Any thread; every call is posted to the thread of the connection. Exactly one of respond() and
// begin_stream() ... end_stream().
class Responder {
 public:
  virtual ~Responder() = default;
  virtual void respond(HttpResponse response) = 0;
  // An event stream.
  virtual void begin_stream() = 0;
  virtual void send(std::string bytes) = 0;
  virtual void end_stream() = 0;
  // Calls once, on the connection's thread, when the client goes away before the response is complete, at once if it has.
  virtual void on_gone(std::function<void()> callback) = 0;
  // What the answer took, for the log and the metrics; before the response ends.
  virtual void report(const AnswerFigures& figures);
};
using ResponderPtr = std::shared_ptr<Responder>;

// What becomes of a request's body, decided when its header is complete.
struct BodyPlan {
  size_t max_bytes = 0;       // more is 413
  bool to_file = false;
  std::function<void(HttpRequest request, ResponderPtr responder)> handler;
  std::shared_ptr<void> slot = {};  // held until the response is sent or the client is gone
};

// "%41" -> "A". Broken escapes stay as they are.
std::string percent_decoded(std::string_view text);

}  // namespace glyph
