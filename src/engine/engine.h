// Engine: a model, and the loop that takes questions through it. README.md beside this file tells how.
#pragma once

#include <memory>
#include <span>
#include <stop_token>

#include "engine/ask.h"
#include "engine/model.h"
#include "engine/sequence.h"
#include "glyph/status.h"

namespace glyph {

// One thread at a time.
class Engine {
 public:
  // Errors are those of Model::load().
  static Result<std::unique_ptr<Engine>> open(const ModelOptions& options);

  // Answers one question. kUsage: the question or a sampling value is not acceptable; kRefused, kNotFound, kDeadline: a file is
  // not, or the document does not fit into the context window; kCancelled within one page, chunk or token of a requested stop;
  // kInternal: the model gave numbers that are none. The engine is as before after any of them.
  Result<AskResult> ask(AskRequest request, const AskListener& listener = {}, std::stop_token stop = {});

  const Model& model() const { return *model_; }

 private:
  explicit Engine(std::unique_ptr<Model> model) : model_(std::move(model)) {}
  Status step(Sequence& sequence);
  Status decode(std::span<Sequence* const> sequences);

  std::unique_ptr<Model> model_;
};

}  // namespace glyph
