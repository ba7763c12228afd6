// What the language model does alone: plain text, and many sequences at once.
#include <algorithm>
#include <atomic>
#include <deque>
#include <future>
#include <span>
#include <thread>

#include "engine/stopwatch.h"
#include "ladder/job_runner.h"
#include "ladder/measure.h"
#include "weights/model_cost.h"

namespace glyph {
namespace {

constexpr int64_t kWarmSteps = 3;    // queued, recorded, repeated
constexpr int64_t kTimedSteps = 32;

// Ids of bytes: tokens of any tokenizer, and none of them a control token.
std::vector<int32_t> text_ids(int64_t count) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  uint32_t state = 1;
  for (int32_t& id : ids) {
    state = state * 1664525u + 1013904223u;
    id = static_cast<int32_t>(state >> 24);
  }
  return ids;
}

// Milliseconds of a step that appends a token to each cache.
Result<double> time_steps(const Model& model, std::vector<KvCache>& caches, const std::stop_token& stop) {
  const std::vector<int32_t> ids(caches.size(), 1);
  std::vector<KvCache*> pointers;
  for (KvCache& cache : caches) pointers.push_back(&cache);
  Stopwatch watch;
  for (int64_t step = 0; step < kWarmSteps + kTimedSteps; ++step) {
    if (stop.stop_requested()) return cancelled("the measurement was stopped");
    if (step == kWarmSteps) watch = Stopwatch();
    GLYPH_RETURN_IF_ERROR(model.language().decode(ids, pointers).status());
  }
  return watch.ms() / kTimedSteps;
}

Result<double> read_text(const Model& model, int64_t num_tokens, KvCache& cache, const std::stop_token& stop) {
  const std::vector<int32_t> ids = text_ids(num_tokens);
  PrefillOptions options;
  options.stop = stop;
  const Stopwatch watch;
  GLYPH_RETURN_IF_ERROR(model.language().prefill(ids, {}, cache, options).status());
  return watch.ms();
}

Result<double> model_tokens_per_s(const Model& model, const Streams& streams, int64_t tokens_each, const std::stop_token& stop) {
  std::vector<KvCache> documents, caches;
  for (int64_t i = 0; i < streams.num_documents; ++i) {
    documents.emplace_back(model.kv_blocks());
    GLYPH_RETURN_IF_ERROR(read_text(model, tokens_each, documents.back(), stop).status());
  }
  for (int64_t i = 0; i < streams.num_streams; ++i) caches.push_back(documents[static_cast<size_t>(i % streams.num_documents)].fork());
  GLYPH_ASSIGN_OR_RETURN(const double step_ms, time_steps(model, caches, stop));
  return static_cast<double>(streams.num_streams) * 1e3 / step_ms;
}

// Tokens of all answers, counted while every one of them is being written.
struct TokenCount {
  explicit TokenCount(int64_t streams) : num_streams(streams) {}
  const int64_t num_streams;
  Stopwatch watch;
  int64_t num_begun = 0, num_counted = 0;
  double begin_s = 0, end_s = 0;
  bool ended = false;

  // On the engine thread, `index` of this stream's token from 1.
  void token(int64_t index, int64_t last) {
    if (index == 1 && ++num_begun == num_streams) begin_s = watch.seconds();
    else if (num_begun == num_streams && !ended) ++num_counted, end_s = watch.seconds();
    if (index == last) ended = true;
  }
  double per_s() const { return end_s > begin_s ? static_cast<double>(num_counted) / (end_s - begin_s) : 0; }
};

// Tokens a second of as many answers; 0 when one ended before the last one began.
Result<double> answers_at_once(JobRunner& runner, std::span<const SourcePtr> sources, int64_t num_streams, const LadderOptions& options) {
  TokenCount count(num_streams);
  std::vector<int64_t> written(static_cast<size_t>(num_streams));
  std::vector<std::future<Result<JobResult>>> answers;
  for (size_t i = 0; i < written.size(); ++i) {
    JobListener listener;
    listener.on_token = [&count, &written, i, last = options.answer_tokens](int, const SampledToken&) { count.token(++written[i], last); };
    answers.push_back(runner.start(question_job(sources[i % sources.size()], options), std::move(listener)));
  }
  Status status;
  for (auto& answer : answers) {
    const Result<JobResult> result = answer.get();
    if (status.ok()) status = result.status();
  }
  GLYPH_RETURN_IF_ERROR(status);
  return count.per_s();
}

Result<double> scheduled_tokens_per_s(const Model& model, const Streams& streams, const PageStyle& style, const LadderOptions& options,
                                      const std::stop_token& stop, int64_t& tokens_each) {
  const size_t kv_bytes = size_t{16} << 30;
  JobRunner runner(model, {.prefix_bytes = kv_bytes, .active_kv_bytes = kv_bytes,
                           .max_running = static_cast<size_t>(streams.num_streams), .draft_tokens = 0}, stop);
  std::vector<SourcePtr> sources;
  for (int64_t i = 0; i < streams.num_documents; ++i) {
    GLYPH_ASSIGN_OR_RETURN(const Workload workload, text_workload(streams.pages_each, style, static_cast<uint32_t>(i) + 1));
    sources.push_back(std::make_shared<Source>(workload.document, workload.style));
    GLYPH_ASSIGN_OR_RETURN(const JobResult read, runner.run(read_job(sources.back()), {}));
    tokens_each = read.usage.prompt_tokens;
  }
  // All are to be written at once, however late the last one begins: longer answers where the machine is busy with something else.
  LadderOptions long_answers = options;
  long_answers.answer_tokens = std::max({options.answer_tokens, int64_t{64}, 8 * streams.num_streams});
  for (int attempt = 0; attempt < 3; ++attempt, long_answers.answer_tokens *= 4) {
    GLYPH_ASSIGN_OR_RETURN(const double per_s, answers_at_once(runner, sources, streams.num_streams, long_answers));
    if (per_s > 0) return per_s;
  }
  return exhausted("an answer ended before the last one began");
}

}  // namespace

Result<Measured> measure_text(const Model& model, int64_t num_tokens, const LadderOptions&, std::stop_token stop) {
  std::vector<KvCache> caches;
  {
    KvCache warm(model.kv_blocks());
    GLYPH_RETURN_IF_ERROR(read_text(model, std::min(num_tokens, model.language().chunk_tokens()), warm, stop).status());
  }
  caches.emplace_back(model.kv_blocks());
  Measured measured;
  GLYPH_ASSIGN_OR_RETURN(measured.first_token_ms, read_text(model, num_tokens, caches.front(), stop));
  GLYPH_ASSIGN_OR_RETURN(measured.token_ms, time_steps(model, caches, stop));
  measured.prompt_tokens = num_tokens;
  measured.stages.prefill_ms = measured.first_token_ms;
  measured.prefill_tflops = prefill_flop(model.config(), 0, num_tokens) / measured.first_token_ms * 1e-9;
  measured.peak_bytes = peak_memory(model);
  return measured;
}

Result<StreamsMeasured> measure_streams(const Model& model, const Streams& streams, const PageStyle& style, const LadderOptions& options,
                                        std::stop_token stop) {
  StreamsMeasured measured;
  int64_t tokens_each = 0;
  GLYPH_ASSIGN_OR_RETURN(measured.scheduled_tokens_per_s, scheduled_tokens_per_s(model, streams, style, options, stop, tokens_each));
  GLYPH_ASSIGN_OR_RETURN(measured.model_tokens_per_s, model_tokens_per_s(model, streams, tokens_each, stop));
  measured.peak_bytes = peak_memory(model);
  return measured;
}

}  // namespace glyph
