// One client's connection to a server, for measurements: requests one after another, whose answers are seen while they arrive.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "glyph/status.h"
#include "server/remote_url.h"

namespace glyph {

struct SessionRequest {
  std::string method = "GET";
  std::string target = "/";
  std::string body;
  std::string content_type = "application/json";
};

struct SessionAnswer {
  int status = 0;
  std::string body;
};

// One thread at a time. The connection is kept open between requests, and opened again when the server closed it.
class HttpSession {
 public:
  // `server`: http only; its target is not used. `key`: sent as a bearer token, unless empty.
  HttpSession(RemoteUrl server, std::string key, std::stop_token stop);
  ~HttpSession();

  // Any HTTP status is an answer. `on_body` hears all of the body so far each time more of it arrived. kInternal: no connection,
  // or no answer that can be read; kDeadline: no whole answer within ten minutes; kCancelled: the stop token.
  Result<SessionAnswer> ask(const SessionRequest& request, const std::function<void(std::string_view)>& on_body = {});

 private:
  struct Connection;
  Result<SessionAnswer> exchange(const SessionRequest& request, const std::function<void(std::string_view)>& on_body);

  RemoteUrl server_;
  std::string key_;
  std::stop_token stop_;
  std::unique_ptr<Connection> connection_;  // nullptr: none is open
};

}  // namespace glyph
