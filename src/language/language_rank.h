// LanguageRank: what one device computes of the language model, alone or as one of several.
//
// Several ranks share the heads, the inside of the MLP and the head of the model; each has all of the residual stream. After the
// attention and after the MLP of a layer their parts of the branch are summed, before it is normed. Embeddings and features are
// rank 0's, which hands the rows of a pass to the others. Reference: Megatron-LM (Shoeybi et al., 2019), section 3.
#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <span>

#include "glyph/status.h"
#include "language/decode_steps.h"
#include "language/language_model.h"
#include "language/language_weights.h"
#include "ops/decode_batch.h"
#include "parallel/device_group.h"
#include "tensor/workspace.h"

namespace glyph {

// Where the ranks leave the logits of a pass, of whose rows each has its columns.
struct LogitsPlace {
  TensorView all;                  // (rows, vocab_size) f32 in host memory: each rank fills its columns; or empty, and
  std::span<ops::TopLogits> top;   // (rows), of this rank's columns, whose ids begin with 0. The rest stays: fetch().
};

// Its calls come from the thread of its rank; a pass is called on all ranks at once, inside of DeviceGroup::run.
class LanguageRank {
 public:
  // kRefused when a tensor is missing or has another shape; the device's errors.
  static Result<std::unique_ptr<LanguageRank>> load(DeviceGroup& group, int rank, const ModelConfig& config,
                                                    const Checkpoint& checkpoint, const LanguageOptions& options);

  // Whether passes are done by the host, in its memory: logits are then wanted there, too.
  bool on_host() const { return on_host_; }
  // This rank's columns of the vocabulary.
  Slice columns() const { return share_.vocab; }

  // The steps of LanguageModel's calls of these names that every rank does: caches have room, which the caller commits. outputs: rows
  // of all parts whose logits are wanted.
  Status read(std::span<const PromptPart> parts, std::span<const int32_t> outputs, const ReadPauses& pauses, const LogitsPlace& logits);
  Status decode(std::span<const NewTokens> sequences, const LogitsPlace& logits);
  // A row of logits that stayed with the last pass: fills this rank's columns of `to` (vocab_size).
  Status fetch(int64_t row, std::span<float> to);

  void observe(StageObserver observer, bool observed);
  int64_t max_decode_rows() const;
  DType weight_type() const { return weights_.layers[0].gate.view().dtype(); }
  DType head_type() const { return weights_.head.view().dtype(); }
  size_t workspace_bytes() const { return workspace_.num_bytes(); }

 private:
  LanguageRank(DeviceGroup& group, int rank, const ModelConfig& config, DType compute, bool on_host, LanguageWeights weights);

  // The rows of one pass through the layers.
  struct Pass {
    TensorView x;                    // (rows, hidden) f32: the residual stream
    TensorView cos, sin;             // (rows, rotary_dim / 2)
    DType activation = DType::kF32;  // of the inputs of linear layers
    DType qkv = DType::kF32;
    DType branch = DType::kF32;  // of what the ranks sum
    int64_t num_outputs = 0;     // the last rows whose hidden state is wanted after the last layer
    const ReadPauses* pauses = nullptr;
    const ops::DecodeBatch* batch = nullptr;  // whose slots the rows are: their keys and values go into its caches at once

    // False: the pass is not wanted any more.
    bool go_on() const {
      if (pauses == nullptr) return true;
      if (pauses->pause) pauses->pause();
      return !pauses->stop.stop_requested();
    }
  };
  // Stores the new keys and values of a layer, unless the pass is of a batch, and attends: q (rows wanted, heads, head_dim), which are
  // the last of all rows.
  using Attend = std::function<void(int64_t layer, const ConstTensorView& q, const ConstTensorView& k,
                                    const ConstTensorView& v, const TensorView& out)>;

  DType decode_activation(int64_t rows) const;
  DType input_type(int64_t rows) const;
  Pass take_pass(int64_t rows, DType activation);
  Pass begin_pass(std::span<const ops::TokenPosition> positions, DType activation);
  ops::TextRotaryOptions rotary_options() const {
    return {.theta = config_.rope_theta, .sections = config_.mrope_section};
  }
  Status decode_batch(std::span<const NewTokens> sequences, std::span<ops::TopLogits> top);
  void queue_batch(DeviceLogits& logits);
  Pass begin_parts(std::span<const PromptPart> parts);
  void attend_parts(std::span<const PromptPart> parts, int64_t layer, const ConstTensorView& q,
                    const ConstTensorView& k, const ConstTensorView& v, const TensorView& out) const;
  void embed(const Prompt& prompt, int64_t begin, const TensorView& x) const;
  void share(const TensorView& x) const;
  struct BranchEnd;
  void end_branch(const ConstTensorView& input, const BranchEnd& end) const;
  TensorView run_layers(const Pass& pass, const Attend& attend);
  TensorView attention(const LanguageLayerWeights& layer, int64_t index, const Pass& pass,
                       const ConstTensorView& normed, int64_t wanted, const Attend& attend);
  Status logits_of(const ConstTensorView& normed, const LogitsPlace& logits);
  void queue_logits(const ConstTensorView& normed, DeviceLogits& logits);
  Status agree();
  Status take_top(const DeviceLogits& logits, std::span<ops::TopLogits> top);
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(config_.head_dim())); }
  void show(std::string_view stage, const ConstTensorView& values) const { show_stage(observer_, device_, stage, values); }

  DeviceGroup& group_;
  const int rank_;
  Device& device_;
  Communicator* const communicator_;  // null: there are no others
  const TextConfig config_;
  const LanguageShare share_;
  const DType compute_;
  const bool on_host_;
  LanguageWeights weights_;
  Workspace workspace_;
  StageObserver observer_;
  bool observed_ = false;  // rank 0 shows stages: nothing is left out or recorded
  ops::DecodeBatch batch_;  // of the decode step under way on a GPU
  DecodeSteps steps_;
  DeviceLogits read_;                    // of the last prompts read on a GPU
  const DeviceLogits* last_ = nullptr;   // of the last pass: those or a step's
};

}  // namespace glyph
