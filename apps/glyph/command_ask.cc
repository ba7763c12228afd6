// glyph ask FILE... QUESTION: the answer on stdout as it is written, or one JSON object.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "answer_json.h"
#include "ask_options.h"
#include "base/log.h"
#include "command.h"
#include "gpu_watch.h"
#include "json_text.h"
#include "output.h"

namespace glyph {
namespace {

struct AskArguments {
  std::vector<std::string> files_and_question;
  bool json = false;
};

// Answers straight to stdout, everything else to stderr.
class Reporter {
 public:
  explicit Reporter(bool stream) : stream_(stream) {
    listener_.on_progress = [this](const AskProgress& progress) { progress_.update(describe(progress)); };
    listener_.on_warning = [this](const std::string& warning) {
      progress_.clear();
      log_warning("{}", warning);
    };
    if (stream_) listener_.on_answer = [this](std::string_view text) { write(text); };
  }
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

  const AskListener& listener() const { return listener_; }
  ProgressLine& progress() { return progress_; }
  const Status& status() const { return status_; }
  bool wrote() const { return wrote_; }

 private:
  void write(std::string_view text) {
    progress_.finish();
    wrote_ = true;
    if (status_.ok()) status_ = write_answer(text);
  }

  const bool stream_;
  bool wrote_ = false;
  AskListener listener_;
  ProgressLine progress_;
  Status status_;
};

Result<AskRequest> request_of(const Settings& settings, const AskArguments& arguments) {
  GLYPH_ASSIGN_OR_RETURN(AskRequest request, request_template(settings));
  const auto& words = arguments.files_and_question;
  if (words.size() < 2) return usage_error("ask needs at least one FILE and a QUESTION");
  request.files.assign(words.begin(), words.end() - 1);
  request.question = words.back();
  return request;
}

Result<int> run_ask(Context& context, const AskArguments& arguments) {
  GLYPH_ASSIGN_OR_RETURN(AskRequest request, request_of(context.settings, arguments));
  Reporter reporter(!arguments.json);
  GLYPH_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, open_engine(context.settings));
  const Result<AskResult> result = engine->ask(std::move(request), reporter.listener(), context.interrupt.token());
  reporter.progress().finish();
  if (reporter.wrote()) GLYPH_RETURN_IF_ERROR(write_stdout("\n"));
  GLYPH_RETURN_IF_ERROR(reporter.status());
  if (!result.ok()) return result.status();
  if (arguments.json) GLYPH_RETURN_IF_ERROR(write_stdout(json_text(answer_json(*result)) + "\n"));
  if (!arguments.json && !reporter.wrote()) log_warning("the answer is empty");
  log_info("{}", describe(*result));
  if (!engine->model().device().host_memory()) warn_of_slow_gpus();
  return 0;
}

}  // namespace

Command ask_command() {
  auto given = std::make_shared<AskArguments>();
  return {"ask", "Answer a question about documents.",
          [given](Arguments& arguments) {
            arguments.words(given->files_and_question,
                            {"FILE... QUESTION", "documents (TXT, Markdown, HTML, DOCX, PDF, pictures), then the question", ""});
            arguments.flag(given->json, {"--json", "print one JSON object with answer, usage and timings", ""});
            arguments.model_settings();
            arguments.page_settings();
            arguments.sampling_settings();
            arguments.limit_settings();
          },
          [given](Context& context) { return run_ask(context, *given); }};
}

}  // namespace glyph
