#include "finding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glyph {
namespace {

using testing::HasSubstr;

constexpr uint64_t kMib = uint64_t{1} << 20;

TEST(JudgeMemory, ComparesWhatIsThereWithWhatIsWanted) {
  const MemoryState memory{1000 * kMib, 300 * kMib};
  EXPECT_EQ(judge_memory(memory, 300 * kMib, "this model wants").state, Finding::State::kOk);
  const Finding short_of = judge_memory(memory, 301 * kMib, "this model wants");
  EXPECT_EQ(short_of.state, Finding::State::kWarning);
  EXPECT_EQ(finding_line(short_of), "memory: 1000 MiB, 300 MiB available; this model wants about 301 MiB; close other programs");
}

TEST(JudgeOpenFiles, ComparesWithWhatClientsWant) {
  EXPECT_EQ(judge_open_files(12'100, 12'100).state, Finding::State::kOk);
  EXPECT_EQ(finding_line(judge_open_files(4096, 12'100)),
            "files: 4096 may be open; all clients at once want 12100: raise ulimit -Hn, or LimitNOFILE= of the service");
}

TEST(JudgeGpu, ABuildForTheCpuNeedsNone) {
  const Finding none = judge_gpu({}, {});
  EXPECT_EQ(none.state, Finding::State::kOk);
  EXPECT_EQ(finding_line(none), "gpu: no GPU: running on the CPU");
  const Finding unused = judge_gpu({"580.65", 13000, {{"H200", 400, 700}, {"H100", 700, 700}, {"A100", 0, 0}}}, {});
  EXPECT_EQ(unused.state, Finding::State::kOk);
  EXPECT_EQ(unused.detail, "driver 580.65, CUDA 13.0, H200 (400 of 700 W), H100 (700 W), A100; this build computes on the CPU");
}

TEST(JudgeGpu, ABuildForGpusSaysWhatIsMissing) {
  struct Case {
    GpuState gpu;
    const char* problem;
    const char* words;
  };
  for (const auto& [gpu, problem, words] :
       {Case{{}, "no driver", "install NVIDIA's driver"}, Case{{"580.65", 0, {}}, "no driver", "libcuda.so.1 is missing"},
        Case{{"580.65", 13000, {}}, "no device", "the driver offers no device"},
        Case{{"550.10", 12040, {{"H200", 700, 700}}}, "the driver is older than CUDA 13.0", "the driver is older than CUDA 13.0"},
        Case{{"580.65", 13000, {{"A", 700, 700}, {"B", 400, 700}}}, "", "B may draw less than it was made for: nvidia-smi -pl 700"}}) {
    const Finding finding = judge_gpu(gpu, {true, problem});
    EXPECT_EQ(finding.state, Finding::State::kWarning) << words;
    EXPECT_THAT(finding.advice, HasSubstr(words));
  }
  EXPECT_EQ(judge_gpu({"580.65", 13000, {{"H200", 700, 700}}}, {true, ""}).state, Finding::State::kOk);
  EXPECT_EQ(judge_gpu({"580.65", 13000, {{"H200", 0, 0}}}, {true, ""}).state, Finding::State::kOk);  // unknown is no reproach
}

TEST(FindingsTable, ShowsAdviceBelow) {
  EXPECT_EQ(findings_table({{"cpu", {}, "fast", {}}, {"font", Finding::State::kBad, "none", "get one"}}),
            "ok       cpu        fast\nbad      font       none\n                    -> get one\n");
}

}  // namespace
}  // namespace glyph
