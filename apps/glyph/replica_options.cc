#include "replica_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <thread>
#include <utility>

#include "ask_options.h"
#include "replica_count.h"
#include "tensor/cuda_backend.h"

namespace glyph {
namespace {

std::vector<ModelOptions> on_gpus(ModelOptions model, std::span<const int> firsts) {
  model.device = DeviceChoice::kCuda;  // none of them is to fall back on the processor
  std::vector<ModelOptions> replicas;
  for (const int first : firsts) {
    model.first_gpu = first;
    replicas.push_back(model);
  }
  return replicas;
}

std::vector<ModelOptions> on_processor(ModelOptions model, int64_t count) {
  if (model.num_threads == 0) model.num_threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency() / count));
  return std::vector(static_cast<size_t>(count), model);
}

}  // namespace

Result<std::vector<ModelOptions>> replica_options(const Settings& settings) {
  GLYPH_ASSIGN_OR_RETURN(const ModelOptions model, model_options(settings));
  GLYPH_ASSIGN_OR_RETURN(const int64_t wanted, wanted_replicas(settings));
  if (wanted == 1) return std::vector{model};
  if (model.device == DeviceChoice::kCpu) {
    if (wanted == kAllReplicas) return usage_error("replicas: all counts GPUs; say how many on the device cpu");
    return on_processor(model, wanted);
  }
  const Result<std::vector<GpuInfo>> gpus = list_gpus();
  std::vector<bool> usable;
  if (gpus.ok()) std::ranges::transform(*gpus, std::back_inserter(usable), [](const GpuInfo& gpu) { return gpu.architecture >= kLeastGpuArchitecture; });
  if (model.device == DeviceChoice::kAuto && std::ranges::count(usable, true) == 0) {
    return wanted == kAllReplicas ? std::vector{model} : on_processor(model, wanted);
  }
  if (!gpus.ok()) return gpus.status();
  GLYPH_ASSIGN_OR_RETURN(const std::vector<int> firsts, replicas_on_gpus(wanted, {std::move(usable), model.first_gpu, model.tensor_parallel}));
  return on_gpus(model, firsts);
}

Result<std::vector<std::unique_ptr<Engine>>> open_engines(std::span<const ModelOptions> models) {
  std::vector<std::unique_ptr<Engine>> engines;
  for (const ModelOptions& model : models) {
    GLYPH_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, open_engine(model));
    engines.push_back(std::move(engine));
  }
  return engines;
}

std::vector<Replica> replicas_of(std::span<const std::unique_ptr<Engine>> engines) {
  std::vector<Replica> replicas;
  for (const auto& engine : engines) {
    const std::string prefix = engines.size() == 1 ? "" : fmt::format("replica {}: ", replicas.size());
    replicas.push_back({&engine->model(), [raw = engine.get()] { return raw->reload(); }, prefix});
  }
  return replicas;
}

}  // namespace glyph
