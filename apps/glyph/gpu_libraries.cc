#include "gpu_libraries.h"

#include <dlfcn.h>

#include <vector>

#include "tensor/gpu_health.h"

namespace glyph {
namespace {

class Library {
 public:
  explicit Library(const char* name) : handle_(::dlopen(name, RTLD_NOW | RTLD_LOCAL)) {}
  ~Library() {
    if (handle_ != nullptr) ::dlclose(handle_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  template <typename Signature>
  Signature* function(const char* name) const {
    return handle_ == nullptr ? nullptr : reinterpret_cast<Signature*>(::dlsym(handle_, name));
  }

 private:
  void* handle_;
};

// Names and version, of the CUDA driver API.
void list_devices(GpuState& state) {
  const Library cuda("libcuda.so.1");
  const auto init = cuda.function<int(unsigned)>("cuInit");
  const auto version = cuda.function<int(int*)>("cuDriverGetVersion");
  const auto count_of = cuda.function<int(int*)>("cuDeviceGetCount");
  const auto name_of = cuda.function<int(char*, int, int)>("cuDeviceGetName");
  if (version != nullptr) version(&state.cuda_version);
  int count = 0;
  if (init == nullptr || count_of == nullptr || name_of == nullptr || init(0) != 0 || count_of(&count) != 0) return;
  for (int device = 0; device < count; ++device) {
    char name[256] = "";
    if (name_of(name, sizeof(name), device) == 0) state.devices.push_back({name, 0, 0});
  }
}

// NVML's order of devices is that of the bus, which is libcuda's unless CUDA_DEVICE_ORDER or CUDA_VISIBLE_DEVICES say otherwise; the
// limits are then taken only when both count the same.
void read_power_limits(GpuState& state) {
  const auto nvml = Nvml::open();
  if (!nvml.ok()) return;
  const std::vector<GpuHealth> gpus = (*nvml)->read();
  if (gpus.size() != state.devices.size()) return;
  for (size_t i = 0; i < gpus.size(); ++i) {
    state.devices[i].power_limit_w = static_cast<uint32_t>(gpus[i].power_limit_w.value_or(0));
    state.devices[i].default_power_limit_w = static_cast<uint32_t>(gpus[i].default_power_limit_w.value_or(0));
  }
}

}  // namespace

void describe_gpus(GpuState& state) {
  list_devices(state);
  if (!state.devices.empty()) read_power_limits(state);
}

}  // namespace glyph
