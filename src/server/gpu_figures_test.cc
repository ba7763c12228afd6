#include "server/gpu_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glyph {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(GpuFigures, NothingWithoutGpus) {
  Exposition out;
  write_gpu_figures(out, {});
  EXPECT_EQ(out.text(), "");
}

TEST(GpuFigures, ASampleForEachGpuThatTells) {
  GpuHealth hot, silent;
  hot.name = "NVIDIA H200";
  hot.power_w = 512.25;
  hot.temperature_c = 84;
  hot.slow_reasons = 0x20;
  silent.name = "other";
  const GpuHealth gpus[] = {hot, silent};
  Exposition out;
  write_gpu_figures(out, gpus);
  EXPECT_THAT(out.text(), HasSubstr("# TYPE glyph_gpu_power_watts gauge\nglyph_gpu_power_watts{gpu=\"0\",name=\"NVIDIA H200\"} 512.25\n"));
  EXPECT_THAT(out.text(), HasSubstr("glyph_gpu_temperature_celsius{gpu=\"0\",name=\"NVIDIA H200\"} 84\n"));
  EXPECT_THAT(out.text(), Not(HasSubstr("glyph_gpu_power_watts{gpu=\"1\"")));
  EXPECT_THAT(out.text(), HasSubstr("glyph_gpu_clocks_limited{gpu=\"0\",name=\"NVIDIA H200\",reason=\"sw_thermal\"} 1\n"));
  EXPECT_THAT(out.text(), HasSubstr("glyph_gpu_clocks_limited{gpu=\"1\",name=\"other\",reason=\"sw_thermal\"} 0\n"));
}

}  // namespace
}  // namespace glyph
