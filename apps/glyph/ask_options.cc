#include "ask_options.h"

#include <fmt/format.h>

#include <limits>

#include "base/log.h"
#include "inputs.h"
#include "memory_check.h"
#include "model_dir.h"

namespace glyph {
namespace {

constexpr int64_t kMaxThreads = 1024;
constexpr int64_t kMaxTensorParallel = 4;
constexpr int64_t kMaxGpu = 255;
constexpr int64_t kMaxDraftTokens = 64;
constexpr int64_t kMaxAnswerTokens = int64_t{1} << 20;
constexpr int64_t kMaxVocabulary = int64_t{1} << 24;

Result<Precision> precision_of(const Settings& settings) {
  const Result<Precision> precision = parse_precision(settings.text("precision").value_or("auto"));
  return precision.ok() ? precision : usage_error("precision: " + precision.status().message());
}

Result<KvPrecision> kv_precision_of(const Settings& settings) {
  const Result<KvPrecision> precision = parse_kv_precision(settings.text("kv-precision").value_or("auto"));
  return precision.ok() ? precision : usage_error("kv-precision: " + precision.status().message());
}

// Heads are shared evenly, so the GPUs are a power of two.
Result<int> tensor_parallel_of(const Settings& settings) {
  GLYPH_ASSIGN_OR_RETURN(const int64_t gpus, settings.integer("tensor-parallel", 1, 1, kMaxTensorParallel));
  if (gpus == 3) return usage_error("tensor-parallel: 3 is none of 1, 2, 4");
  return static_cast<int>(gpus);
}

Result<SamplingRequest> sampling_of(const Settings& settings) {
  SamplingRequest sampling;
  constexpr int64_t kMaxSeed = std::numeric_limits<int64_t>::max();
  if (settings.has("temperature")) { GLYPH_ASSIGN_OR_RETURN(sampling.temperature, settings.number("temperature", 0, 0, 100)); }
  if (settings.has("top-k")) { GLYPH_ASSIGN_OR_RETURN(sampling.top_k, settings.integer("top-k", 0, 0, kMaxVocabulary)); }
  if (settings.has("top-p")) { GLYPH_ASSIGN_OR_RETURN(sampling.top_p, settings.number("top-p", 1, 1e-6, 1)); }
  if (settings.has("repetition-penalty")) {
    GLYPH_ASSIGN_OR_RETURN(sampling.repetition_penalty, settings.number("repetition-penalty", 1, 0.01, 100));
  }
  GLYPH_ASSIGN_OR_RETURN(const int64_t seed, settings.integer("seed", 0, 0, kMaxSeed));
  sampling.seed = static_cast<uint64_t>(seed);
  if (const auto stop = settings.text("stop")) sampling.stop.push_back(*stop);
  return sampling;
}

}  // namespace

Result<ModelOptions> model_options(const Settings& settings) {
  ModelOptions options;
  GLYPH_ASSIGN_OR_RETURN(const int64_t threads, settings.integer("threads", 0, 0, kMaxThreads));
  GLYPH_ASSIGN_OR_RETURN(options.precision, precision_of(settings));
  GLYPH_ASSIGN_OR_RETURN(options.kv_precision, kv_precision_of(settings));
  GLYPH_ASSIGN_OR_RETURN(options.device, parse_device_choice(settings.text("device").value_or("auto")));
  GLYPH_ASSIGN_OR_RETURN(options.tensor_parallel, tensor_parallel_of(settings));
  GLYPH_ASSIGN_OR_RETURN(const int64_t gpu, settings.integer("gpu", 0, 0, kMaxGpu));
  options.first_gpu = static_cast<int>(gpu);
  const bool on_gpus = settings.has("gpu") || options.tensor_parallel > 1;
  if (on_gpus && options.device == DeviceChoice::kCpu) return usage_error("a GPU was chosen with --gpu or --tensor-parallel together with the device cpu");
  if (on_gpus && options.device == DeviceChoice::kAuto) options.device = DeviceChoice::kCuda;
  options.num_threads = static_cast<int>(threads);
  options.plan = settings.text("plan").value_or("");
  options.use_plan = options.plan != "none";
  if (settings.has("random-weights")) {
    GLYPH_ASSIGN_OR_RETURN(const int64_t seed, settings.integer("random-weights", 0, 0, std::numeric_limits<int64_t>::max()));
    options.random_seed = static_cast<uint64_t>(seed);
  }
  // Random weights of no model in particular have the size of the 9B.
  if (!options.random_seed || settings.has("model")) { GLYPH_ASSIGN_OR_RETURN(options.dir, find_model_dir(settings)); }
  return options;
}

Result<std::unique_ptr<Engine>> open_engine(const Settings& settings) {
  GLYPH_ASSIGN_OR_RETURN(const ModelOptions options, model_options(settings));
  return open_engine(options);
}

Result<std::unique_ptr<Engine>> open_engine(const ModelOptions& options) {
  GLYPH_RETURN_IF_ERROR(check_fits(options));
  GLYPH_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, Engine::open(options));
  for (const std::string& warning : engine->model().warnings()) log_warning("{}", warning);
  log_debug("{}: {}, {} bytes of weights", options.dir.string(), engine->model().device().description(),
            engine->model().checkpoint().num_bytes());
  return engine;
}

