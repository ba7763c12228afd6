#include "memory_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/log.h"
#include "machine.h"
#include "tensor/cuda_backend.h"
#include "weights/stand_in.h"

namespace glyph {
namespace {

constexpr uint64_t kLeastKv = uint64_t{256} << 20, kLeastFeatures = uint64_t{64} << 20;
constexpr uint64_t kLeastHostKv = uint64_t{32} << 20, kLeastHostFeatures = uint64_t{8} << 20;
constexpr double kGroupScale = 2.0 / 64;  // bytes of a bf16 scale for 64 weights
constexpr int64_t kHostChunk = 512;       // LanguageModel::chunk_tokens() on a host device
constexpr int64_t kA4Patches = 2520;      // at 72 dpi

double weight_bytes(Precision precision) {
  switch (precision) {
    case Precision::kF32: return 4;
    case Precision::kFp8: return 1;
    case Precision::kInt8: return 1 + kGroupScale;
    case Precision::kInt4: return 0.5 + kGroupScale;
    default: return 2;
  }
}

// Of an element, with its share of the scale of a head.
double fp8_kv_bytes(const ModelConfig& config) {
  return 1 + static_cast<double>(sizeof(float)) / static_cast<double>(config.text.head_dim());
}

Status read_configs(const ModelOptions& options, Placement& placement) {
  if (options.random_seed && options.dir.empty()) {
    placement.config = stand_in_config();
    placement.preprocessor = stand_in_preprocessor(placement.config);
    return {};
  }
  GLYPH_ASSIGN_OR_RETURN(placement.config, load_model_config(options.dir));
  GLYPH_ASSIGN_OR_RETURN(placement.preprocessor, load_preprocessor_config(options.dir, placement.config));
  return {};
}

FreeMemory of_gpus(std::span<const GpuInfo> all, size_t first, size_t count) {
  const auto gpus = all.subspan(first, count);
  FreeMemory memory{.device = gpus.front().name, .bytes = gpus.front().free_bytes, .gpu = true};
  for (const GpuInfo& gpu : gpus) memory.bytes = std::min(memory.bytes, gpu.free_bytes);
  if (count > 1) memory.device = fmt::format("each of {} {} from GPU {} on", count, memory.device, first);
  else if (all.size() > 1) memory.device = fmt::format("GPU {} ({})", first, memory.device);
  return memory;
}

}  // namespace

Budgets least_budgets() { return {.kv_bytes = kLeastKv, .feature_bytes = kLeastFeatures}; }

Result<FreeMemory> free_memory(const ModelOptions& options) {
  if (options.device != DeviceChoice::kCpu) {
    const Result<std::vector<GpuInfo>> gpus = list_gpus();
    const auto first = static_cast<size_t>(options.first_gpu), count = static_cast<size_t>(options.tensor_parallel);
    if (gpus.ok() && gpus->size() >= first + count) return of_gpus(*gpus, first, count);
    if (gpus.ok() && count > 1) return not_found(fmt::format("a model on {} GPUs from GPU {} on needs as many; the driver shows {}", count, first, gpus->size()));
    if (options.device == DeviceChoice::kCuda) {
      return gpus.ok() ? not_found(fmt::format("there is no GPU {}; the driver shows {}", first, gpus->size())) : gpus.status();
    }
  }
  return FreeMemory{.device = "this machine", .bytes = memory_state().available_bytes, .gpu = false};
}

Result<Placement> place(const ModelOptions& options, const Budgets& budgets) {
  Placement placement;
  GLYPH_ASSIGN_OR_RETURN(placement.memory, free_memory(options));
  GLYPH_RETURN_IF_ERROR(read_configs(options, placement));
  MemoryNeeds& needs = placement.needs;
  const bool wide = options.precision == Precision::kF32 || (!placement.memory.gpu && options.precision == Precision::kAuto);
  needs.weight_bytes = wide ? 4 : weight_bytes(options.precision);
  needs.activation_bytes = needs.kv_bytes = wide ? 4 : 2;
  if (options.kv_precision == KvPrecision::kFp8) needs.kv_bytes = fp8_kv_bytes(placement.config);
  needs.num_devices = options.tensor_parallel;
  needs.kv_budget = budgets.kv_bytes;
  needs.feature_budget = budgets.feature_bytes;
  if (!placement.memory.gpu) {
    needs.weights_in_file = !options.random_seed;
    needs.library_bytes = 0;
    needs.chunk_rows = kHostChunk;
    needs.page_patches = kA4Patches;
  }
  return placement;
}

Status check_fits(const Placement& placement) { return check_memory(placement.plan(), placement.memory.bytes, placement.memory.device); }

Status check_fits(const ModelOptions& options) {
  GLYPH_ASSIGN_OR_RETURN(Placement placement, place(options, least_budgets()));
  if (!placement.memory.gpu) {
    placement.needs.kv_budget = kLeastHostKv;
    placement.needs.feature_budget = kLeastHostFeatures;
  }
  return check_fits(placement);
}

Status shrink_to_fit(Placement placement, Budgets& budgets) {
  if (!placement.memory.gpu || check_fits(placement).ok()) return {};
  const MemoryNeeds fitted = fit_budgets(placement.config, placement.preprocessor, placement.needs, placement.memory.bytes, kLeastKv);
  if (fitted.kv_budget == 0) {
    placement.needs.kv_budget = kLeastKv;
    placement.needs.feature_budget = 0;
    return check_fits(placement);
  }
  log_warning("{} has {} free: KV takes {} of it instead of {}, features {} instead of {}", placement.memory.device,
              size_text(placement.memory.bytes), size_text(fitted.kv_budget), size_text(budgets.kv_bytes), size_text(fitted.feature_budget),
              size_text(budgets.feature_bytes));
  budgets = {.kv_bytes = fitted.kv_budget, .feature_bytes = fitted.feature_budget};
  return {};
}

}  // namespace glyph
