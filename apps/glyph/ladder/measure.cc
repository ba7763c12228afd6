#include "ladder/measure.h"

#include <algorithm>
#include <fstream>

#include "ladder/scheduled.h"
#include "ladder/stage_clock.h"
#include "tensor/cuda_backend.h"
#include "weights/model_cost.h"

namespace glyph {
namespace {

AskRequest request_of(const Workload& workload, const LadderOptions& options) {
  AskRequest request;
  request.document = workload.document;
  request.style = workload.style;
  request.question = options.question;
  request.max_tokens = options.answer_tokens;
  request.sampling.temperature = 0;
  request.sampling.repetition_penalty = 1;
  request.sampling.ignore_eos = true;
  return request;
}

// One question from nothing.
class Alone : public Asking {
 public:
  Alone(Engine& engine, const Workload& workload, const LadderOptions& options, std::stop_token stop)
      : engine_(engine), workload_(workload), options_(options), stop_(std::move(stop)) {}

  Result<Asked> ask(StageClock* clock) override {
    AskListener listener;
    if (clock != nullptr) {
      listener.on_progress = [clock](const AskProgress& progress) { clock->tick(progress.stage); };
      clock->start();
    }
    GLYPH_ASSIGN_OR_RETURN(const AskResult result, engine_.ask(request_of(workload_, options_), listener, stop_));
    return Asked{.usage = result.usage, .timings = result.timings, .pages = result.pages};
  }

 private:
  Engine& engine_;
  const Workload& workload_;
  const LadderOptions& options_;
  const std::stop_token stop_;
};

Result<std::unique_ptr<Asking>> start_asking(Engine& engine, LadderRow::Question question, const Workload& workload,
                                             const LadderOptions& options, std::stop_token stop) {
  if (question == LadderRow::Question::kAlone) return std::unique_ptr<Asking>(std::make_unique<Alone>(engine, workload, options, stop));
  return start_scheduled(engine.model(), question, workload, options, std::move(stop));
}

void take_best(const Asked& asked, Measured& measured) {
  const AskTimings& t = asked.timings;
  if (measured.total_ms > 0 && measured.total_ms <= t.total_ms) return;
  measured.total_ms = t.total_ms;
  measured.first_token_ms = t.ttft_ms;
  measured.token_ms = (t.total_ms - t.ttft_ms) / static_cast<double>(std::max<int64_t>(1, asked.usage.completion_tokens - 1));
}

void count_work(const Model& model, const Asked& asked, Measured& measured) {
  const int64_t cells = model.config().vision.spatial_merge_size * model.config().vision.spatial_merge_size;
  measured.pages = static_cast<int64_t>(asked.pages);
  measured.patches = asked.timings.vision_ms > 0 ? asked.usage.image_tokens * cells : 0;
  measured.prompt_tokens = asked.usage.prompt_tokens;
  measured.cached_tokens = asked.usage.cached_tokens;
  measured.answer_tokens = asked.usage.completion_tokens;
}

// What one step reads of matrices and KV.
double decode_bytes(const Model& model, double weight_bytes, int64_t num_tokens) {
  const DecodeReads reads = decode_reads(model.config(), num_tokens);
  const DType head_type = model.language().head_type();
  const int64_t scales = is_quantised(head_type) ? scale_bytes_of_row(head_type, kQuantGroup) : 0;
  const double head = static_cast<double>(bytes_of(head_type, kQuantGroup) + scales) / kQuantGroup;
  const KvLayout kv = model.language().kv_layout();
  const double kv_bytes = static_cast<double>(kv.half_layer_bytes()) / static_cast<double>(kv.num_kv_heads * kv.block_tokens * kv.head_dim);
  return static_cast<double>(reads.layers) * weight_bytes + static_cast<double>(reads.head) * head + static_cast<double>(reads.kv) * kv_bytes;
}

// Pages count as equal, which those of a workload are.
void count_achieved(const Model& model, double weight_bytes, Measured& measured) {
  const ModelConfig& config = model.config();
  if (measured.patches > 0 && measured.pages > 0) {
    const std::vector<int64_t> pages(static_cast<size_t>(measured.pages), measured.patches / measured.pages);
    measured.vision_tflops = vision_flop(config, pages) / measured.stages.vision_ms * 1e-9;
  }
  const int64_t read = measured.prompt_tokens - measured.cached_tokens;
  measured.prefill_tflops = prefill_flop(config, measured.cached_tokens, read) / measured.stages.prefill_ms * 1e-9;
  const double bytes = decode_bytes(model, weight_bytes, measured.prompt_tokens + measured.answer_tokens / 2);
  if (measured.token_ms > 0) measured.decode_gbytes = bytes / measured.token_ms * 1e-6;
}

uint64_t peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return static_cast<uint64_t>(std::stoll(line.substr(6))) << 10;
  }
  return 0;
}

}  // namespace

uint64_t peak_memory(const Model& model) {
  if (model.device().host_memory()) return peak_resident_bytes();
  const Result<DeviceMemoryUse> use = cuda_memory_use(model.device());
  return use.ok() ? use->held_bytes : 0;
}

void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5"; }

Result<Measured> measure(Engine& engine, const LadderRow& row, const Workload& workload, const LadderOptions& options,
                         std::stop_token stop) {
  const Model& model = engine.model();
  Measured measured;
  GLYPH_ASSIGN_OR_RETURN(const std::unique_ptr<Asking> asking, start_asking(engine, row.question, workload, options, std::move(stop)));
  if (options.repeats > 0) GLYPH_RETURN_IF_ERROR(asking->ask(nullptr).status());
  for (int64_t i = 0; i < options.repeats; ++i) {
    GLYPH_ASSIGN_OR_RETURN(const Asked asked, asking->ask(nullptr));
    take_best(asked, measured);
  }
  StageClock clock(model.device());
  GLYPH_ASSIGN_OR_RETURN(const Asked staged, asking->ask(&clock));
  measured.stages = clock.times();
  measured.stages.draw_ms = staged.timings.render_ms;
  if (options.repeats == 0) take_best(staged, measured);
  count_work(model, staged, measured);
  count_achieved(model, row.weight_bytes, measured);
  measured.accepted_share = asking->accepted_share();
  measured.peak_bytes = peak_memory(model);
  return measured;
}

}  // namespace glyph
