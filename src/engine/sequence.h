// Sequence: one question on its way through the engine. It knows its stage; each call below does one small piece of one stage, so
// that an engine may do a piece of one sequence, then of another.
//
//   kExtract  begin()           files -> Document; drawing starts on its own thread
//   kEncode   encode_pages()    a page or several -> features; after the last one the prompt is built and measured
//   kPrefill  read_chunk()      a chunk of the prompt -> KV cache; after the last one the first token is chosen
//   kDecode   next_tokens(), cache(), take_decoded()   one token a pass, more where guesses are right
//   kDone     take_result()
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <stop_token>

#include "engine/ask.h"
#include "engine/drawing.h"
#include "engine/encoding.h"
#include "engine/model.h"
#include "engine/prefill.h"
#include "engine/stopwatch.h"
#include "engine/window.h"
#include "engine/writing.h"
#include "glyph/status.h"

namespace glyph {

// One thread. After an error the sequence is over; destroying it frees everything it holds.
class Sequence {
 public:
  enum class Stage { kExtract, kEncode, kPrefill, kDecode, kDone };

  // The model and the listener must outlive it.
  Sequence(const Model& model, AskRequest request, const AskListener& listener, std::stop_token stop);

  Stage stage() const { return stage_; }
  bool done() const { return stage_ == Stage::kDone; }

  // Each only in its stage. Errors are for the user, one sentence; kCancelled when stop was requested.
  Status begin();
  Status encode_pages();
  Status read_chunk();
  std::vector<int32_t> next_tokens() const;  // to be decoded
  KvCache& cache() { return prefill_->cache(); }
  Status take_decoded(std::span<const int32_t> decoded, const Logits& logits);  // a row behind each

  AskResult take_result();

 private:
  Status extract();
  Status start_drawing();
  Status start_prefill();
  Status start_answering(const ops::LogitsRow& logits);
  void took_token();
  Result<AnsweringOptions> answering_options() const;
  WindowUse window_use() const;
  int64_t max_tokens() const;
  void report(AskStage stage);
  void warn(std::string warning);

  const Model& model_;
  AskRequest request_;
  const AskListener& listener_;
  const std::stop_token stop_;
  const Stopwatch watch_;
  Stage stage_ = Stage::kExtract;
  AskProgress progress_;
  AskResult result_;

  std::shared_ptr<const Document> document_;
  PageStyle style_;
  int64_t question_tokens_ = 0;  // control tokens included, pages not
  std::unique_ptr<Drawing> drawing_;
  std::optional<Encoding> encoding_;
  std::shared_ptr<WorkClock> vision_clock_;
  std::unique_ptr<Prefill> prefill_;
  DraftIndexPtr quotable_;  // what the answer may quote; null: no guesses
  std::optional<Writing> writing_;
  std::optional<Stopwatch> decode_watch_;
};

}  // namespace glyph
