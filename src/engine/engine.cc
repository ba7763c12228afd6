#include "engine/engine.h"

#include <utility>
#include <vector>

#include "base/log.h"
#include "engine/compile.h"

namespace glyph {

Result<std::unique_ptr<Engine>> Engine::open(const ModelOptions& options) {
  std::unique_ptr<Engine> engine(new Engine(options));
  GLYPH_RETURN_IF_ERROR(engine->load());
  return engine;
}

Status Engine::load() {
  GLYPH_ASSIGN_OR_RETURN(model_, Model::load(options_));
  return options_.use_plan ? use_plan(*model_, options_.plan, options_.dir) : Status();
}

// The old device goes first: a GPU has no room for two models, and its process no use for two contexts.
Status Engine::replace_lost_device() {
  if (model_ != nullptr) {
    const Status lost = model_->device().lost();
    if (lost.ok()) return {};
    log_warning("{}; the model is loaded again", lost.message());
    model_.reset();
  }
  Status loaded = load();
  if (loaded.ok()) return {};
  model_.reset();
  return internal_error("the device was lost, and the model could not be loaded again: " + loaded.message());
}

Result<AskResult> Engine::ask(AskRequest request, const AskListener& listener, std::stop_token stop) {
  GLYPH_RETURN_IF_ERROR(replace_lost_device());
  Sequence sequence(*model_, std::move(request), listener, std::move(stop));
  while (!sequence.done()) GLYPH_RETURN_IF_ERROR(step(sequence));
  return sequence.take_result();
}

// One piece of work for one sequence.
Status Engine::step(Sequence& sequence) {
  Sequence* const batch[] = {&sequence};
  switch (sequence.stage()) {
    case Sequence::Stage::kExtract: return sequence.begin();
    case Sequence::Stage::kEncode: return sequence.encode_pages();
    case Sequence::Stage::kPrefill: return sequence.read_chunk();
    case Sequence::Stage::kDecode: return decode(batch);
    case Sequence::Stage::kDone: break;
  }
  return {};
}

// One token for each sequence, in one pass of the language model.
Status Engine::decode(std::span<Sequence* const> sequences) {
  std::vector<int32_t> ids;
  std::vector<KvCache*> caches;
  for (Sequence* sequence : sequences) {
    ids.push_back(sequence->next_token());
    caches.push_back(&sequence->cache());
  }
  GLYPH_ASSIGN_OR_RETURN(const Tensor logits, model_->language().decode(ids, caches));
  for (size_t i = 0; i < sequences.size(); ++i) {
    const ConstTensorView row = logits.view().rows(static_cast<int64_t>(i), static_cast<int64_t>(i) + 1);
    GLYPH_RETURN_IF_ERROR(sequences[i]->take_logits({row.data<float>(), static_cast<size_t>(row.shape().num_elements())}));
  }
  return {};
}

}  // namespace glyph
