// How many copies of a model there are to be: what the user chose, and what the GPUs have room for.
#pragma once

#include <cstdint>

#include "glyph/status.h"
#include "settings.h"

namespace glyph {

constexpr int64_t kAllReplicas = 0;  // as many as there is room for

// --replicas, or 1. kUsage: neither a number from 1 to 64 nor "all".
Result<int64_t> wanted_replicas(const Settings& settings);

struct GpuRoom {
  int64_t num_gpus = 0;   // that the driver shows
  int64_t first_gpu = 0;  // of the first replica
  int64_t gpus_each = 1;  // of a replica
};
// What `wanted` comes to, at least 1. kNotFound: there are fewer GPUs.
Result<int64_t> replicas_on_gpus(int64_t wanted, const GpuRoom& room);

}  // namespace glyph
