#include "server/batch_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/mapped_file.h"
#include "server/api_error.h"
#include "server/file_store.h"

namespace glyph {

// Stands where a client's connection would. Any thread.
class BatchRun::LineResponder : public Responder {
 public:
  LineResponder(BatchRun& run, Asked asked, std::string request_id) : run_(run), asked_(std::move(asked)), request_id_(std::move(request_id)) {}
  ~LineResponder() override { respond(error_response(500, "the request was not answered")); }  // by a handler that forgot it

  void respond(HttpResponse response) override {
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(answered_, true)) return;
    }
    run_.take(std::move(asked_), request_id_, std::move(response));
  }
  // A line cannot ask for a stream.
  void begin_stream() override {}
  void send(std::string) override {}
  void end_stream() override {}
  void on_gone(std::function<void()> callback) override {
    {
      const std::lock_guard lock(mutex_);
      if (!left_) return gone_.push_back(std::move(callback));
    }
    callback();
  }
  void leave() {
    std::vector<std::function<void()>> callbacks;
    {
      const std::lock_guard lock(mutex_);
      left_ = true;
      callbacks.swap(gone_);
    }
    for (const auto& callback : callbacks) callback();
  }

 private:
  BatchRun& run_;  // lives until respond() was called
  Asked asked_;
  const std::string request_id_;
  std::mutex mutex_;
  bool answered_ = false, left_ = false;
  std::vector<std::function<void()>> gone_;
};

BatchRun::BatchRun(Setup setup, AnswerRequest answer, std::function<void(const Counts& counts)> on_counts)
    : setup_(std::move(setup)), answer_(std::move(answer)), on_counts_(std::move(on_counts)) {}

Status BatchRun::find_lines(std::string_view text) {
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (lines_.size() == setup_.limits.lines) return refused(fmt::format("the input file has more than {} lines", setup_.limits.lines));
    lines_.push_back(line);
  }
  if (lines_.empty()) return refused("the input file has no line");
  counts_.total = lines_.size();
  return {};
}

Status BatchRun::open_logs() {
  const auto note = [&](size_t Counts::*count) {
    return [this, count](std::string_view line) {
      if (const auto number = number_of_line(line); number && done_.insert(*number).second) ++(counts_.*count);
    };
  };
  GLYPH_ASSIGN_OR_RETURN(LineLog output, LineLog::open(setup_.output, note(&Counts::completed)));
  output_.emplace(std::move(output));
  GLYPH_ASSIGN_OR_RETURN(LineLog errors, LineLog::open(setup_.errors, note(&Counts::failed)));
  errors_.emplace(std::move(errors));
  return {};
}

bool BatchRun::expired() const { return unix_seconds() >= setup_.expires_at; }

// With the lock: something can be asked, or nothing is left to do.
bool BatchRun::has_room() const {
  if (!failed_.ok()) return true;
  if (asking_.size() >= setup_.limits.in_flight) return false;
  return next_ < lines_.size() || (!again_.empty() && std::chrono::steady_clock::now() >= again_at_) || (again_.empty() && asking_.empty());
}

Status BatchRun::run(std::stop_token stop) {
  const Result<MappedFile> input = MappedFile::open(setup_.input);
  if (!input.ok()) {
    log_warning("{}: {}", setup_.id, input.status().message());
    return refused("the content of the input file is no longer there");
  }
  GLYPH_RETURN_IF_ERROR(find_lines({reinterpret_cast<const char*>(input->bytes().data()), input->bytes().size()}));
  GLYPH_RETURN_IF_ERROR(open_logs());
  on_counts_(counts_);
  const std::stop_callback on_stop(stop, [this] { leave_all(); });
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, setup_.limits.retry, [this] { return has_room(); });
    if (stop.stop_requested() || !failed_.ok() || expired()) break;
    if (!has_room()) continue;
    if (next_ == lines_.size() && again_.empty()) return {};
    std::optional<Asked> asked = next_line();
    lock.unlock();
    if (asked) ask(*std::move(asked), stop);
  }
  leave_all();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return asking_.empty(); });
  if (!failed_.ok()) return failed_;
  if (stop.stop_requested()) return cancelled("the batch was stopped");
  write_expired();
  return failed_.ok() ? deadline("the batch was not finished in time") : failed_;
}

