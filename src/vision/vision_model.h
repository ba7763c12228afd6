// VisionModel: one page in, its features out. Reference: Glm4vVisionModel.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "glyph/document.h"
#include "glyph/status.h"
#include "ops/weight.h"
#include "parallel/device_group.h"
#include "tensor/stage_observer.h"
#include "vision/page_batch.h"
#include "vision/page_features.h"
#include "vision/preprocess.h"
#include "weights/config.h"
#include "weights/safetensors.h"

namespace glyph {

struct VisionOptions {
  Precision precision = Precision::kAuto;
};

// One forward pass at a time: encode() is called by one thread at a time.
class VisionModel {
 public:
  // The checkpoint must outlive the model: weights are used where they lie in the file whenever their type
  // allows. kRefused when a tensor is missing or has another shape.
  static Result<VisionModel> load(Device& device, const ModelConfig& config,
                                  const PreprocessorConfig& preprocessor, const Checkpoint& checkpoint,
                                  const VisionOptions& options = {});
  // Every device of the group, which must outlive the model, has all of the weights and encodes its share of the pages of a pass; the
  // features go to the first. That beats splitting every page by heads: of ten A4 pages at 72 dpi (25,200 patches) two H200 would
  // exchange 48 sums of 77 MB in bf16, 3.7 GB or about 11 ms beside 33 ms of work, while the features of half of the pages are 26 MB or
  // 0.1 ms; weights are 2 GB more on each. One large page stays on the first device.
  static Result<VisionModel> load(DeviceGroup& group, const ModelConfig& config, const PreprocessorConfig& preprocessor,
                                  const Checkpoint& checkpoint, const VisionOptions& options = {});
  VisionModel(VisionModel&&) noexcept;
  VisionModel& operator=(VisionModel&&) noexcept;
  ~VisionModel();

  // Features (tokens, out_hidden_size), one per patch_size * merge_size pixels square. kRefused as
  // make_patches; kCancelled when `stop` is requested, which is looked at before each block; the device's errors
  // (Device::take_status). `between_blocks` is called before each block but the first; it may use other models of
  // the device.
  Result<PageFeatures> encode(const Image& page, std::stop_token stop = {},
                              const std::function<void()>& between_blocks = {}) const;
  Result<PageFeatures> encode(const Patches& patches, std::stop_token stop = {}) const;
  // Several pages in one pass: the same features, sooner on a device that one page does not fill, and on several. A pass that was compiled
  // has no pauses, nor has one that several devices share.
  Result<std::vector<PageFeatures>> encode(std::span<const Patches> pages, std::stop_token stop = {},
                                           const std::function<void()>& between_blocks = {}) const;

  // From now on a pass over `num_pages` pages of this shape is recorded by a device that can record, when it comes for the
  // second time, and later repeated as a whole: then nothing happens between its blocks.
  void compile(const PageShape& shape, int64_t num_pages);
  void forget_compiled();

  // Stages "patch_embed", "position", "block.0" ..., "post_norm", "downsample", "merger".
  void observe(StageObserver observer);
  DType compute_type() const;
  DType weight_type() const;  // of its matrices
  const PreprocessorConfig& preprocessor() const;
  size_t workspace_bytes() const;  // held for intermediate tensors after the largest page so far

 private:
  struct Impl;
  VisionModel();
  Result<std::vector<PageFeatures>> encode_shared(std::span<const Patches> pages, const std::stop_token& stop) const;
  Status collect(int rank, std::span<const Patches> pages, std::vector<PageFeatures> mine, std::vector<PageFeatures>& all) const;

  DeviceGroup* group_ = nullptr;  // null: one device
  std::vector<std::unique_ptr<Impl>> ranks_;
};

}  // namespace glyph
