#include "engine/model.h"

#include <fmt/format.h>

#include <utility>

#include "language/language_weights.h"
#include "tensor/cuda_backend.h"
#include "weights/stand_in.h"
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

// Of the folder; random weights are called so, because answers show nothing else.
std::string name_of_model(const ModelOptions& options) {
  const std::string folder = options.dir.empty() ? "GLM-4.1V-9B" : std::filesystem::weakly_canonical(options.dir).filename().string();
  return options.random_seed ? folder + "-random" : folder;
}

// Without a tokenizer beside config.json, one of bytes will do for random weights.
Result<Tokenizer> open_tokenizer(const ModelOptions& options, const ModelConfig& config) {
  std::error_code ignored;
  const bool has_own = !options.dir.empty() && std::filesystem::exists(options.dir / "tokenizer.json", ignored);
  if (!options.random_seed || has_own) return Tokenizer::load(options.dir);
  GLYPH_ASSIGN_OR_RETURN(const std::string text, stand_in_tokenizer_json(config));
  return Tokenizer::parse(text, "the tokenizer of random weights");
}

Result<Checkpoint> open_checkpoint(const ModelOptions& options, const ModelConfig& config) {
  if (options.random_seed) return Checkpoint::random(*options.random_seed, expected_tensors(config));
  GLYPH_ASSIGN_OR_RETURN(Checkpoint checkpoint, Checkpoint::open(options.dir));
  GLYPH_RETURN_IF_ERROR(check_model_tensors(checkpoint, config));
  return checkpoint;
}

template <typename T>
std::unique_ptr<T> on_heap(T&& value) {
  return std::make_unique<T>(std::move(value));
}

}  // namespace

Result<std::unique_ptr<Model>> Model::load(const ModelOptions& options) {
  std::unique_ptr<Model> model(new Model);
  model->options_ = options;
  model->name_ = name_of_model(options);
  GLYPH_RETURN_IF_ERROR(model->read_configs(options));
  GLYPH_RETURN_IF_ERROR(model->read_tokenizer(options));
  GLYPH_ASSIGN_OR_RETURN(model->checkpoint_, open_checkpoint(options, model->config_));
  GLYPH_RETURN_IF_ERROR(model->read_weights());
  model->device_description_ = model->device().description();
  return model;
}

void Model::drop_devices() {
  kv_blocks_.reset();
  page_batches_.reset();
  language_.reset();
  vision_.reset();
  group_.reset();
  devices_.clear();
}

// A GPU has no room for two models, and its process no use for two contexts: the old one goes first.
Status Model::reload() {
  drop_devices();
  GLYPH_RETURN_IF_ERROR(read_weights());
  if (device().description() != device_description_) {
    return internal_error(fmt::format("the device was \"{}\", now there is \"{}\"", device_description_, device().description()));
  }
  if (plan_) use(Plan(*plan_));
  return {};
}

Status Model::read_configs(const ModelOptions& options) {
  if (options.random_seed && options.dir.empty()) {
    config_ = stand_in_config();
    generation_ = stand_in_generation(config_);
    preprocessor_ = stand_in_preprocessor(config_);
    return {};
  }
  GLYPH_ASSIGN_OR_RETURN(config_, load_model_config(options.dir));
  GLYPH_ASSIGN_OR_RETURN(generation_, load_generation_config(options.dir, config_));
  GLYPH_ASSIGN_OR_RETURN(preprocessor_, load_preprocessor_config(options.dir, config_));
  return {};
}

Status Model::read_tokenizer(const ModelOptions& options) {
  GLYPH_ASSIGN_OR_RETURN(Tokenizer tokenizer, open_tokenizer(options, config_));
  tokenizer_ = on_heap(std::move(tokenizer));
  GLYPH_ASSIGN_OR_RETURN(control_, find_control_tokens(*tokenizer_));
  if (!options.dir.empty()) {
    if (const Status status = check_chat_template(options.dir); !status.ok()) warnings_.push_back(status.message());
  }
  return check_agreement(options.dir, *tokenizer_, control_, config_);
}

Status Model::open_devices() {
  const int count = options_.tensor_parallel;
  if (count > 1 && !options_.open_device) {
    GLYPH_ASSIGN_OR_RETURN(const std::vector<GpuInfo> gpus, list_gpus());
    if (options_.first_gpu + count > std::ssize(gpus)) {
      return not_found(fmt::format("a model on {} GPUs needs as many; the driver shows {}", count, gpus.size()));
    }
  }
  const DeviceChoice choice = count > 1 ? DeviceChoice::kCuda : options_.device;
  std::vector<Device*> pointers;
  for (int i = 0; i < count; ++i) {
    const DeviceOptions one{.choice = choice, .num_threads = options_.num_threads, .gpu = options_.first_gpu + i};
    GLYPH_ASSIGN_OR_RETURN(std::unique_ptr<Device> device, options_.open_device ? options_.open_device() : open_device(one));
    devices_.push_back(std::move(device));
    pointers.push_back(devices_.back().get());
  }
  GLYPH_ASSIGN_OR_RETURN(group_, DeviceGroup::open(std::move(pointers)));
  return {};
}

Status Model::read_weights() {
  GLYPH_RETURN_IF_ERROR(check_shares(config_.text, options_.tensor_parallel));
  GLYPH_RETURN_IF_ERROR(open_devices());
  GLYPH_ASSIGN_OR_RETURN(VisionModel vision,
                         VisionModel::load(*group_, config_, preprocessor_, checkpoint_, {.precision = options_.precision}));
  vision_ = on_heap(std::move(vision));
  const LanguageOptions of_language{.precision = options_.precision, .as_on_gpu = options_.as_on_gpu, .kv_precision = options_.kv_precision};
  GLYPH_ASSIGN_OR_RETURN(LanguageModel language, LanguageModel::load(*group_, config_, checkpoint_, of_language));
  language_ = on_heap(std::move(language));
  page_batches_ = std::make_unique<PageBatches>(device().kind(), group_->size());
  kv_blocks_ = std::make_unique<KvBlockPool>(group_->devices(), language_->kv_layout());
  return {};
}

void Model::use(const Plan& plan) {
  GLYPH_CHECK(group_->size() == 1);  // plans are for one device
  plan_ = plan;
  if (device().kind() == DeviceKind::kCuda) ops::cuda::set_matrix_choices(device(), plan.products);
  vision_->forget_compiled();
  const VisionConfig& vision = config_.vision;
  for (const PlannedPass& pass : plan.passes) {
    if (pass.recorded) vision_->compile(pass.shape, pass.num_pages);
    const int64_t patches = pass.shape.grid.num_patches();
    ops::choose_page_attention(device(), {pass.num_pages, patches, vision.num_heads, vision.head_dim()}, pass.attention);
  }
  page_batches_ = std::make_unique<PageBatches>(device().kind(), plan);
  if (plan.chunk_tokens() > 0) language_->set_chunk_tokens(plan.chunk_tokens());
}

}  // namespace glyph
