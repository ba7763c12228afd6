#include "machine.h"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string_view>

#include "gpu_libraries.h"

namespace glyph {
namespace {

// The value of the first "key : value" line of a file of the kernel, "" when there is none.
std::string kernel_value(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return {};
}

uint64_t kibibytes(const char* key) {
  uint64_t value = 0;
  std::istringstream(kernel_value("/proc/meminfo", key)) >> value;
  return value * 1024;
}

// The number in a file of the control group; nothing when the file says "max" or is not there.
std::optional<uint64_t> group_bytes(const char* path) {
  std::ifstream file(path);
  uint64_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

std::string driver_version() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  if (!std::getline(file, line)) return {};
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    if (word.find('.') != std::string::npos && word.find_first_not_of("0123456789.") == std::string::npos) return word;
  }
  return "unknown";
}

}  // namespace

std::string cpu_model() { return kernel_value("/proc/cpuinfo", "model name"); }

MemoryState memory_state() {
  MemoryState state{kibibytes("MemTotal"), kibibytes("MemAvailable")};
  const auto limit = group_bytes("/sys/fs/cgroup/memory.max");
  if (limit && *limit < state.total_bytes) {
    const uint64_t used = group_bytes("/sys/fs/cgroup/memory.current").value_or(0);
    state.total_bytes = *limit;
    state.available_bytes = std::min(state.available_bytes, *limit > used ? *limit - used : 0);
  }
  return state;
}

GpuState gpu_state() {
  GpuState state;
  state.driver = driver_version();
  describe_gpus(state);
  return state;
}

uint64_t raise_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlimit raised{limit.rlim_max, limit.rlim_max};
  return ::setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

}  // namespace glyph
