// Stands in for libcuda.so.1 and libnvidia-ml.so.1: two GPUs, the second limited to 400 of its 700 W, hot and slowed down.
#include <cstdio>
#include <cstring>

namespace {

struct Gpu {
  const char* bus_id;
  unsigned limit_mw, power_mw, temperature_c, sm_mhz;
  unsigned long long slow_reasons;
};
Gpu gpus[] = {{"0000:1b:00.0", 700'000, 350'500, 61, 1980, 0x1}, {"0000:3d:00.0", 400'000, 399'000, 88, 915, 0x4 | 0x20}};

const Gpu& gpu_of(void* device) { return *static_cast<Gpu*>(device); }

}  // namespace

extern "C" {

int cuInit(unsigned) { return 0; }
int cuDriverGetVersion(int* version) { return *version = 13000, 0; }
int cuDeviceGetCount(int* count) { return *count = 2, 0; }
int cuDeviceGetName(char* name, int size, int device) { return std::snprintf(name, static_cast<size_t>(size), "Test GPU %d", device), 0; }

int nvmlInit_v2() { return 0; }
int nvmlShutdown() { return 0; }
int nvmlDeviceGetCount_v2(unsigned* count) { return *count = 2, 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) { return index < 2 ? (*device = &gpus[index], 0) : 2; }
int nvmlDeviceGetHandleByPciBusId_v2(const char* bus_id, void** device) {
  for (Gpu& gpu : gpus) {
    if (std::strcmp(gpu.bus_id, bus_id) == 0) return *device = &gpu, 0;
  }
  return 6;
}
int nvmlDeviceGetName(void* device, char* name, unsigned size) {
  return std::snprintf(name, size, "Test GPU %d", static_cast<int>(static_cast<Gpu*>(device) - gpus)), 0;
}
int nvmlDeviceGetUUID(void* device, char* uuid, unsigned size) {
  return std::snprintf(uuid, size, "GPU-%d", static_cast<int>(static_cast<Gpu*>(device) - gpus)), 0;
}
int nvmlDeviceGetPowerManagementLimit(void* device, unsigned* limit_mw) { return *limit_mw = gpu_of(device).limit_mw, 0; }
int nvmlDeviceGetPowerManagementDefaultLimit(void*, unsigned* limit_mw) { return *limit_mw = 700'000, 0; }
int nvmlDeviceGetPowerUsage(void* device, unsigned* power_mw) { return *power_mw = gpu_of(device).power_mw, 0; }
int nvmlDeviceGetTemperature(void* device, unsigned sensor, unsigned* celsius) {
  return sensor == 0 ? (*celsius = gpu_of(device).temperature_c, 0) : 2;
}
int nvmlDeviceGetClockInfo(void* device, unsigned type, unsigned* mhz) {
  return type == 1 ? (*mhz = gpu_of(device).sm_mhz, 0) : type == 2 ? (*mhz = 3201, 0) : 2;
}
int nvmlDeviceGetMaxClockInfo(void*, unsigned type, unsigned* mhz) { return type == 1 ? (*mhz = 1980, 0) : 2; }
int nvmlDeviceGetUtilizationRates(void*, unsigned* gpu_and_memory) { return gpu_and_memory[0] = 97, gpu_and_memory[1] = 40, 0; }
int nvmlDeviceGetMemoryInfo(void*, unsigned long long*) { return 3; }  // not supported
int nvmlDeviceGetCurrentClocksThrottleReasons(void* device, unsigned long long* bits) { return *bits = gpu_of(device).slow_reasons, 0; }
}
