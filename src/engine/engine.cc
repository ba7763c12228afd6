#include "engine/engine.h"

#include <utility>
#include <vector>

#include "engine/compile.h"

namespace glyph {

Result<std::unique_ptr<Engine>> Engine::open(const ModelOptions& options) {
  GLYPH_ASSIGN_OR_RETURN(std::unique_ptr<Model> model, Model::load(options));
  if (options.use_plan) GLYPH_RETURN_IF_ERROR(use_plan(*model, options.plan, options.dir));
  return std::unique_ptr<Engine>(new Engine(std::move(model)));
}

Result<AskResult> Engine::ask(AskRequest request, const AskListener& listener, std::stop_token stop) {
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
