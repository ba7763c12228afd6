// The shared tests of ops on a GPU. Without one they are skipped; with --require-gpu that is a failure.
#include <cstdio>
#include <cstring>

#include "ops/ops_test.h"
#include "tensor/cuda_backend.h"

namespace glyph::ops {
namespace {

std::unique_ptr<Device> open_gpu() {
  Result<std::unique_ptr<Device>> device = open_cuda_device();
  return device.ok() ? std::move(device).value() : nullptr;
}

const DeviceCase kGpus[] = {{"Cuda", open_gpu}};
INSTANTIATE_TEST_SUITE_P(Gpu, OpsTest, testing::ValuesIn(kGpus), name_of_case);

}  // namespace
}  // namespace glyph::ops

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const bool required = argc > 1 && std::strcmp(argv[1], "--require-gpu") == 0;
  const auto device = glyph::open_cuda_device();
  if (required && !device.ok()) {
    std::fprintf(stderr, "a GPU was required: %s\n", device.status().message().c_str());
    return 1;
  }
  return RUN_ALL_TESTS();
}
