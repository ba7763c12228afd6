#include "machine.h"

#include <dlfcn.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>
#include <string_view>

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

// The few calls of the CUDA driver library that list devices; it is opened by name, so that nothing depends on it.
class CudaDriver {
 public:
  CudaDriver() : library_(::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL)) {}
  ~CudaDriver() {
    if (library_ != nullptr) ::dlclose(library_);
  }
  CudaDriver(const CudaDriver&) = delete;
  CudaDriver& operator=(const CudaDriver&) = delete;

  void describe(GpuState& state) const {
    const auto init = function<int(unsigned)>("cuInit");
    const auto version = function<int(int*)>("cuDriverGetVersion");
    const auto count_of = function<int(int*)>("cuDeviceGetCount");
    const auto name_of = function<int(char*, int, int)>("cuDeviceGetName");
    if (version != nullptr) version(&state.cuda_version);
    int count = 0;
    if (init == nullptr || count_of == nullptr || name_of == nullptr || init(0) != 0 || count_of(&count) != 0) return;
    for (int device = 0; device < count; ++device) {
      char name[256] = "";
      if (name_of(name, sizeof(name), device) == 0) state.names.emplace_back(name);
    }
  }

 private:
  template <typename Signature>
  Signature* function(const char* name) const {
    return library_ == nullptr ? nullptr : reinterpret_cast<Signature*>(::dlsym(library_, name));
  }

  void* library_;
};

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
  CudaDriver().describe(state);
  return state;
}

}  // namespace glyph
