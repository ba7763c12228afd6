// Stands in for libcuda.so.1 and libnvidia-ml.so.1: two GPUs, the second limited to 400 of its 700 W.
#include <cstdio>

extern "C" {

int cuInit(unsigned) { return 0; }
int cuDriverGetVersion(int* version) { return *version = 13000, 0; }
int cuDeviceGetCount(int* count) { return *count = 2, 0; }
int cuDeviceGetName(char* name, int size, int device) { return std::snprintf(name, static_cast<size_t>(size), "Test GPU %d", device), 0; }

int nvmlInit_v2() { return 0; }
int nvmlShutdown() { return 0; }
int nvmlDeviceGetCount_v2(unsigned* count) { return *count = 2, 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  static unsigned limits_mw[] = {700'000, 400'000};
  return *device = &limits_mw[index], 0;
}
int nvmlDeviceGetPowerManagementLimit(void* device, unsigned* limit_mw) { return *limit_mw = *static_cast<unsigned*>(device), 0; }
int nvmlDeviceGetPowerManagementDefaultLimit(void*, unsigned* limit_mw) { return *limit_mw = 700'000, 0; }
}
