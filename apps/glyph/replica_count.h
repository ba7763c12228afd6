// How many copies of a model there are to be: what the user chose, and what the GPUs have room for.
#pragma once

#include <cstdint>
#include <vector>

#include "glyph/status.h"
#include "settings.h"

namespace glyph {

constexpr int64_t kAllReplicas = 0;  // as many as there is room for

// --replicas, or 1. kUsage: neither a number from 1 to 64 nor "all".
Result<int64_t> wanted_replicas(const Settings& settings);

struct GpuRoom {
  std::vector<bool> usable;  // of each GPU that the driver shows
  int64_t first_gpu = 0;     // of the first replica
  int64_t gpus_each = 1;     // of a replica, one after another
};
// The first GPU of each replica that `wanted` comes to, at least one. Those that cannot be used are left out. kNotFound: there are fewer GPUs.
Result<std::vector<int>> replicas_on_gpus(int64_t wanted, const GpuRoom& room);

}  // namespace glyph
