#include "tensor/gpu_health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glyph {
namespace {

using testing::HasSubstr;

class NvmlTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Nvml::open(GLYPH_FAKE_NVML);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    nvml_ = *std::move(opened);
  }
  std::unique_ptr<Nvml> nvml_;
};

TEST_F(NvmlTest, ReadsEveryGpu) {
  const std::vector<GpuHealth> gpus = nvml_->read();
  ASSERT_EQ(gpus.size(), 2u);
  EXPECT_EQ(gpus[0].name, "Test GPU 0");
  EXPECT_EQ(gpus[0].uuid, "GPU-0");
  EXPECT_DOUBLE_EQ(*gpus[0].power_w, 350.5);
  EXPECT_DOUBLE_EQ(*gpus[0].power_limit_w, 700);
  EXPECT_DOUBLE_EQ(*gpus[1].power_limit_w, 400);
  EXPECT_DOUBLE_EQ(*gpus[1].default_power_limit_w, 700);
  EXPECT_EQ(gpus[0].temperature_c, 61u);
  EXPECT_EQ(gpus[0].sm_clock_mhz, 1980u);
  EXPECT_EQ(gpus[1].sm_clock_mhz, 915u);
  EXPECT_EQ(gpus[1].max_sm_clock_mhz, 1980u);
  EXPECT_EQ(gpus[1].memory_clock_mhz, 3201u);
  EXPECT_EQ(gpus[0].busy_percent, 97u);
  EXPECT_EQ(gpus[0].used_bytes, std::nullopt);  // this card does not tell
  EXPECT_EQ(gpus[0].slow_reasons, 1u);          // by the older of the two functions
}

TEST_F(NvmlTest, FindsAGpuOnTheBus) {
  const std::string ids[] = {"0000:3d:00.0", "0000:ff:00.0"};
  const std::vector<GpuHealth> gpus = nvml_->read(ids);
  ASSERT_EQ(gpus.size(), 1u);
  EXPECT_EQ(gpus[0].name, "Test GPU 1");
}

TEST_F(NvmlTest, WarnsOfWhatShouldNotBe) {
  const std::vector<GpuHealth> gpus = nvml_->read();
  EXPECT_EQ(slow_warning(gpus[0]), "");  // idle
  EXPECT_EQ(slow_warning(gpus[1]), "Test GPU 1 is slowed down (power_cap, sw_thermal), 88 degrees, 399 of 400 W, 915 of 1980 MHz");
}

TEST(SlowWarning, APowerCapIsWhatACardAtWorkMeets) {
  GpuHealth gpu;
  gpu.name = "card";
  gpu.slow_reasons = 0x4;
  EXPECT_EQ(slow_warning(gpu), "");
  gpu.power_limit_w = gpu.default_power_limit_w = 700;
  EXPECT_EQ(slow_warning(gpu), "");
  gpu.power_limit_w = 500;
  EXPECT_EQ(slow_warning(gpu), "card is slowed down (power_cap)");
  gpu.slow_reasons = 0x80;
  EXPECT_EQ(slow_warning(gpu), "card is slowed down (hw_power_brake)");
}

TEST(NvmlOpen, RefusesWhatIsNotThere) {
  EXPECT_EQ(Nvml::open("libno-such-library.so").status().code(), StatusCode::kNotFound);
  EXPECT_THAT(Nvml::open("libm.so.6").status().message(), HasSubstr("lacks functions of NVML"));
}

}  // namespace
}  // namespace glyph
