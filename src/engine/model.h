// Model: everything of one model directory, loaded and agreed with itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glyph/status.h"
#include "language/language_model.h"
#include "ops/weight.h"
#include "parallel/device_group.h"
#include "plan/page_batches.h"
#include "tensor/open_device.h"
#include "tokenize/prompt.h"
#include "tokenize/tokenizer.h"
#include "vision/vision_model.h"
#include "weights/config.h"
#include "weights/safetensors.h"

namespace glyph {

struct ModelOptions {
  std::filesystem::path dir;
  // Weights made from this seed instead of files, for measurements. `dir` then needs config.json only, or is empty: the 9B's size.
  std::optional<uint64_t> random_seed = {};
  DeviceChoice device = DeviceChoice::kAuto;
  int num_threads = 0;                     // of the processor; 0: one a core
  Precision precision = Precision::kAuto;  // of the matrix products
  KvPrecision kv_precision = KvPrecision::kAuto;
  int tensor_parallel = 1;                 // GPUs that compute together
  int first_gpu = 0;                       // of these, in the driver's order
  std::filesystem::path plan = {};         // Engine::open(): use_plan() in engine/compile.h
  bool use_plan = true;
  bool as_on_gpu = false;                  // LanguageOptions::as_on_gpu
  std::function<Result<std::unique_ptr<Device>>()> open_device = {};  // instead of `device`, for tests; called for each
};

// Immutable after loading and use(), but its vision and language models compute for one thread at a time.
class Model {
 public:
  // kNotFound or kRefused naming the file that is missing or wrong, tensor, key or token included; kNotFound when a GPU
  // is asked for and there is none, or fewer than asked for, or no NCCL for several; kExhausted when its memory is too small.
  static Result<std::unique_ptr<Model>> load(const ModelOptions& options);

  // Drops the device and all that computes on it, then opens one of the same kind anew and uses the plan again: after the device was lost.
  // Nobody computes meanwhile, and nothing that lies on the device is left. kInternal: there is none, or another one; then only a later
  // reload() may follow.
  Status reload();

  // From now on passes over pages and chunks of prompts are cut as the plan says.
  void use(const Plan& plan);
  VisionModel& vision_to_plan() { return *vision_; }  // for timing the choices of a plan

  const std::string& name() const { return name_; }  // of the folder
  const ModelConfig& config() const { return config_; }
  const GenerationConfig& generation() const { return generation_; }
  const PreprocessorConfig& preprocessor() const { return preprocessor_; }
  const Checkpoint& checkpoint() const { return checkpoint_; }
  Device& device() const { return group_->device(); }  // the first
  const DeviceGroup& group() const { return *group_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const ControlTokens& control() const { return control_; }
  const VisionModel& vision() const { return *vision_; }
  const LanguageModel& language() const { return *language_; }
  const PageBatches& page_batches() const { return *page_batches_; }
  KvBlockPool& kv_blocks() const { return *kv_blocks_; }
  // What is odd about the directory and does not stop it: a chat template that differs from the published one.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  Model() = default;
  Status read_configs(const ModelOptions& options);
  Status read_tokenizer(const ModelOptions& options);
  Status open_devices();
  Status read_weights();
  void drop_devices();

  ModelOptions options_;
  std::string name_;
  ModelConfig config_;
  GenerationConfig generation_;
  PreprocessorConfig preprocessor_;
  Checkpoint checkpoint_;
  std::optional<Plan> plan_;
  std::string device_description_;
  std::vector<std::unique_ptr<Device>> devices_;  // outlive what computes on them
  std::unique_ptr<DeviceGroup> group_;            // likewise
  std::unique_ptr<Tokenizer> tokenizer_;
  ControlTokens control_;
  std::unique_ptr<VisionModel> vision_;
  std::unique_ptr<LanguageModel> language_;
  std::unique_ptr<PageBatches> page_batches_;
  std::unique_ptr<KvBlockPool> kv_blocks_;
  std::vector<std::string> warnings_;
};

}  // namespace glyph
