#include "server/metrics.h"

#include <array>
#include <functional>

#include "server/gpu_figures.h"
#include "server/process_figures.h"

namespace glyph {
namespace {

using Type = Exposition::Type;

// vLLM's bounds, so that dashboards made for it can add the two up.
constexpr std::array kFirstTokenSeconds{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0,
                                        2.5,   5.0,   7.5,  10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0};
constexpr std::array kTokenSeconds{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0};
constexpr std::array kAnswerSeconds{0.3,  0.5,  0.8,  1.0,  1.5,  2.0,   2.5,   5.0,   10.0,  15.0,  20.0,
                                    30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0};
constexpr std::array kTokens{1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0, 20000.0, 50000.0, 100000.0};
constexpr std::array kAnswers{1.0, 2.0, 5.0, 10.0, 20.0};
constexpr std::array kRequestSeconds{0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0};

double number(uint64_t count) { return static_cast<double>(count); }

// vLLM's label of the engine that a sample is of, where there are several.
class EngineLabel {
 public:
  EngineLabel(size_t index, size_t count) : text_(count == 1 ? "" : std::to_string(index)) {}
  // Points into this object.
  Exposition::Labels with(Exposition::Labels labels) const {
    if (!text_.empty()) labels.emplace_back("engine", text_);
    return labels;
  }

