#include "tensor/gpu_health.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <mutex>

#include "tensor/cuda_backend.h"

namespace glyph {
namespace {

// Reference: nvml.h.
constexpr uint64_t kPowerCap = 0x4;
constexpr std::array kSlowReasons{
    SlowReason{0x1, "idle", false},          SlowReason{0x2, "application_clocks", false}, SlowReason{kPowerCap, "power_cap", false},
    SlowReason{0x8, "hw_slowdown", true},    SlowReason{0x10, "sync_boost", false},        SlowReason{0x20, "sw_thermal", true},
    SlowReason{0x40, "hw_thermal", true},    SlowReason{0x80, "hw_power_brake", true},     SlowReason{0x100, "display_clocks", false}};
constexpr unsigned kGpuTemperature = 0, kSmClock = 1, kMemoryClock = 2;
constexpr size_t kNameBytes = 96;

using Handle = void*;
template <typename... Arguments>
using Call = int(Arguments...);  // 0: success

struct Utilisation {
  unsigned gpu = 0, memory = 0;
};
struct MemoryInfo {
  unsigned long long total = 0, free = 0, used = 0;
};

struct Functions {
  Call<>* init = nullptr;
  Call<>* shut_down = nullptr;
  Call<unsigned*>* count = nullptr;
  Call<unsigned, Handle*>* by_index = nullptr;
  Call<const char*, Handle*>* by_bus_id = nullptr;
  Call<Handle, char*, unsigned>* name = nullptr;
  Call<Handle, char*, unsigned>* uuid = nullptr;
  Call<Handle, unsigned*>* power_mw = nullptr;
  Call<Handle, unsigned*>* power_limit_mw = nullptr;
  Call<Handle, unsigned*>* default_power_limit_mw = nullptr;
  Call<Handle, unsigned, unsigned*>* temperature = nullptr;
  Call<Handle, unsigned, unsigned*>* clock = nullptr;
  Call<Handle, unsigned, unsigned*>* max_clock = nullptr;
  Call<Handle, Utilisation*>* utilisation = nullptr;
  Call<Handle, MemoryInfo*>* memory = nullptr;
  Call<Handle, unsigned long long*>* slow_reasons = nullptr;
};

// The value that `call` writes, if there is such a function and it succeeds.
template <typename Value, typename Function, typename... Arguments>
std::optional<Value> asked(Function* call, Handle gpu, Arguments... arguments) {
  Value value{};
  if (call == nullptr || call(gpu, arguments..., &value) != 0) return std::nullopt;
  return value;
}

std::optional<double> watts(Call<Handle, unsigned*>* call, Handle gpu) {
  const auto milliwatts = asked<unsigned>(call, gpu);
  return milliwatts ? std::optional(*milliwatts / 1000.0) : std::nullopt;
}

std::string text_of(Call<Handle, char*, unsigned>* call, Handle gpu) {
  char text[kNameBytes] = "";
  return call != nullptr && call(gpu, text, sizeof(text) - 1) == 0 ? text : "";
}

class LoadedNvml : public Nvml {
 public:
  LoadedNvml(void* library, const Functions& call) : library_(library), call_(call) {}
  ~LoadedNvml() override {
    call_.shut_down();
    ::dlclose(library_);
  }
  LoadedNvml(const LoadedNvml&) = delete;
  LoadedNvml& operator=(const LoadedNvml&) = delete;

  std::vector<GpuHealth> read(std::span<const std::string> bus_ids) override {
    std::vector<GpuHealth> gpus;
    for (const Handle handle : handles(bus_ids)) gpus.push_back(health_of(handle));
    return gpus;
  }

 private:
  std::vector<Handle> handles(std::span<const std::string> bus_ids) const {
    std::vector<Handle> found;
    Handle handle = nullptr;
    if (!bus_ids.empty() && call_.by_bus_id != nullptr) {
      for (const std::string& id : bus_ids) {
        if (call_.by_bus_id(id.c_str(), &handle) == 0) found.push_back(handle);
      }
      return found;
    }
    unsigned count = 0;
    if (call_.count(&count) != 0) return found;
    for (unsigned i = 0; i < count; ++i) {
      if (call_.by_index(i, &handle) == 0) found.push_back(handle);
    }
    return found;
  }

