#include "gpu_libraries.h"

#include <dlfcn.h>

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

// Milliwatts, of NVML. Its order of devices is that of the bus, which is libcuda's unless CUDA_DEVICE_ORDER or CUDA_VISIBLE_DEVICES say
// otherwise; the limits are then taken only when both count the same.
void read_power_limits(GpuState& state) {
  const Library nvml("libnvidia-ml.so.1");
  using Device = void*;
  const auto init = nvml.function<int()>("nvmlInit_v2");
  const auto shut_down = nvml.function<int()>("nvmlShutdown");
  const auto count_of = nvml.function<int(unsigned*)>("nvmlDeviceGetCount_v2");
  const auto device_at = nvml.function<int(unsigned, Device*)>("nvmlDeviceGetHandleByIndex_v2");
  const auto limit_of = nvml.function<int(Device, unsigned*)>("nvmlDeviceGetPowerManagementLimit");
  const auto default_of = nvml.function<int(Device, unsigned*)>("nvmlDeviceGetPowerManagementDefaultLimit");
  if (init == nullptr || shut_down == nullptr || count_of == nullptr || device_at == nullptr || limit_of == nullptr || default_of == nullptr) return;
  if (init() != 0) return;
  unsigned count = 0;
  if (count_of(&count) == 0 && count == state.devices.size()) {
    for (unsigned i = 0; i < count; ++i) {
      Device device = nullptr;
      unsigned limit_mw = 0, default_mw = 0;
      if (device_at(i, &device) != 0 || limit_of(device, &limit_mw) != 0 || default_of(device, &default_mw) != 0) continue;
      state.devices[i].power_limit_w = limit_mw / 1000;
      state.devices[i].default_power_limit_w = default_mw / 1000;
    }
  }
  shut_down();
}

}  // namespace

void describe_gpus(GpuState& state) {
  list_devices(state);
  if (!state.devices.empty()) read_power_limits(state);
}

}  // namespace glyph
