#include "replica_count.h"

#include <fmt/format.h>

#include <algorithm>

namespace glyph {
namespace {

constexpr int64_t kMaxReplicas = 64;

}  // namespace

Result<int64_t> wanted_replicas(const Settings& settings) {
  if (settings.text("replicas") == "all") return kAllReplicas;
  const Result<int64_t> number = settings.integer("replicas", 1, 1, kMaxReplicas);
  return number.ok() ? number : usage_error(number.status().message() + ", nor all");
}

Result<int64_t> replicas_on_gpus(int64_t wanted, const GpuRoom& room) {
  const int64_t count = wanted == kAllReplicas ? std::max<int64_t>(1, (room.num_gpus - room.first_gpu) / room.gpus_each) : wanted;
  if (room.first_gpu + count * room.gpus_each <= room.num_gpus) return count;
  return not_found(fmt::format("replicas: {}, each on {} of its own from GPU {} on, need {} of the driver's GPUs, which are {}", count,
                               room.gpus_each == 1 ? "a GPU" : fmt::format("{} GPUs", room.gpus_each), room.first_gpu,
                               room.first_gpu + count * room.gpus_each, room.num_gpus));
}

}  // namespace glyph