Result<size_t> draft_tokens(const Settings& settings) {
  GLYPH_ASSIGN_OR_RETURN(const int64_t tokens, settings.integer("draft-tokens", kDefaultDraftTokens, 0, kMaxDraftTokens));
  return static_cast<size_t>(tokens);
}

Result<AskRequest> request_template(const Settings& settings) {
  AskRequest request;
  GLYPH_ASSIGN_OR_RETURN(request.ingest, ingest_options(settings, {}));
  GLYPH_ASSIGN_OR_RETURN(StyleChoice style, style_choice(settings));
  GLYPH_ASSIGN_OR_RETURN(const RenderOptions render, render_options(settings));
  GLYPH_ASSIGN_OR_RETURN(request.sampling, sampling_of(settings));
  request.style = std::move(style.style);
  request.dpi = style.dpi;
  request.max_pages = render.max_pages;
  GLYPH_ASSIGN_OR_RETURN(request.draft_tokens, draft_tokens(settings));
  if (settings.has("max-tokens")) { GLYPH_ASSIGN_OR_RETURN(request.max_tokens, settings.integer("max-tokens", 1, 1, kMaxAnswerTokens)); }
  return request;
}

std::string describe(const AskProgress& progress) {
  switch (progress.stage) {
    case AskStage::kExtract: return fmt::format("opening: {} pages", progress.pages_extracted);
    case AskStage::kEncode: return fmt::format("pages: {} drawn, {} encoded", progress.pages_drawn, progress.pages_encoded);
    case AskStage::kPrefill: return fmt::format("reading: {} of {} tokens", progress.tokens_read, progress.tokens_to_read);
    case AskStage::kDecode: return fmt::format("answering: {} tokens", progress.tokens_written);
  }
  return {};
}

std::string describe(const AskResult& result) {
  const AskTimings& t = result.timings;
  const double tokens_per_second =
      t.decode_ms > 0 ? static_cast<double>(result.usage.completion_tokens - 1) * 1e3 / t.decode_ms : 0;
  const std::string guessed =
      result.drafted_tokens == 0 ? "" : fmt::format(", {} of {} guessed right", result.accepted_tokens, result.drafted_tokens);
  return fmt::format(
      "{} {}, {} image tokens for {} text tokens ({:.2f}x); {:.2f} s: opening {:.2f}, drawing {:.2f}, encoding {:.2f}, reading {:.2f}, "
      "first token after {:.2f}, {} tokens at {:.1f}/s{}",
      result.pages, result.pages == 1 ? "page" : "pages", result.usage.image_tokens, result.text_tokens, result.compression(), t.total_ms / 1e3, t.extract_ms / 1e3,
      t.render_ms / 1e3, t.vision_ms / 1e3, t.prefill_ms / 1e3, t.ttft_ms / 1e3, result.usage.completion_tokens, tokens_per_second, guessed);
}

}  // namespace glyph
