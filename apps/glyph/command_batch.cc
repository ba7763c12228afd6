// glyph batch IN.jsonl -o OUT.jsonl: many questions, one JSON object a line; goes on where an earlier run stopped.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "answer_json.h"
#include "ask_options.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "batch_file.h"
#include "command.h"
#include "output.h"

namespace glyph {
namespace fs = std::filesystem;
namespace {

struct BatchArguments {
  fs::path input;
  fs::path output;
};

struct BatchCounts {
  size_t answered = 0;
  size_t failed = 0;
  size_t skipped = 0;  // answered by an earlier run
};

// Answers the questions of one file one after another.
class BatchRun {
 public:
  BatchRun(Engine& engine, BatchOutput& output, AskRequest request, std::stop_token stop)
      : engine_(engine), output_(output), template_(std::move(request)), stop_(std::move(stop)) {
    listener_.on_progress = [this](const AskProgress& progress) {
      progress_.update(fmt::format("line {}; {}", line_, describe(progress)));
    };
  }

  Status take_line(std::string_view text) {
    ++line_;
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) return {};
    if (stop_.stop_requested()) return cancelled("the batch was stopped");
    const BatchLine line = parse_batch_line(text, line_);
    if (output_.has(line.question)) {
      ++counts_.skipped;
      return {};
    }
    return line.error.ok() ? answer(line.question) : fail(line.question, line.error);
  }

  const BatchCounts& counts() const { return counts_; }

 private:
  Status answer(const BatchQuestion& question) {
    AskRequest request = template_;
    request.files = question.files;
    request.question = question.question;
    if (question.max_tokens) request.max_tokens = question.max_tokens;
    const Result<AskResult> result = engine_.ask(std::move(request), listener_, stop_);
    if (!result.ok()) return fail(question, result.status());
    ++counts_.answered;
    return output_.append_answer(question, answer_json(*result));
  }

  Status fail(const BatchQuestion& question, const Status& error) {
    if (error.code() == StatusCode::kCancelled) return error;
    progress_.clear();
    log_warning("line {}: {}", question.line, error.message());
    ++counts_.failed;
    return output_.append_error(question, error.message());
  }

  Engine& engine_;
  BatchOutput& output_;
  const AskRequest template_;
  const std::stop_token stop_;
  AskListener listener_;
  ProgressLine progress_;
  size_t line_ = 0;
  BatchCounts counts_;
};

Status check_files(const BatchArguments& arguments) {
  std::error_code ignored;
  if (fs::equivalent(arguments.input, arguments.output, ignored)) {
    return usage_error(fmt::format("{}: cannot be both input and output", arguments.input.string()));
  }
  return MappedFile::open(arguments.input).status();
}

Result<int> run_batch(Context& context, const BatchArguments& arguments) {
  GLYPH_RETURN_IF_ERROR(check_files(arguments));
  GLYPH_ASSIGN_OR_RETURN(AskRequest request, request_template(context.settings));
  GLYPH_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, open_engine(context.settings));
  GLYPH_ASSIGN_OR_RETURN(BatchOutput output, BatchOutput::open(arguments.output));
  BatchRun run(*engine, output, std::move(request), context.interrupt.token());
  std::ifstream input(arguments.input, std::ios::binary);
  for (std::string line; std::getline(input, line);) GLYPH_RETURN_IF_ERROR(run.take_line(line));
  if (input.bad()) return internal_error(fmt::format("{}: cannot be read", arguments.input.string()));
  const BatchCounts& counts = run.counts();
  log_info("{}: {} answered, {} failed, {} were there", arguments.output.string(), counts.answered, counts.failed, counts.skipped);
  return 0;
}

}  // namespace

Command batch_command() {
  auto given = std::make_shared<BatchArguments>();
  return {"batch", "Answer a file of questions; an interrupted run continues where it stopped.",
          [given](Arguments& arguments) {
            arguments.file(given->input, {"IN.jsonl", "lines {\"id\", \"files\": [...], \"question\", \"max_tokens\"?}", ""});
            arguments.required_path(given->output, {"-o,--output", "answers are appended to it, one line each", "OUT.jsonl"});
            arguments.model_settings();
            arguments.page_settings();
            arguments.sampling_settings();
            arguments.limit_settings();
          },
          [given](Context& context) { return run_batch(context, *given); }};
}

}  // namespace glyph
