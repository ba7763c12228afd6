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
  switch (sequence.stage()) {
    case Sequence::Stage::kExtract: return sequence.begin();
    case Sequence::Stage::kEncode: return sequence.encode_pages();
    case Sequence::Stage::kPrefill: return sequence.read_chunk();
    case Sequence::Stage::kDecode: return decode(sequence);
    case Sequence::Stage::kDone: break;
  }
  return {};
}

// The token that was chosen, and guesses of what follows it, in one pass of the language model.
Status Engine::decode(Sequence& sequence) {
  const std::vector<int32_t> ids = sequence.next_tokens();
  const NewTokens tokens[] = {{.ids = ids, .cache = &sequence.cache()}};
  GLYPH_ASSIGN_OR_RETURN(const Logits logits, model_->language().decode(tokens));
  return sequence.take_decoded(ids, logits);
}

}  // namespace glyph
