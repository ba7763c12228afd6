#include "ingest/extract_client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "base/log.h"
#include "ingest/extract_protocol.h"
#include "ingest/helper_process.h"

namespace glyph {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPollMs = 50;                    // how late a stop request may be noticed
constexpr size_t kBytesPerHelper = 64 << 10;   // a smaller PDF is not worth a second process
constexpr size_t kMaxErrorOutput = 4 << 10;    // of the helper's stderr

// One helper and what it has said so far.
struct Session {
  Session(HelperProcess started, const IngestLimits& limits) : process(std::move(started)), parser(limits) {}

  HelperProcess process;
  FrameParser parser;
  std::string error_output;
  ProcessEnd end;
};

class Extraction {
 public:
  Extraction(std::string_view name, const IngestOptions& options)
      : name_(name), options_(options), give_up_(Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                                                     std::chrono::duration<double>(options.limits.helper_seconds))) {}

  Result<Document> run(Format format, int input_fd, size_t file_bytes);

 private:
  Status start(Format format, int input_fd, int num_helpers);
  Status collect();
  Status poll_once(std::vector<pollfd>& polled, std::vector<std::pair<Session*, bool>>& owners);
  Status read_output(Session& session);
  void read_errors(Session& session);
  Status judge(Session& session);
  void report_progress() const;
  Document assemble(Format format);

  Status named(Status status) const { return {status.code(), fmt::format("{}: {}", name_, status.message())}; }

  std::string name_;
  const IngestOptions& options_;
  Clock::time_point give_up_;
  std::vector<Session> sessions_;
};

Status Extraction::start(Format format, int input_fd, int num_helpers) {
  const std::filesystem::path helper = find_extract_helper(options_);
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(helper, ignored)) {
    return named(internal_error(fmt::format("reading it needs the program {}, which is not there", helper.string())));
  }
  ExtractRequest request;
  request.format = format_name(format);
  request.limits = options_.limits;
  request.parent = static_cast<int>(::getpid());
  request.num_parts = num_helpers;
  for (request.part = 0; request.part < num_helpers; ++request.part) {
    auto process = HelperProcess::start(helper, request.to_arguments(), input_fd);
    if (!process) return named(process.status());
    sessions_.emplace_back(*std::move(process), options_.limits);
  }
  return {};
}

Status Extraction::read_output(Session& session) {
  uint8_t bytes[64 << 10];
  const ssize_t count = ::read(session.process.output().get(), bytes, sizeof bytes);
  if (count > 0) {
    Status status = session.parser.feed({bytes, static_cast<size_t>(count)});
    return status.ok() ? status : named(status);
  }
  if (count == 0 || (errno != EAGAIN && errno != EINTR)) session.process.output().reset();
  return {};
}

void Extraction::read_errors(Session& session) {
  char bytes[4096];
  const ssize_t count = ::read(session.process.errors().get(), bytes, sizeof bytes);
  if (count > 0) {
    const size_t room = kMaxErrorOutput - std::min(session.error_output.size(), kMaxErrorOutput);
    session.error_output.append(bytes, std::min(static_cast<size_t>(count), room));
  } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
    session.process.errors().reset();
  }
}

Status Extraction::poll_once(std::vector<pollfd>& polled, std::vector<std::pair<Session*, bool>>& owners) {
  ::poll(polled.data(), polled.size(), kPollMs);
  for (size_t i = 0; i < polled.size(); ++i) {
    if (polled[i].revents == 0) continue;
    const auto [session, is_output] = owners[i];
    if (!is_output) {
      read_errors(*session);
    } else {
      GLYPH_RETURN_IF_ERROR(read_output(*session));
    }
  }
  return {};
}

// Reads both pipes of every helper until all are closed.
Status Extraction::collect() {
  while (true) {
    std::vector<pollfd> polled;
    std::vector<std::pair<Session*, bool>> owners;
    for (Session& session : sessions_) {
      for (const bool is_output : {true, false}) {
        const OwnedFd& fd = is_output ? session.process.output() : session.process.errors();
        if (!fd.valid()) continue;
        polled.push_back({fd.get(), POLLIN, 0});
        owners.emplace_back(&session, is_output);
      }
    }
    if (polled.empty()) return {};
    if (options_.stop.stop_requested()) return named(cancelled("reading was stopped"));
    if (Clock::now() > give_up_) {
      return named(deadline(fmt::format("reading took longer than the limit of {} s", options_.limits.helper_seconds)));
    }
    GLYPH_RETURN_IF_ERROR(poll_once(polled, owners));
    report_progress();
  }
}

void Extraction::report_progress() const {
  if (!options_.on_progress) return;
  size_t read = 0;
  size_t total = 0;
  for (const Session& session : sessions_) {
    read += session.parser.output().pages_read;
    total = std::max(total, session.parser.output().num_pages);
  }
  options_.on_progress(read, total);
}