 private:
  const std::string text_;
};

}  // namespace

Metrics::Metrics(std::string model)
    : model_(std::move(model)), first_token_seconds_(kFirstTokenSeconds), token_seconds_(kTokenSeconds), answer_seconds_(kAnswerSeconds),
      queue_seconds_(kAnswerSeconds), inference_seconds_(kAnswerSeconds), prefill_seconds_(kAnswerSeconds), decode_seconds_(kAnswerSeconds),
      prompt_tokens_(kTokens), computed_tokens_(kTokens), completion_tokens_(kTokens), max_tokens_(kTokens), num_asked_(kAnswers) {
  for (const char* reason : {"stop", "length"}) num_answers_[reason];  // a rate needs the zero before the first one
}

void Metrics::add(const RequestRecord& record) {
  const std::lock_guard lock(mutex_);
  ++num_requests_[{record.route, record.method, record.status}];
  request_seconds_.try_emplace(record.route, kRequestSeconds).first->second.add(record.ms / 1e3);
  if (record.answer) add_answer(*record.answer, record.ms);
}

void Metrics::add_answer(const AnswerFigures& answer, double ms) {
  for (const std::string& reason : answer.finish_reasons) ++num_answers_[reason];
  first_token_seconds_.add(answer.ttft_ms / 1e3);
  queue_seconds_.add(answer.queue_ms / 1e3);
  inference_seconds_.add((answer.total_ms - answer.queue_ms) / 1e3);
  prefill_seconds_.add(answer.prefill_ms / 1e3);
  decode_seconds_.add(answer.decode_ms / 1e3);
  answer_seconds_.add(ms / 1e3);
  prompt_tokens_.add(static_cast<double>(answer.prompt_tokens));
  computed_tokens_.add(static_cast<double>(answer.prompt_tokens - answer.cached_tokens));
  completion_tokens_.add(static_cast<double>(answer.completion_tokens));
  max_tokens_.add(static_cast<double>(answer.max_tokens));
  num_asked_.add(static_cast<double>(answer.finish_reasons.size()));
  // Several answers of one question are written at once.
  const int64_t steps = answer.completion_tokens / std::max<int64_t>(1, static_cast<int64_t>(answer.finish_reasons.size())) - 1;
  if (steps > 0) token_seconds_.add(answer.decode_ms / 1e3 / static_cast<double>(steps));
}

HttpResponse Metrics::response(std::span<const SchedulerStats> stats, size_t num_connections) const {
  Exposition out;
  write_schedulers(out, stats);
  {
    const std::lock_guard lock(mutex_);
    write_answers(out);
    write_requests(out);
  }
  out.family("glyph_connections", Type::kGauge, "Open connections.");
  out.sample({}, number(num_connections));
  write_process_figures(out, process_figures());
  write_gpu_figures(out, gpu_health());
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = out.text();
  return response;
}

// `value_of` is a member of SchedulerStats or a function of one.
template <typename ValueOf>
void Metrics::write_each(Exposition& out, std::span<const SchedulerStats> stats, const char* name, Type type, const char* help,
                         const ValueOf& value_of) const {
  out.family(name, type, help);
  for (size_t i = 0; i < stats.size(); ++i) {
    const EngineLabel engine(i, stats.size());
    out.sample(engine.with({{"model_name", model_}}), static_cast<double>(std::invoke(value_of, stats[i])));
  }
}

void Metrics::write_schedulers(Exposition& out, std::span<const SchedulerStats> stats) const {
  using Stats = SchedulerStats;
  const auto write = [&](const char* name, Type type, const char* help, const auto& value_of) { write_each(out, stats, name, type, help, value_of); };
  const auto kv_usage = [](const Stats& one) { return one.max_kv_blocks == 0 ? 0 : static_cast<double>(one.kv_blocks_in_use) / static_cast<double>(one.max_kv_blocks); };
  const auto page_queries = [](const Stats& one) { return one.caches.memory_features.hits + one.caches.memory_features.misses; };
  const auto page_hits = [](const Stats& one) { return one.caches.memory_features.hits + one.caches.ram_features.hits + one.caches.disk_features.hits; };
  write("vllm:num_requests_running", Type::kGauge, "Requests and documents being read or answered.", &Stats::num_running);
  write("vllm:num_requests_waiting", Type::kGauge, "Questions that wait.", &Stats::num_waiting);
  write("vllm:kv_cache_usage_perc", Type::kGauge, "KV blocks in use, 1 is all of them.", kv_usage);
  write("vllm:prompt_tokens_total", Type::kCounter, "Prompt tokens of finished questions.", &Stats::prompt_tokens);
  write("vllm:generation_tokens_total", Type::kCounter, "Tokens written.", &Stats::generated_tokens);
  write("vllm:spec_decode_num_drafts_total", Type::kCounter, "Guesses of how an answer goes on.", &Stats::num_drafts);
  write("vllm:spec_decode_num_draft_tokens_total", Type::kCounter, "Tokens guessed.", &Stats::draft_tokens);
  write("vllm:spec_decode_num_accepted_tokens_total", Type::kCounter, "Guessed tokens that were right.", &Stats::accepted_tokens);
  write("vllm:prefix_cache_queries_total", Type::kCounter, "Prompt tokens looked up in the cache.", &Stats::prompt_tokens);
  write("vllm:prefix_cache_hits_total", Type::kCounter, "Prompt tokens found in the cache.", &Stats::cached_tokens);
  write("vllm:mm_cache_queries_total", Type::kCounter, "Pages whose features were looked up.", page_queries);
  write("vllm:mm_cache_hits_total", Type::kCounter, "Pages whose features were found.", page_hits);
  write("glyph_requests_finished_total", Type::kCounter, "Questions and documents that were completed.", &Stats::num_finished);
  write("glyph_requests_failed_total", Type::kCounter, "Questions and documents that ended with an error.", &Stats::num_failed);
  write("glyph_requests_cancelled_total", Type::kCounter, "Questions and documents whose client went away.", &Stats::num_cancelled);
  write("glyph_engine_up", Type::kGauge, "1 while questions are computed, 0 while the model is loaded again or when it cannot be.",
        [](const Stats& one) { return one.engine == EngineState::kRunning ? 1 : 0; });
  write("glyph_engine_reloads_total", Type::kCounter, "Times the model was loaded again after its device was lost.", &Stats::num_reloads);
  write("glyph_feature_cache_bytes", Type::kGauge, "Features of pages kept in memory.", &Stats::feature_bytes);
  write("glyph_prefix_cache_bytes", Type::kGauge, "KV of documents kept in memory.", &Stats::prefix_bytes);
  write_cache_config(out, stats);
  write_caches(out, stats);
  write_disk(out, stats);
}

void Metrics::write_cache_config(Exposition& out, std::span<const SchedulerStats> stats) const {
  out.family("vllm:cache_config_info", Type::kGauge, "Tokens of a KV block, and how many blocks there are, on whatever device.");
  for (size_t i = 0; i < stats.size(); ++i) {
    const EngineLabel engine(i, stats.size());
    const std::string tokens = std::to_string(stats[i].kv_block_tokens), blocks = std::to_string(stats[i].max_kv_blocks);
    out.sample(engine.with({{"block_size", tokens}, {"model_name", model_}, {"num_gpu_blocks", blocks}}), 1);
  }
}

// The disk is one for all replicas; what is found there and what is not, each counts for itself.
void Metrics::write_caches(Exposition& out, std::span<const SchedulerStats> stats) const {
  struct Tier {
    const char *tier, *kind;
    uint64_t (*bytes)(const CacheStats& stats);
    CacheCounts CacheStats::*counts;
    bool shared;
  };
  constexpr Tier kTiers[] = {
      {"memory", "features", [](const CacheStats& one) { return uint64_t{one.memory_feature_bytes}; }, &CacheStats::memory_features, false},
      {"memory", "kv", [](const CacheStats& one) { return uint64_t{one.memory_kv_bytes}; }, &CacheStats::memory_kv, false},
      {"ram", "features", [](const CacheStats& one) { return uint64_t{one.ram_feature_bytes}; }, &CacheStats::ram_features, false},
      {"ram", "kv", [](const CacheStats& one) { return uint64_t{one.ram_kv_bytes}; }, &CacheStats::ram_kv, false},
      {"disk", "features", [](const CacheStats& one) { return one.disk.feature_bytes; }, &CacheStats::disk_features, true},
      {"disk", "kv", [](const CacheStats& one) { return one.disk.kv_bytes; }, &CacheStats::disk_kv, true}};
  const auto write = [&](std::span<const Tier> tiers, const char* name, Type type, const char* help, bool once_if_shared, const auto& value_of) {
    out.family(name, type, help);
    for (const Tier& tier : tiers) {
      const size_t count = once_if_shared && tier.shared ? 1 : stats.size();
      for (size_t i = 0; i < count; ++i) {
        const EngineLabel engine(i, count);
        out.sample(engine.with({{"kind", tier.kind}, {"model_name", model_}, {"tier", tier.tier}}), number(value_of(tier, stats[i].caches)));
      }
    }
  };
  write(kTiers, "glyph_cache_bytes", Type::kGauge, "Held by the caches of pages.", true,
        [](const Tier& tier, const CacheStats& one) { return tier.bytes(one); });
  write(kTiers, "glyph_cache_hits_total", Type::kCounter, "Pages found.", false,
        [](const Tier& tier, const CacheStats& one) { return (one.*tier.counts).hits; });
  write(kTiers, "glyph_cache_misses_total", Type::kCounter,
        "Pages looked up in vain; RAM below a GPU's memory, then the disk are asked for what memory lacks.", false,
        [](const Tier& tier, const CacheStats& one) { return (one.*tier.counts).misses; });
  write(std::span(kTiers).first(4), "glyph_cache_evictions_total", Type::kCounter, "Pages that made room for others.", false,
        [](const Tier& tier, const CacheStats& one) { return (one.*tier.counts).evictions; });  // what leaves the disk is not counted
}

void Metrics::write_disk(Exposition& out, std::span<const SchedulerStats> stats) const {
  const CacheStats& first = stats.front().caches;
  size_t unwritten = first.num_writing;
  for (const SchedulerStats& one : stats) unwritten += one.caches.num_waiting;
  const Exposition::Labels labels{{"model_name", model_}};
  out.family("glyph_cache_unwritten_entries", Type::kGauge, "Entries on their way to disk.");
  out.sample(labels, number(unwritten));
  out.family("glyph_cache_damaged_total", Type::kCounter, "Entries on disk that were damaged or foreign, and deleted.");
  out.sample(labels, number(first.disk.num_damaged));
  out.family("glyph_cache_dropped_writes_total", Type::kCounter, "Entries that could not be written or found no room.");
  out.sample(labels, number(first.disk.num_dropped));
}

void Metrics::write_answers(Exposition& out) const {
  const Exposition::Labels labels{{"model_name", model_}};
  out.family("vllm:request_success_total", Type::kCounter, "Answers that were completed, by how they ended.");
  for (const auto& [reason, count] : num_answers_) out.sample({{"finished_reason", reason}, {"model_name", model_}}, number(count));
  const auto write = [&](const char* name, const char* help, const Histogram& histogram) {
    out.family(name, Type::kHistogram, help);
    out.sample(labels, histogram);
  };
  write("vllm:time_to_first_token_seconds", "From a question to its first token.", first_token_seconds_);
  write("vllm:inter_token_latency_seconds", "A token after the first, on average over an answer.", token_seconds_);
  write("vllm:request_time_per_output_token_seconds", "The same, as newer dashboards ask for it.", token_seconds_);
  write("vllm:e2e_request_latency_seconds", "From a question to the end of its answer.", answer_seconds_);
  write("vllm:request_queue_time_seconds", "Before a question is begun, and while it waits for KV blocks.", queue_seconds_);
  write("vllm:request_inference_time_seconds", "The rest: from a question's first piece of work to its last.", inference_seconds_);
  write("vllm:request_prefill_time_seconds", "Reading the prompt of a question.", prefill_seconds_);
  write("vllm:request_decode_time_seconds", "Writing an answer.", decode_seconds_);
  write("vllm:request_prompt_tokens", "Prompt tokens of a question.", prompt_tokens_);
  write("vllm:request_prefill_kv_computed_tokens", "Prompt tokens of a question that were not in the cache.", computed_tokens_);
  write("vllm:request_generation_tokens", "Tokens written for a question.", completion_tokens_);
  write("vllm:request_params_max_tokens", "Tokens that an answer was allowed.", max_tokens_);
  write("vllm:request_params_n", "Answers that a question asked for.", num_asked_);
}

void Metrics::write_requests(Exposition& out) const {
  out.family("http_requests_total", Type::kCounter, "Requests by route, method and status; 499: the client left.");
  for (const auto& [key, count] : num_requests_) {
    const auto& [route, method, status] = key;
    out.sample({{"handler", route}, {"method", method}, {"status", std::to_string(status)}}, number(count));
  }
  out.family("http_request_duration_seconds", Type::kHistogram, "From a complete header to the last byte of the response, by route.");
  for (const auto& [route, seconds] : request_seconds_) out.sample({{"handler", route}}, seconds);
}

}  // namespace glyph
