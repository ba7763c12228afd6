#include "server/request_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace glyph {
namespace {

int64_t unix_ms_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

// Every word in it is ours (ids, methods, patterns, addresses, finish reasons) and needs no escapes.
std::string request_line(const RequestRecord& record, int64_t unix_ms) {
  std::string line = fmt::format(
      R"({{"time":{}.{:03},"level":"info","request":"{}","method":"{}","route":"{}","status":{},"ms":{:.3f},)"
      R"("bytes_in":{},"bytes_out":{},"client":"{}")",
      unix_ms / 1000, unix_ms % 1000, record.id, record.method, record.route, record.status, record.ms, record.bytes_in, record.bytes_out,
      record.client);
  if (const auto& answer = record.answer) {
    line += fmt::format(R"(,"prompt_tokens":{},"cached_tokens":{},"completion_tokens":{},"ttft_ms":{:.3f},"finish_reasons":[)",
                        answer->prompt_tokens, answer->cached_tokens, answer->completion_tokens, answer->ttft_ms);
    const char* separator = "";
    for (const std::string& reason : answer->finish_reasons) line += fmt::format("{}\"{}\"", std::exchange(separator, ","), reason);
    line += ']';
  }
  return line + "}\n";
}

Result<std::unique_ptr<RequestLog>> RequestLog::open(const std::filesystem::path& file) {
  if (file.empty()) return std::unique_ptr<RequestLog>(new RequestLog(STDERR_FILENO, false));
  const int fd = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return usage_error(fmt::format("log-file: {}: {}", file.string(), std::strerror(errno)));
  return std::unique_ptr<RequestLog>(new RequestLog(fd, true));
}

RequestLog::~RequestLog() {
  if (owned_) ::close(fd_);
}

void RequestLog::write(const RequestRecord& record) const {
  const std::string line = request_line(record, unix_ms_now());
  ssize_t written = 0;
  do {
    written = ::write(fd_, line.data(), line.size());  // one call: lines of two threads never mix
  } while (written < 0 && errno == EINTR);
}

}  // namespace glyph
