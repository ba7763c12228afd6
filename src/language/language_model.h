// LanguageModel: tokens and page features in, logits out. Reference: Glm4vTextModel and the head of
// Glm4vForConditionalGeneration.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <stop_token>

#include "glyph/status.h"
#include "language/kv_cache.h"
#include "language/logits.h"
#include "language/prompt.h"
#include "ops/weight.h"
#include "parallel/device_group.h"
#include "tensor/stage_observer.h"
#include "weights/config.h"
#include "weights/safetensors.h"

namespace glyph {

struct LanguageOptions {
  Precision precision = Precision::kAuto;
  bool as_on_gpu = false;  // for tests: on any device, passes are done and give their logits as on a GPU
  KvPrecision kv_precision = KvPrecision::kAuto;
};

struct PrefillOptions {
  int64_t chunk_tokens = 0;     // rows of one pass; 0: LanguageModel::chunk_tokens()
  std::stop_token stop = {};    // looked at before each chunk
  std::function<void(int64_t tokens_done, int64_t tokens_total)> progress = {};  // after each chunk
};

// Tokens [begin, end) of a prompt, in a pass that others may share.
struct PromptPart {
  const Prompt* prompt = nullptr;
  int64_t begin = 0, end = 0;
  KvCache* cache = nullptr;
  bool want_logits = false;  // of the last row

  int64_t num_rows() const { return end - begin; }
};

// What happens inside a pass over a prompt, which may take long on the host. Not on a GPU, which is only given the work,
// and not on several devices.
struct ReadPauses {
  std::stop_token stop = {};
  std::function<void()> pause = {};  // twice a layer; may call decode(), for sequences that are not being read
};

// Tokens appended to a sequence, one after the other.
struct NewTokens {
  std::span<const int32_t> ids;
  KvCache* cache = nullptr;
};

// One pass at a time: its calls come from one thread at a time.
class LanguageModel {
 public:
  // Parts up to this long may share a pass.
  static constexpr int64_t kShortRows = 64;

  // The checkpoint must outlive the model. kRefused when a tensor is missing or has another shape.
  static Result<LanguageModel> load(Device& device, const ModelConfig& config, const Checkpoint& checkpoint,
                                    const LanguageOptions& options = {});
  // Computed by all devices of the group, which must outlive the model. kRefused, too, when so many cannot share it.
  static Result<LanguageModel> load(DeviceGroup& group, const ModelConfig& config, const Checkpoint& checkpoint,
                                    const LanguageOptions& options = {});
  LanguageModel(LanguageModel&&) noexcept;
  LanguageModel& operator=(LanguageModel&&) noexcept;
  ~LanguageModel();

  // What a KvBlockPool for this model must hold on each device.
  KvLayout kv_layout(int64_t block_tokens = 64) const;

  // Reads `ids` with `pages` for their placeholders and appends them to the cache, which may already hold a
  // beginning. Logits of the last row; as with all logits, what they leave on a GPU is there until the next pass. kRefused: placeholders
  // and pages do not match, an id outside the vocabulary, past the context window; kExhausted: no KV blocks; kCancelled; the device's
  // errors (Device::take_status). After an error the cache is as it was.
  Result<Logits> prefill(std::span<const int32_t> ids, std::span<const PageFeatures* const> pages,
                         KvCache& cache, const PrefillOptions& options = {}) const;

  // The steps of prefill() for a scheduler. begin_prefill() checks everything; read() appends tokens [begin,
  // end) of the prompt; begin is where the call before it ended.
  Result<Prompt> begin_prefill(std::span<const int32_t> ids, std::span<const PageFeatures* const> pages,
                               const KvCache& cache) const;
  // Logits of row end - 1 when `want_logits`, else none.
  Result<Logits> read(const Prompt& prompt, int64_t begin, int64_t end, KvCache& cache,
                      bool want_logits) const;
  // The same for one part, or for several of up to kShortRows each. A row of logits for each part that wants some,
  // which does not depend on the other parts. kCancelled: stopped inside; the caches are as they were.
  Result<Logits> read(std::span<const PromptPart> parts, const ReadPauses& pauses = {}) const;

  // One token for each of several sequences, appended to its cache: ids[i] to caches[i]. A row of logits for each sequence.
  Result<Logits> decode(std::span<const int32_t> ids, std::span<KvCache* const> caches) const;
  // One or more for each: a row of logits for every new token. With the tokens of all up to
  // max_decode_rows() a row's logits do not depend on the other rows; the caller truncates what it does not keep.
  Result<Logits> decode(std::span<const NewTokens> sequences) const;
  int64_t max_decode_rows() const;

  // Stages "embed", "layer.0" ..., "norm" of each pass, (rows, hidden) f32.
  void observe(StageObserver observer);
  DType compute_type() const;
  DType weight_type() const;  // of its matrices
  DType head_type() const;    // of the one that gives logits
  int64_t chunk_tokens() const;  // rows of one pass that suit the device: fast, and soon over
  void set_chunk_tokens(int64_t tokens);
  int64_t vocab_size() const;
  int64_t max_tokens() const;      // context window
  size_t workspace_bytes() const;  // held for intermediate tensors on the first device

 private:
  struct Impl;
  explicit LanguageModel(std::unique_ptr<Impl> impl);
  Result<Logits> read_all(const Prompt& prompt, KvCache& cache, const PrefillOptions& options) const;
  std::unique_ptr<Impl> impl_;
};

}  // namespace glyph
