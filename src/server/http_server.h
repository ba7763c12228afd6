// HttpServer: sockets, limits and time, on one thread. What to do with a request is the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "glyph/status.h"
#include "server/http_message.h"
#include "server/request_record.h"

namespace glyph {

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 7860;                     // 0: any free one
  size_t max_connections = 12'000;          // one more is told 429
  uint32_t max_header_bytes = 16 * 1024;
  double header_seconds = 10;               // for a whole header
  double body_idle_seconds = 30;            // without a byte of the body
  double keep_alive_seconds = 60;           // between requests
  double event_idle_seconds = 15;           // between comments of an event stream
  double write_seconds = 30;                // a reader that takes nothing
  size_t max_unsent_bytes = size_t{4} << 20;  // of a stream; a slower reader is cut off
  double shutdown_seconds = 30;             // for what runs when the server is told to stop
  std::filesystem::path upload_dir;         // for bodies that go to files; exists
};

// Looks at a request's header (its body is empty) and says what to do, or gives the response at once.
using Router = std::function<std::variant<BodyPlan, HttpResponse>(const HttpRequest& request)>;

class HttpServer {
 public:
  // Binds the address. kUsage: it is not an IP address; kInternal: it cannot be bound (in use, no permission). `observer` may be empty.
  static Result<std::unique_ptr<HttpServer>> bind(const HttpServerOptions& options, Router router, RequestObserver observer = {});
  ~HttpServer();

  uint16_t port() const;
  size_t num_connections() const;
  bool stopping() const;  // any thread: stop() has begun
  // Serves on the calling thread until stop() was called and everything that ran is answered, or shutdown_seconds passed.
  void run();
  // Any thread: accepts no more, closes idle connections, lets responses finish.
  void stop();
  // Any thread: `work` runs on the serving thread.
  void post(std::function<void()> work);

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace glyph
