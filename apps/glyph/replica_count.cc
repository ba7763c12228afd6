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

Result<std::vector<int>> replicas_on_gpus(int64_t wanted, const GpuRoom& room) {
  const int64_t num_gpus = std::ssize(room.usable), most = wanted == kAllReplicas ? num_gpus : wanted;
  std::vector<int> firsts;
  for (int64_t gpu = room.first_gpu; gpu + room.gpus_each <= num_gpus && std::ssize(firsts) < most;) {
    const auto begin = room.usable.begin() + gpu;
    const bool usable = std::all_of(begin, begin + room.gpus_each, [](bool one) { return one; });
    if (usable) firsts.push_back(static_cast<int>(gpu));
    gpu += usable ? room.gpus_each : 1;
  }
  const int64_t count = wanted == kAllReplicas ? std::max<int64_t>(1, std::ssize(firsts)) : wanted;
  if (std::ssize(firsts) == count) return firsts;
  const auto unusable = std::count(room.usable.begin(), room.usable.end(), false);
  return not_found(fmt::format("replicas: {}, each on {} of its own from GPU {} on, need {} of the driver's GPUs, which are {}{}", count,
                               room.gpus_each == 1 ? "a GPU" : fmt::format("{} GPUs", room.gpus_each), room.first_gpu,
                               room.first_gpu + count * room.gpus_each, num_gpus,
                               unusable == 0 ? "" : fmt::format(", {} of them too old", unusable)));
}

}  // namespace glyph
