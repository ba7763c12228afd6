// RequestLog: one JSON object a line for each request. What a line may hold is what RequestRecord holds: no words of a prompt, no text
// of a document, no key.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "glyph/status.h"
#include "server/request_record.h"

namespace glyph {

// {"time":1769860800.123,"level":"info","request":"req_...","method":"POST","route":"/v1/chat/completions","status":200,"ms":12.3,
//  "bytes_in":120,"bytes_out":900,"client":"127.0.0.1","prompt_tokens":700,"cached_tokens":650,"completion_tokens":20,"ttft_ms":8.1,
//  "finish_reasons":["stop"]}; time and level as in base/log.h; the token fields only where there was an answer. Ends with a line feed.
// `unix_ms`: when it ended.
std::string request_line(const RequestRecord& record, int64_t unix_ms);

// Any thread.
class RequestLog {
 public:
  // Appends to `file`, made when it is not there and readable by its owner and group only; "": stderr. kUsage: it cannot be opened.
  // Lines are appended with one write each, so that the file may be truncated (logrotate's copytruncate) while the server runs.
  static Result<std::unique_ptr<RequestLog>> open(const std::filesystem::path& file);
  ~RequestLog();
  RequestLog(const RequestLog&) = delete;
  RequestLog& operator=(const RequestLog&) = delete;

  void write(const RequestRecord& record) const;

 private:
  RequestLog(int fd, bool owned) : fd_(fd), owned_(owned) {}

  const int fd_;
  const bool owned_;
};

}  // namespace glyph
