#include "schedule/cache_identity.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "base/log.h"
#include "cache/checksum.h"

namespace glyph {
namespace {

constexpr uint64_t kWholeBytes = uint64_t{256} << 20;  // read completely up to here
constexpr size_t kSampleBytes = 4096;
constexpr size_t kSamples = 16;  // of a tensor, over its whole length

uint64_t tensor_checksum(std::span<const uint8_t> bytes, bool whole) {
  if (whole || bytes.size() <= kSamples * kSampleBytes) return checksum64(bytes);
  uint64_t sums[kSamples];
  for (size_t i = 0; i < kSamples; ++i) {
    const size_t at = (bytes.size() - kSampleBytes) / (kSamples - 1) * i;
    sums[i] = checksum64(bytes.subspan(at, kSampleBytes));
  }
  return checksum64({reinterpret_cast<const uint8_t*>(sums), sizeof sums});
}

void add_weights(Sha256& hash, const Checkpoint& checkpoint) {
  hash.field(checkpoint.identity());
  const bool whole = checkpoint.num_bytes() <= kWholeBytes;
  for (const std::string& name : checkpoint.names()) {
    const auto tensor = checkpoint.tensor(name);
    if (tensor.ok()) hash.field(fmt::format("{} {:016x}", name, tensor_checksum(tensor->bytes, whole)));
  }
}

// What config.json and preprocessor_config.json decide beyond the shapes of the weights.
void add_configuration(Sha256& hash, const ModelConfig& config, const PreprocessorConfig& pixels) {
  const VisionConfig& vision = config.vision;
  const TextConfig& text = config.text;
  hash.field(fmt::format("{} {} {} {} {} {} {} {}", vision.num_heads, vision.image_size, vision.patch_size, vision.temporal_patch_size,
                         vision.spatial_merge_size, vision.attention_bias, vision.rms_norm_eps, vision.rope_theta));
  hash.field(fmt::format("{} {} {} {} {} {} {}", text.num_layers, text.num_heads, text.num_kv_heads, text.rms_norm_eps, text.rope_theta,
                         text.partial_rotary_factor, fmt::join(text.mrope_section, " ")));
  hash.field(fmt::format("{} {} {} {} {} {} {} {}", pixels.patch_size, pixels.temporal_patch_size, pixels.merge_size, pixels.min_pixels,
                         pixels.max_pixels, pixels.rescale_factor, fmt::join(pixels.image_mean, " "), fmt::join(pixels.image_std, " ")));
}

// How a conversation becomes tokens, by an example of every part.
void add_prompt(Sha256& hash, const Model& model) {
  const std::vector<Turn> turns{{Role::kSystem, {}, "Read on, 0123456789."},
                                {Role::kUser, {2, 1}, "What?\n\tna\u00EFve \u5317\u4EAC \U0001F642"},
                                {Role::kAssistant, {}, "(a) + [b] = {c};"},
                                {Role::kUser, {}, "HELLO  world"}};
  const auto prompt = build_prompt(model.tokenizer(), model.control(), turns);
  hash.field(prompt.ok() ? fmt::format("{}", fmt::join(prompt->ids, " ")) : prompt.status().message());
}

}  // namespace

Digest cache_identity(const Model& model) {
  Sha256 hash;
  hash.field(GLYPH_VERSION);
  add_weights(hash, model.checkpoint());
  add_configuration(hash, model.config(), model.preprocessor());
  add_prompt(hash, model);
  const KvLayout layout = model.language().kv_layout();
  hash.field(fmt::format("{} {} {} {} {}", layout.num_layers, layout.num_kv_heads, layout.head_dim, layout.block_tokens, name_of(layout.dtype)));
  if (layout.num_ranks > 1) hash.field(fmt::format("{} devices", layout.num_ranks));
  hash.field(fmt::format("{} {}", name_of(model.vision().compute_type()), name_of(model.language().compute_type())));
  hash.field(fmt::format("{} {}", name_of(model.vision().weight_type()), name_of(model.language().weight_type())));
  hash.field(model.device().description());
  return hash.finish();
}

DiskTierPtr open_disk(const Model& model, const std::filesystem::path& dir, uint64_t max_bytes) {
  if (dir.empty() || max_bytes == 0) return nullptr;
  Result<std::unique_ptr<DiskTier>> disk = DiskTier::open({dir, max_bytes, cache_identity(model)});
  if (disk.ok()) return *std::move(disk);
  log_warning("nothing is cached on disk: {}", disk.status().message());
  return nullptr;
}

}  // namespace glyph