  GpuHealth health_of(Handle gpu) const {
    GpuHealth health;
    health.name = text_of(call_.name, gpu);
    health.uuid = text_of(call_.uuid, gpu);
    health.power_w = watts(call_.power_mw, gpu);
    health.power_limit_w = watts(call_.power_limit_mw, gpu);
    health.default_power_limit_w = watts(call_.default_power_limit_mw, gpu);
    health.temperature_c = asked<unsigned>(call_.temperature, gpu, kGpuTemperature);
    health.sm_clock_mhz = asked<unsigned>(call_.clock, gpu, kSmClock);
    health.max_sm_clock_mhz = asked<unsigned>(call_.max_clock, gpu, kSmClock);
    health.memory_clock_mhz = asked<unsigned>(call_.clock, gpu, kMemoryClock);
    if (const auto busy = asked<Utilisation>(call_.utilisation, gpu)) health.busy_percent = busy->gpu;
    if (const auto memory = asked<MemoryInfo>(call_.memory, gpu)) {
      health.used_bytes = memory->used;
      health.total_bytes = memory->total;
    }
    health.slow_reasons = asked<unsigned long long>(call_.slow_reasons, gpu).value_or(0);
    return health;
  }

  void* library_;
  const Functions call_;
};

Functions functions_of(void* library) {
  Functions call;
  const auto find = [library](auto*& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
  };
  find(call.init, "nvmlInit_v2");
  find(call.shut_down, "nvmlShutdown");
  find(call.count, "nvmlDeviceGetCount_v2");
  find(call.by_index, "nvmlDeviceGetHandleByIndex_v2");
  find(call.by_bus_id, "nvmlDeviceGetHandleByPciBusId_v2");
  find(call.name, "nvmlDeviceGetName");
  find(call.uuid, "nvmlDeviceGetUUID");
  find(call.power_mw, "nvmlDeviceGetPowerUsage");
  find(call.power_limit_mw, "nvmlDeviceGetPowerManagementLimit");
  find(call.default_power_limit_mw, "nvmlDeviceGetPowerManagementDefaultLimit");
  find(call.temperature, "nvmlDeviceGetTemperature");
  find(call.clock, "nvmlDeviceGetClockInfo");
  find(call.max_clock, "nvmlDeviceGetMaxClockInfo");
  find(call.utilisation, "nvmlDeviceGetUtilizationRates");
  find(call.memory, "nvmlDeviceGetMemoryInfo");
  find(call.slow_reasons, "nvmlDeviceGetCurrentClocksEventReasons");
  if (call.slow_reasons == nullptr) find(call.slow_reasons, "nvmlDeviceGetCurrentClocksThrottleReasons");  // drivers before 535
  return call;
}

}  // namespace

std::span<const SlowReason> all_slow_reasons() { return kSlowReasons; }

std::string slow_warning(const GpuHealth& gpu) {
  std::string reasons;
  for (const SlowReason& reason : kSlowReasons) {
    const bool capped = reason.bit == kPowerCap && gpu.power_limit_w && gpu.default_power_limit_w && *gpu.power_limit_w < *gpu.default_power_limit_w;
    if ((gpu.slow_reasons & reason.bit) == 0 || !(reason.harmful || capped)) continue;
    reasons += (reasons.empty() ? "" : ", ") + std::string(reason.name);
  }
  if (reasons.empty()) return {};
  std::string text = fmt::format("{} is slowed down ({})", gpu.name, reasons);
  if (gpu.temperature_c) text += fmt::format(", {} degrees", *gpu.temperature_c);
  if (gpu.power_w && gpu.power_limit_w) text += fmt::format(", {:.0f} of {:.0f} W", *gpu.power_w, *gpu.power_limit_w);
  if (gpu.sm_clock_mhz && gpu.max_sm_clock_mhz) text += fmt::format(", {} of {} MHz", *gpu.sm_clock_mhz, *gpu.max_sm_clock_mhz);
  return text;
}

Result<std::unique_ptr<Nvml>> Nvml::open(const std::string& library) {
  void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return not_found(fmt::format("NVML cannot be loaded: {}", ::dlerror()));
  const Functions call = functions_of(handle);
  const bool complete = call.init != nullptr && call.shut_down != nullptr && call.count != nullptr && call.by_index != nullptr;
  const int error = complete ? call.init() : 0;
  if (complete && error == 0) return std::unique_ptr<Nvml>(std::make_unique<LoadedNvml>(handle, call));
  ::dlclose(handle);
  return not_found(complete ? fmt::format("NVML does not start: error {}", error) : fmt::format("{} lacks functions of NVML", library));
}

std::vector<GpuHealth> gpu_health() {
  static std::mutex mutex;
  static const std::unique_ptr<Nvml> nvml = [] {
    auto opened = Nvml::open();
    return opened.ok() ? *std::move(opened) : nullptr;
  }();
  if (nvml == nullptr) return {};
  const Result<std::vector<std::string>> bus_ids = gpu_bus_ids();
  if (built_with_cuda() && (!bus_ids.ok() || bus_ids->empty())) return {};
  const std::lock_guard lock(mutex);
  return nvml->read(bus_ids.ok() ? *bus_ids : std::vector<std::string>());
}

}  // namespace glyph