// With the lock. Nothing when the line needs no answer.
std::optional<BatchRun::Asked> BatchRun::next_line() {
  if (!again_.empty() && (next_ == lines_.size() || std::chrono::steady_clock::now() >= again_at_)) {
    Asked asked = std::move(again_.front());
    again_.pop_front();
    return asked;
  }
  const size_t index = next_++;
  return parse_line(index + 1, lines_[index]);
}

std::optional<BatchRun::Asked> BatchRun::parse_line(size_t number, std::string_view line) {
  const bool done = done_.contains(number);
  const auto refuse = [&](const BadBatchLine& bad) {
    if (!done) write(*errors_, number, refused_line(line_id(setup_.id, number), bad), &Counts::failed);
  };
  if (line.size() > setup_.limits.line_bytes) {
    refuse({{}, {413, fmt::format("the line is {} bytes long, at most {} are accepted", line.size(), setup_.limits.line_bytes), {}, {}}});
    return std::nullopt;
  }
  auto parsed = parse_batch_line(line, setup_.endpoint);
  if (const auto* bad = std::get_if<BadBatchLine>(&parsed)) {
    refuse(*bad);
    return std::nullopt;
  }
  BatchLine& request = std::get<BatchLine>(parsed);
  if (!custom_ids_.insert(request.custom_id).second) {
    refuse({request.custom_id, {400, fmt::format("custom_id '{}' stands in a line before", request.custom_id), "custom_id", "duplicate_custom_id"}});
    return std::nullopt;
  }
  if (done) return std::nullopt;
  return Asked{number, std::move(request)};
}

void BatchRun::ask(Asked asked, const std::stop_token& stop) {
  HttpRequest request;
  request.method = "POST";
  request.path = setup_.endpoint;
  request.id = random_id("req_");
  request.body = asked.line.body;
  const size_t number = asked.number;
  const auto responder = std::make_shared<LineResponder>(*this, std::move(asked), request.id);
  {
    const std::lock_guard lock(mutex_);
    asking_.emplace(number, responder);
  }
  if (stop.stop_requested()) responder->leave();
  answer_(setup_.endpoint, std::move(request), responder);
}

void BatchRun::take(Asked asked, const std::string& request_id, const HttpResponse& response) {
  const std::lock_guard lock(mutex_);
  const std::string id = line_id(setup_.id, asked.number);
  const size_t number = asked.number;
  if (response.status == 429) {
    again_.push_back(std::move(asked));
    again_at_ = std::chrono::steady_clock::now() + setup_.limits.retry;
  } else if (response.status == 200) {
    write(*output_, number, answered_line(id, asked.line.custom_id, request_id, response), &Counts::completed);
  } else if (!leaving_) {  // else it was stopped half way and is asked again, or never
    write(*errors_, number, answered_line(id, asked.line.custom_id, request_id, response), &Counts::failed);
  }
  asking_.erase(number);
  changed_.notify_all();  // with the lock: run() may return, and this object go, as soon as it is free
}

// With the lock.
void BatchRun::write(LineLog& log, size_t number, const std::string& line, size_t Counts::*count) {
  if (Status status = log.append(line); !status.ok()) {
    failed_ = std::move(status);
    return;
  }
  done_.insert(number);
  ++(counts_.*count);
  on_counts_(counts_);
}

// With the lock; nothing is being asked any more.
void BatchRun::write_expired() {
  for (size_t number = 1; number <= lines_.size() && failed_.ok(); ++number) {
    if (done_.contains(number)) continue;
    auto parsed = parse_batch_line(lines_[number - 1], setup_.endpoint);
    BadBatchLine bad{{}, {408, "the batch expired before the request was answered", {}, "batch_expired"}};
    if (auto* line = std::get_if<BatchLine>(&parsed)) bad.custom_id = std::move(line->custom_id);
    else bad = std::move(std::get<BadBatchLine>(parsed));
    write(*errors_, number, refused_line(line_id(setup_.id, number), bad), &Counts::failed);
  }
}

// Stops what is being asked.
void BatchRun::leave_all() {
  std::vector<std::shared_ptr<LineResponder>> asking;
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
    for (const auto& [number, responder] : asking_) {
      if (auto alive = responder.lock()) asking.push_back(std::move(alive));
    }
  }
  for (const auto& responder : asking) responder->leave();
}

}  // namespace glyph
