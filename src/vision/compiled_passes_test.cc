// Passes over several pages, recorded or not, give what single pages give. A device that repeats what it recorded by
// queueing it again stands for a GPU: it shows that a pass reads nothing but what CompiledPasses keeps in place.
#include <gtest/gtest.h>

#include <cmath>

#include "tensor/cpu_device.h"
#include "vision/vision_model.h"

namespace glyph {
namespace {

template <typename Base>
class RecordingDevice : public Base {
 public:
  std::unique_ptr<RecordedWork> record(const std::function<void()>& queue) override {
    ++num_records;
    if (refuses) return nullptr;
    return std::make_unique<Work>(*this, queue);
  }
  bool refuses = false;
  int num_records = 0, num_repeats = 0;

 private:
  struct Work : RecordedWork {
    Work(RecordingDevice& owner, std::function<void()> work) : device(owner), queue(std::move(work)) {}
    void repeat() override {
      ++device.num_repeats;
      queue();
    }
    RecordingDevice& device;
    std::function<void()> queue;
  };
};

Patches patches_of(const PageShape& shape, int seed) {
  Patches patches{.grid = shape.grid, .channels = shape.channels, .pixels = {}};
  uint32_t state = static_cast<uint32_t>(seed) * 2654435761u + 1;
  patches.pixels.resize(static_cast<size_t>(shape.grid.num_patches() * shape.channels * 14 * 14));
  for (uint8_t& pixel : patches.pixels) pixel = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  return patches;
}

std::vector<float> values_of(const PageFeatures& page) {
  const ConstTensorView view = page.values.view();
  std::vector<float> values;
  for (int64_t i = 0; i < view.size(0); ++i) {
    for (int64_t j = 0; j < view.size(1); ++j) values.push_back(value_at(view, {i, j}));
  }
  return values;
}

constexpr PageShape kShape{{6, 4}, 1};

template <typename Device>
class PagesTogether : public testing::Test {
 public:
  PagesTogether() {
    config = load_model_config(std::string(GLYPH_SOURCE_DIR) + "/tests/model").value();
    checkpoint = Checkpoint::random(5);
    vision.emplace(VisionModel::load(device, config, PreprocessorConfig{}, checkpoint, {Precision::kF32}).value());
    for (int i = 0; i < 4; ++i) {
      pages.push_back(patches_of(kShape, i));
      alone.push_back(values_of(vision->encode(pages.back()).value()));
      EXPECT_TRUE(std::isfinite(alone.back().front()));
    }
  }
  // Sums of a matrix product may be cut differently where it has more rows; the reference's are not.
  void expect_close(const std::vector<float>& values, const std::vector<float>& expected) {
    ASSERT_EQ(values.size(), expected.size());
    const float tolerance = device.kind() == DeviceKind::kReference ? 0.0f : 1e-5f;
    for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], expected[i], tolerance) << i;
  }
  // Encodes pages [begin, begin + count) together.
  void expect_as_alone(size_t begin, size_t count) {
    const auto together = vision->encode(std::span(pages).subspan(begin, count)).value();
    ASSERT_EQ(together.size(), count);
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(together[i].grid, pages[begin + i].grid);
      expect_close(values_of(together[i]), alone[begin + i]);
    }
  }

  Device device;
  ModelConfig config;
  Checkpoint checkpoint;
  std::optional<VisionModel> vision;
  std::vector<Patches> pages;
  std::vector<std::vector<float>> alone;
};

using Devices = testing::Types<RecordingDevice<ReferenceDevice>, RecordingDevice<CpuDevice>>;
TYPED_TEST_SUITE(PagesTogether, Devices);

TYPED_TEST(PagesTogether, AreWhatTheyAreAlone) {
  this->expect_as_alone(0, 3);
  this->pages[1] = patches_of({{4, 8}, 3}, 9);  // another shape between them
  this->alone[1] = values_of(this->vision->encode(this->pages[1]).value());
  this->expect_as_alone(0, 4);
  EXPECT_EQ(this->device.num_records, 0);
}

TYPED_TEST(PagesTogether, AreTheSameWhenAPassIsRepeated) {
  this->vision->compile(kShape, 1);
  this->vision->compile(kShape, 2);
  for (const size_t first : {0, 1, 2}) {
    this->expect_as_alone(first, 1);
    this->expect_as_alone(first, 2);
  }
  EXPECT_EQ(this->device.num_records, 2);
  EXPECT_EQ(this->device.num_repeats, 4);
  this->expect_as_alone(0, 3);  // no pass of three was compiled
  EXPECT_EQ(this->device.num_repeats, 4);
}

TYPED_TEST(PagesTogether, GoOnCallByCallWhereNothingCanBeRecorded) {
  this->device.refuses = true;
  this->vision->compile(kShape, 2);
  for (const size_t first : {0, 1, 2, 1}) this->expect_as_alone(first, 2);
  EXPECT_EQ(this->device.num_records, 1);
  EXPECT_EQ(this->device.num_repeats, 0);
}

TYPED_TEST(PagesTogether, StopBeforeTheNextBlock) {
  std::stop_source source;
  source.request_stop();
  this->vision->compile(kShape, 2);
  for (const size_t count : {2u, 3u}) {
    const auto result = this->vision->encode(std::span(this->pages).first(count), source.get_token());
    EXPECT_EQ(result.status().code(), StatusCode::kCancelled);
  }
}

}  // namespace
}  // namespace glyph