// Turns how a helper ended into one sentence, or ok.
Status Extraction::judge(Session& session) {
  session.end = session.process.wait();
  if (!session.error_output.empty()) log_debug("glyph-extract: {}", session.error_output);
  const ExtractOutput& output = session.parser.output();
  if (!output.error.ok()) return named(output.error);
  if (output.complete) return {};
  const IngestLimits& limits = options_.limits;
  if (session.end.signal == SIGXCPU) {
    return named(deadline(fmt::format("reading took longer than the limit of {} s", limits.helper_seconds)));
  }
  if (session.error_output.find("Out of memory") != std::string::npos) {
    return named(refused(fmt::format("reading it needs more than the limit of {} MiB of memory", limits.helper_memory >> 20)));
  }
  if (session.end.signal != 0) {
    return named(refused(fmt::format("the file is damaged: its reader was stopped by signal {}", session.end.signal)));
  }
  return named(internal_error(fmt::format("glyph-extract ended with exit code {} before it was done", session.end.exit_code)));
}

Document Extraction::assemble(Format format) {
  Document document;
  document.name = name_;
  document.format = format_name(format);
  for (Session& session : sessions_) {
    ExtractOutput output = session.parser.take();
    for (Block& block : output.blocks) {
      const bool extends = block.kind == Block::Kind::kText && !document.blocks.empty() &&
                           document.blocks.back().kind == Block::Kind::kText;
      if (!extends) {
        document.blocks.push_back(std::move(block));
      } else {
        document.blocks.back().text.append("\n").append(block.text);  // a page ends with '\n': this makes the blank line
      }
    }
    for (std::string& warning : output.warnings) {
      std::string sentence = fmt::format("{}: {}", name_, warning);
      if (std::find(document.warnings.begin(), document.warnings.end(), sentence) == document.warnings.end()) {
        document.warnings.push_back(std::move(sentence));
      }
    }
  }
  return document;
}

Result<Document> Extraction::run(Format format, int input_fd, size_t file_bytes) {
  int num_helpers = 1;
  if (format == Format::kPdf && file_bytes >= kBytesPerHelper) {
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    num_helpers = options_.num_helpers > 0 ? options_.num_helpers : std::clamp(cores, 1, 4);
  }
  GLYPH_RETURN_IF_ERROR(start(format, input_fd, num_helpers));
  GLYPH_RETURN_IF_ERROR(collect());
  for (Session& session : sessions_) GLYPH_RETURN_IF_ERROR(judge(session));
  Document document = assemble(format);
  if (document.blocks.empty()) return named(refused("it has no text and no pictures"));
  return document;
}

}  // namespace

Result<Document> extract_document(std::string_view name, Format format, int input_fd, size_t file_bytes,
                                  const IngestOptions& options) {
  return Extraction(name, options).run(format, input_fd, file_bytes);
}

namespace {

// All a process writes to stdout within `seconds`.
Result<std::string> output_of(HelperProcess& process, double seconds) {
  const auto give_up = Clock::now() + std::chrono::duration<double>(seconds);
  std::string output;
  while (Clock::now() < give_up && output.size() < kMaxTextFrame) {
    pollfd polled{process.output().get(), POLLIN, 0};
    ::poll(&polled, 1, kPollMs);
    char bytes[4096];
    const ssize_t count = ::read(process.output().get(), bytes, sizeof bytes);
    if (count == 0) return output;
    if (count > 0) output.append(bytes, static_cast<size_t>(count));
  }
  return internal_error(fmt::format("the self-check of glyph-extract did not end within {} s", seconds));
}

// The value of a line "name value" of the self-check.
std::string value_of(std::string_view report, std::string_view name) {
  const std::string key = fmt::format("\n{} ", name);
  const size_t at = report.find(key);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = report.substr(at + key.size());
  return std::string(rest.substr(0, rest.find('\n')));
}

}  // namespace

Result<SandboxReport> check_extract_helper(const IngestOptions& options) {
  const OwnedFd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::string arguments[] = {"--self-check"};
  GLYPH_ASSIGN_OR_RETURN(HelperProcess process, HelperProcess::start(find_extract_helper(options), arguments, input.get()));
  GLYPH_ASSIGN_OR_RETURN(std::string output, output_of(process, 10));
  const std::string report = "\n" + output;
  const std::string abi = value_of(report, "landlock_abi");
  if (abi.empty()) return internal_error("the self-check of glyph-extract gave no report");
  const auto is_active = [&](std::string_view name) { return value_of(report, name) == "active"; };
  return SandboxReport{.no_new_privileges = is_active("no_new_privileges"),
                       .limits = is_active("limits"),
                       .seccomp = is_active("seccomp"),
                       .landlock = is_active("landlock"),
                       .landlock_abi = std::atoi(abi.c_str()),
                       .poppler_data = is_active("poppler_data"),
                       .poppler = value_of(report, "poppler")};
}

}  // namespace glyph
