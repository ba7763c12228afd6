// BatchRun: answers the lines of one batch's input file, a few at a time, and writes what came of each. What an earlier run wrote
// counts: a run that was interrupted goes on where it was.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "glyph/status.h"
#include "server/batch.h"
#include "server/batch_line.h"
#include "server/http_message.h"
#include "server/line_log.h"

namespace glyph {

struct BatchLimits {
  size_t in_flight = 4;                     // lines asked at once
  size_t lines = 50'000;
  size_t line_bytes = size_t{96} << 20;
  std::chrono::milliseconds retry{1000};    // after an answer that the server is busy
};

// Answers one request of an endpoint: responds once, from any thread.
using AnswerRequest = std::function<void(const std::string& endpoint, HttpRequest request, ResponderPtr responder)>;

// One thread calls run(); answers come from any.
class BatchRun {
 public:
  struct Counts {
    size_t total = 0, completed = 0, failed = 0;
  };
  struct Setup {
    std::string id, endpoint;
    std::filesystem::path input, output, errors;
    int64_t expires_at = 0;  // Unix seconds
    BatchLimits limits;
  };

  // `on_counts` hears of every line that is done, from any thread.
  BatchRun(Setup setup, AnswerRequest answer, std::function<void(const Counts& counts)> on_counts);

  // Until every line is done. kCancelled: stopped, what was being asked is not written; kDeadline: it expired, lines without an answer are in the error
  // log; kRefused: the input file
  // is not acceptable as a whole; kExhausted, kInternal: the answers cannot be written.
  Status run(std::stop_token stop);

 private:
  class LineResponder;
  struct Asked {
    size_t number = 0;  // of the line, from 1
    BatchLine line;
  };

  Status find_lines(std::string_view text);
  Status open_logs();
  std::optional<Asked> next_line();
  std::optional<Asked> parse_line(size_t number, std::string_view line);
  bool has_room() const;
  bool expired() const;
  void ask(Asked asked, const std::stop_token& stop);
  void take(Asked asked, const std::string& request_id, const HttpResponse& response);
  void write(LineLog& log, size_t number, const std::string& line, size_t Counts::*count);
  void write_expired();
  void leave_all();

  const Setup setup_;
  const AnswerRequest answer_;
  const std::function<void(const Counts& counts)> on_counts_;
  std::vector<std::string_view> lines_;
  size_t next_ = 0;                                  // of lines_
  std::unordered_set<size_t> done_;                  // guarded by mutex_: numbers of the lines in the logs
  std::unordered_set<std::string> custom_ids_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<size_t, std::weak_ptr<LineResponder>> asking_;  // guarded by mutex_; by number
  std::deque<Asked> again_;                          // guarded by mutex_: the server was busy
  std::chrono::steady_clock::time_point again_at_;   // guarded by mutex_
  std::optional<LineLog> output_, errors_;           // guarded by mutex_
  Counts counts_;                                    // guarded by mutex_
  Status failed_;                                    // guarded by mutex_
  bool leaving_ = false;                             // guarded by mutex_
};

}  // namespace glyph
