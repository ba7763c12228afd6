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
  // kInternal: the model gave numbers that are none, or the device failed. The engine is as before after any of them; a device that
  // is lost takes its model with it, and the next question loads it again on a new one, or says why that is impossible.
  Result<AskResult> ask(AskRequest request, const AskListener& listener = {}, std::stop_token stop = {});

  // Model::reload(), for whoever computes with the model without ask().
  Status reload() { return model_->reload(); }

  // Not after a question that could not load the model again.
  const Model& model() const { return *model_; }

 private:
  explicit Engine(ModelOptions options) : options_(std::move(options)) {}
  Status load();
  Status replace_lost_device();
  Status step(Sequence& sequence);
  Status decode(Sequence& sequence);

  const ModelOptions options_;
  std::unique_ptr<Model> model_;  // null: its device was lost, and no other could be opened
};

}  // namespace glyph
