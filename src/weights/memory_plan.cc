#include "weights/memory_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "weights/model_cost.h"

namespace glyph {
namespace {

constexpr double kFloat = 4;                              // bytes
constexpr double kQuantisedHead = 1 + 2.0 / 64;           // 8 bits and a scale of 64 (WeightLoader::head)
constexpr double kMargin = 1.1;                           // of the workspace: rounding, and pieces that wait to be used again

double real(int64_t value) { return static_cast<double>(value); }

// Bytes that one pass of the vision model holds at its widest. Reference: VisionModel::Impl.
double vision_workspace(const ModelConfig& config, int64_t patches, double activation) {
  const VisionConfig& v = config.vision;
  const double rows = real(patches), tokens = rows / real(v.spatial_merge_size * v.spatial_merge_size);
  const double always = rows * kFloat * real(v.hidden_size + v.head_dim());  // x; cos and sin
  const double embed = rows * kFloat * real(3 * v.patch_size * v.patch_size);
  const double block = rows * activation * real(5 * v.hidden_size + 3 * v.out_hidden_size);  // normed, qkv, attended; SwiGLU and its inputs
  const double merger = rows * activation * real(v.hidden_size) +
                        tokens * (kFloat * real(v.out_hidden_size) + activation * real(3 * v.out_hidden_size + 3 * v.intermediate_size));
  return always + std::max({embed, block, merger});
}

// Bytes that one pass of the language model holds. Reference: LanguageModel::Impl.
double language_workspace(const ModelConfig& config, int64_t rows, double activation, int num_devices) {
  const TextConfig& t = config.text;
  const double qkv = real(t.hidden_size + 2 * t.num_kv_heads * t.head_dim());
  const double shared = (real(t.hidden_size + 3 * t.intermediate_size) + qkv) / num_devices;
  const double of_a_row = kFloat * real(2 * t.hidden_size + t.rotary_dim()) + activation * (real(t.hidden_size) + shared);
  return real(rows) * of_a_row;
}

// Keys and values of one layer, as long as a sequence can be, in the type that is computed with, rounded up to a power of two; what earlier
// chunks of a prompt had stays and is as much together. Reference: ops/cuda/attention_widen.cu.
double wide_kv(const ModelConfig& config, const MemoryNeeds& needs, double kv_heads, uint64_t kv_token_bytes) {
  if (needs.kv_bytes >= needs.activation_bytes) return 0;
  const TextConfig& t = config.text;
  const double room = static_cast<double>(needs.kv_budget) / static_cast<double>(std::max<uint64_t>(1, kv_token_bytes));
  const auto tokens = std::bit_ceil(static_cast<uint64_t>(std::min(real(t.max_position_embeddings), room)));
  return 2 * real(static_cast<int64_t>(tokens)) * 2 * kv_heads * real(t.head_dim()) * needs.activation_bytes;
}

uint64_t whole(double bytes) { return static_cast<uint64_t>(bytes); }

}  // namespace

uint64_t MemoryPlan::bytes_of(const std::string& what) const {
  for (const Part& part : parts) {
    if (part.what == what) return part.bytes;
  }
  return 0;
}

uint64_t MemoryPlan::total_bytes() const {
  uint64_t sum = 0;
  for (const Part& part : parts) sum += part.bytes;
  return sum;
}

std::string MemoryPlan::text() const {
  std::string list;
  for (const Part& part : parts) {
    if (part.bytes > 0) list += fmt::format("{} {}, ", part.what, size_text(part.bytes));
  }
  return fmt::format("{}{} together", list, size_text(total_bytes()));
}

MemoryPlan plan_memory(const ModelConfig& config, const PreprocessorConfig& preprocessor, const MemoryNeeds& needs) {
  const WeightCounts counts = weight_counts(config);
  const TextConfig& t = config.text;
  const int64_t head = config.tie_word_embeddings ? 0 : t.vocab_size * t.hidden_size, layers = decode_reads(config, 0).layers;
  const double head_bytes = needs.weight_bytes < needs.activation_bytes ? kQuantisedHead : needs.activation_bytes;
  const double ends = real(counts.token_table) * needs.activation_bytes + real(head) * head_bytes / needs.num_devices;
  const double matrices = real(counts.matrices - head - layers) + real(layers) / needs.num_devices;
  const double kv_heads = std::max(1.0, real(t.num_kv_heads) / needs.num_devices);
  MemoryPlan plan;
  plan.page_patches = static_cast<uint64_t>(needs.page_patches > 0 ? needs.page_patches
                                                                   : preprocessor.max_pixels / preprocessor.temporal_patch_size /
                                                                         (preprocessor.patch_size * preprocessor.patch_size));
  plan.kv_token_bytes = whole(real(2 * t.num_layers * t.head_dim()) * kv_heads * needs.kv_bytes);
  const double weights = matrices * needs.weight_bytes + ends;
  // Each model keeps what its widest pass took (tensor/workspace.h).
  const double workspace = vision_workspace(config, static_cast<int64_t>(plan.page_patches), needs.activation_bytes) +
                           language_workspace(config, needs.chunk_rows, needs.activation_bytes, needs.num_devices) +
                           real(needs.decode_rows * t.vocab_size) * kFloat + wide_kv(config, needs, kv_heads, plan.kv_token_bytes);
  plan.parts = {{"weights", needs.weights_in_file ? 0 : whole(weights + real(counts.others) * kFloat)},
                {"workspace", whole(workspace * kMargin)},
                {"KV", needs.kv_budget},
                {"features", needs.feature_budget},
                {"libraries", needs.library_bytes}};
  return plan;
}

Status check_memory(const MemoryPlan& plan, uint64_t free_bytes, const std::string& device) {
  if (plan.total_bytes() <= free_bytes) return {};
  const uint64_t fixed = plan.total_bytes() - plan.bytes_of("KV") - plan.bytes_of("features");
  std::string advice = "choose a smaller --precision or another device";
  if (fixed < free_bytes) {
    advice = fmt::format("{} are left for KV and features, {} tokens of KV at most: lower --kv-mib, --cache-kv-mib or --cache-features-mib",
                         size_text(free_bytes - fixed), (free_bytes - fixed) / std::max<uint64_t>(1, plan.kv_token_bytes));
  }
  return exhausted(fmt::format("{} has {} free, {} too few for {}; {}", device, size_text(free_bytes),
                               size_text(plan.total_bytes() - free_bytes), plan.text(), advice));
}

MemoryNeeds fit_budgets(const ModelConfig& config, const PreprocessorConfig& preprocessor, MemoryNeeds needs, uint64_t free_bytes,
                        uint64_t least_kv) {
  const uint64_t wanted = needs.kv_budget + needs.feature_budget;
  const uint64_t fixed = plan_memory(config, preprocessor, needs).total_bytes() - wanted;
  const uint64_t left = free_bytes > fixed ? free_bytes - fixed : 0;
  if (left >= wanted) return needs;
  const double share = wanted == 0 ? 0 : static_cast<double>(left) / static_cast<double>(wanted);
  const uint64_t kv = whole(static_cast<double>(needs.kv_budget) * share);
  needs.feature_budget = kv < least_kv ? 0 : whole(static_cast<double>(needs.feature_budget) * share);
  needs.kv_budget = kv < least_kv ? 0 : kv;
  return needs;
}

std::string size_text(uint64_t bytes) {
  constexpr double kMib = 1024.0 * 1024.0;
  const double mib = static_cast<double>(bytes) / kMib;
  return mib >= 1024 ? fmt::format("{:.1f} GiB", mib / 1024) : fmt::format("{:.0f} MiB", mib);
}

}  // namespace glyph
