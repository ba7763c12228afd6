#include "engine/model.h"

#include <fmt/format.h>

#include <utility>

#include "weights/tensor_list.h"

namespace glyph {
namespace {

// The ids that config.json and the tokenizer must agree on.
Status check_agreement(const std::filesystem::path& dir, const Tokenizer& tokenizer, const ControlTokens& control,
                       const ModelConfig& config) {
  if (tokenizer.vocab_size() > config.text.vocab_size) {
    return refused(fmt::format("{}: the tokenizer has ids up to {}, the model only {}", dir.string(), tokenizer.vocab_size() - 1,
                               config.text.vocab_size - 1));
  }
  if (control.image != config.image_token_id) {
    return refused(fmt::format("{}: <|image|> is {} in tokenizer.json, image_token_id is {} in config.json", dir.string(),
                               control.image, config.image_token_id));
  }
  return {};
}

template <typename T>
std::unique_ptr<T> on_heap(T&& value) {
  return std::make_unique<T>(std::move(value));
}

}  // namespace

Result<std::unique_ptr<Model>> Model::load(const ModelOptions& options) {
  std::unique_ptr<Model> model(new Model);
  model->name_ = std::filesystem::weakly_canonical(options.dir).filename().string();
  GLYPH_RETURN_IF_ERROR(model->read_configs(options.dir));
  GLYPH_RETURN_IF_ERROR(model->read_tokenizer(options.dir));
  GLYPH_RETURN_IF_ERROR(model->read_weights(options));
  return model;
}

Status Model::read_configs(const std::filesystem::path& dir) {
  GLYPH_ASSIGN_OR_RETURN(config_, load_model_config(dir));
  GLYPH_ASSIGN_OR_RETURN(generation_, load_generation_config(dir, config_));
  GLYPH_ASSIGN_OR_RETURN(preprocessor_, load_preprocessor_config(dir, config_));
  return {};
}

Status Model::read_tokenizer(const std::filesystem::path& dir) {
  GLYPH_ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::load(dir));
  tokenizer_ = on_heap(std::move(tokenizer));
  GLYPH_ASSIGN_OR_RETURN(control_, find_control_tokens(*tokenizer_));
  if (const Status status = check_chat_template(dir); !status.ok()) warnings_.push_back(status.message());
  return check_agreement(dir, *tokenizer_, control_, config_);
}

Status Model::read_weights(const ModelOptions& options) {
  GLYPH_ASSIGN_OR_RETURN(checkpoint_, Checkpoint::open(options.dir));
  GLYPH_RETURN_IF_ERROR(check_model_tensors(checkpoint_, config_));
  GLYPH_ASSIGN_OR_RETURN(device_, open_device({.choice = options.device, .num_threads = options.num_threads}));
  GLYPH_ASSIGN_OR_RETURN(VisionModel vision,
                         VisionModel::load(*device_, config_, preprocessor_, checkpoint_, {.precision = options.precision}));
  vision_ = on_heap(std::move(vision));
  GLYPH_ASSIGN_OR_RETURN(LanguageModel language,
                         LanguageModel::load(*device_, config_, checkpoint_, {.precision = options.precision}));
  language_ = on_heap(std::move(language));
  page_batches_ = std::make_unique<PageBatches>(device_->kind());
  kv_blocks_ = std::make_unique<KvBlockPool>(*device_, language_->kv_layout());
  return {};
}

}  // namespace glyph
