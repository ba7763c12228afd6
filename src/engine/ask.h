// What a question is, what happens while it is answered, and what comes back. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "answer/draft.h"
#include "answer/sampler.h"
#include "glyph/document.h"
#include "glyph/page_style.h"
#include "ingest/ingest.h"
#include "render/renderer.h"

namespace glyph {

// How to write the answer. What is not set comes from the model's generation_config.json.
struct SamplingRequest {
  std::optional<double> temperature;  // 0: always the likeliest token
  std::optional<int64_t> top_k;       // 0: off
  std::optional<double> top_p;
  std::optional<double> repetition_penalty;
  uint64_t seed = 0;
  std::vector<std::string> stop;      // the answer ends before any of these
  bool ignore_eos = false;            // go on past the model's own stop ids; for measurements
};

struct AskRequest {
  std::vector<std::filesystem::path> files;  // read as one document, unless `document` is given
  std::shared_ptr<const Document> document;
  std::string question;
  std::optional<int64_t> max_tokens;         // of the answer, thinking included
  std::optional<PageStyle> style;            // usual_style() when absent
  std::optional<double> dpi;                 // replaces the style's
  SamplingRequest sampling;
  size_t draft_tokens = kDefaultDraftTokens; // guessed ahead in an answer that quotes the document; 0: none
  IngestOptions ingest;                      // its stop token is replaced by the question's
  size_t max_pages = kMaxPages;
};

enum class AskStage { kExtract, kEncode, kPrefill, kDecode };

struct AskProgress {
  AskStage stage = AskStage::kExtract;
  size_t pages_extracted = 0;  // of a PDF
  size_t pages_drawn = 0;
  size_t pages_encoded = 0;
  int64_t tokens_read = 0;
  int64_t tokens_to_read = 0;
  int64_t tokens_written = 0;
};

// Called on the thread that runs ask(). Any of them may be empty.
struct AskListener {
  std::function<void(const AskProgress& progress)> on_progress;
  std::function<void(std::string_view text)> on_answer;     // pieces of AskResult::answer, whole characters
  std::function<void(std::string_view text)> on_reasoning;  // pieces of AskResult::reasoning
  std::function<void(const std::string& warning)> on_warning;
  std::function<void(const SampledToken& token)> on_token;  // each but a stop id, before the text that it completes
};

struct AskUsage {
  int64_t prompt_tokens = 0;      // all that was read: text, control and image tokens
  int64_t image_tokens = 0;
  int64_t completion_tokens = 0;  // all that was written, thinking and the stop token included
  int64_t cached_tokens = 0;      // of prompt_tokens, those that were not computed again
};

// Milliseconds. Drawing overlaps encoding, so the parts may add up to more than the whole.
struct AskTimings {
  double extract_ms = 0;
  double render_ms = 0;
  double vision_ms = 0;
  double prefill_ms = 0;
  double decode_ms = 0;
  double ttft_ms = 0;   // from the call to the first token
  double total_ms = 0;  // of the call
};

struct AskResult {
  std::string answer;
  std::string reasoning;      // what a thinking model wrote before it
  std::string finish_reason;  // "stop" or "length": cut off at max_tokens, or because it only repeated itself
  size_t pages = 0;
  int64_t text_tokens = 0;    // the document's text as text tokens
  AskUsage usage;
  AskTimings timings;
  size_t drafted_tokens = 0;   // guesses of how the answer goes on
  size_t accepted_tokens = 0;  // those of them that were right: each spared a pass of the model
  std::vector<std::string> warnings;

  // Text tokens for one image token; 0 for a document without pages.
  double compression() const {
    return usage.image_tokens == 0 ? 0 : static_cast<double>(text_tokens) / static_cast<double>(usage.image_tokens);
  }
};

}  // namespace glyph
