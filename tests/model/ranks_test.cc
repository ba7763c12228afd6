// The language model shared by several devices of the host gives what it gives on one.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <numeric>
#include <optional>

#include "language/language_model.h"
#include "parallel/device_group.h"
#include "tensor/cpu_device.h"
#include "tiny_model.h"
#include "vision/vision_model.h"

namespace glyph {
namespace {

using ::testing::HasSubstr;

const std::filesystem::path kFolder = std::filesystem::path(GLYPH_SOURCE_DIR) / "tests/model";
constexpr int kTokens = 64;

// A page without a vision model: its features are numbers.
PageFeatures page_of(int64_t height, int64_t width, int64_t hidden) {
  Tensor values(host_device(), DType::kF32, {height * width / 4, hidden});
  uint32_t state = 3;
  for (int64_t i = 0; i < values.shape().num_elements(); ++i) {
    values.data<float>()[i] = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) / 8388608.0f - 1.0f;
  }
  return {.grid = {height, width}, .merge_size = 2, .values = std::move(values)};
}

// What a model of so many ranks says: logits of a prompt with a page, of each greedy token after it, and the tokens.
struct Said {
  std::vector<float> logits;
  std::vector<int32_t> tokens;
};

struct Setting {
  int num_ranks = 1;
  bool reference = false;
  bool random = false;  // weights from a seed instead of a file
  Precision precision = Precision::kF32;
  bool as_on_gpu = false;
};

class Ranks {
 public:
  explicit Ranks(const Setting& setting) : config(load_model_config(kFolder).value()) {
    std::vector<Device*> pointers;
    for (int rank = 0; rank < setting.num_ranks; ++rank) {
      if (setting.reference) devices.push_back(std::make_unique<ReferenceDevice>());
      else devices.push_back(std::make_unique<CpuDevice>(CpuOptions{.num_threads = 1}));
      pointers.push_back(devices.back().get());
    }
    group = DeviceGroup::open(pointers).value();
    if (setting.random) {
      checkpoint.emplace(Checkpoint::random(testing::kGoldenSeed));
    } else {
      const auto file = std::filesystem::temp_directory_path() / fmt::format("glyph_ranks_{}.safetensors", getpid());
      EXPECT_TRUE(testing::write_tiny_checkpoint(config, testing::kGoldenSeed, StoredType::kF32, file).ok());
      checkpoint.emplace(Checkpoint::open_file(file).value());
      std::filesystem::remove(file);
    }
    const LanguageOptions options{.precision = setting.precision, .as_on_gpu = setting.as_on_gpu};
    language.emplace(LanguageModel::load(*group, config, *checkpoint, options).value());
    pool.emplace(group->devices(), language->kv_layout());
  }

  std::vector<int32_t> prompt(const PageFeatures& page) const {
    std::vector<int32_t> ids{1, 2, 3, config.image_start_token_id};
    ids.insert(ids.end(), static_cast<size_t>(page.num_tokens()), config.image_token_id);
    for (int32_t id = 10; id < 30; ++id) ids.push_back(id);
    return ids;
  }

  Said say(int64_t chunk) {
    const PageFeatures page = page_of(6, 8, config.text.hidden_size);
    const PageFeatures* const pages[] = {&page};
    KvCache cache(*pool);
    KvCache* const caches[] = {&cache};
    Said said;
    Tensor next = language->prefill(prompt(page), pages, cache, {.chunk_tokens = chunk}).value().copy().value();
    for (;;) {
      const auto* values = next.data<float>();
      said.logits.insert(said.logits.end(), values, values + config.text.vocab_size);
      said.tokens.push_back(static_cast<int32_t>(std::max_element(values, values + config.text.vocab_size) - values));
      if (said.tokens.size() == kTokens) return said;
      next = language->decode(std::span(&said.tokens.back(), 1), caches).value().copy().value();
    }
  }

  ModelConfig config;
  std::vector<std::unique_ptr<Device>> devices;
  std::unique_ptr<DeviceGroup> group;
  std::optional<Checkpoint> checkpoint;
  std::optional<LanguageModel> language;
  std::optional<KvBlockPool> pool;
};

double max_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = a.size() == b.size() ? 0.0 : INFINITY;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
  return worst;
}

// Two key heads: four ranks have each of them twice.
TEST(LanguageRanks, SayWhatOneSays) {
  for (const bool reference : {true, false}) {
    for (const bool random : {false, true}) {
      Setting setting{.reference = reference, .random = random};
      const Said one = Ranks(setting).say(0);
      for (const int num_ranks : {2, 4}) {
        setting.num_ranks = num_ranks;
        for (const int64_t chunk : {0, 7}) {
          const Said said = Ranks(setting).say(chunk);
          EXPECT_EQ(said.tokens, one.tokens) << num_ranks << " ranks, chunks of " << chunk;
          EXPECT_LT(max_difference(said.logits, one.logits), 1e-4) << num_ranks << " ranks, chunks of " << chunk;
        }
      }
    }
  }
}

// What a GPU does, done by the host: steps through DecodeSteps, logits that stay with the ranks.
TEST(LanguageRanks, SayTheSameAsOnAGpu) {
  for (const bool reference : {true, false}) {
    const Said one = Ranks({.reference = reference}).say(0);
    for (const int num_ranks : {1, 2, 4}) {
      const Said said = Ranks({.num_ranks = num_ranks, .reference = reference, .as_on_gpu = true}).say(7);
      EXPECT_EQ(said.tokens, one.tokens) << num_ranks << " ranks";
      EXPECT_LT(max_difference(said.logits, one.logits), 1e-4) << num_ranks << " ranks";
    }
  }
}

TEST(LanguageRanks, KnowTheLargestLogitsOfEachRow) {
  for (const int num_ranks : {1, 2, 4}) {
    Ranks ranks({.num_ranks = num_ranks, .as_on_gpu = true});
    const std::vector<int32_t> first{1, 2, 3, 4, 5}, second{6, 7, 8}, draft{9, 10, 11}, single{12};
    KvCache a(*ranks.pool), b(*ranks.pool);
    ASSERT_TRUE(ranks.language->prefill(first, {}, a).ok());
    ASSERT_TRUE(ranks.language->prefill(second, {}, b).ok());
    const NewTokens tokens[] = {{.ids = draft, .cache = &a}, {.ids = single, .cache = &b}};
    const Logits logits = ranks.language->decode(tokens).value();
    ASSERT_EQ(logits.num_rows(), 4);
    for (int64_t i = 0; i < 4; ++i) {
      const ops::LogitsRow row = logits.row(i);
      const std::span<const float> all = row.all().value();
      ASSERT_EQ(std::ssize(all), ranks.config.text.vocab_size);
      ASSERT_NE(row.top(), nullptr);
      ASSERT_EQ(row.top()->count, ops::TopLogits::kMost);
      std::vector<int32_t> order(all.size());
      std::iota(order.begin(), order.end(), 0);
      const auto larger = [&](int32_t x, int32_t y) { return all[static_cast<size_t>(x)] > all[static_cast<size_t>(y)]; };
      std::stable_sort(order.begin(), order.end(), larger);
      double sum = 0;
      for (const float value : all) sum += std::exp(static_cast<double>(value));
      EXPECT_NEAR(row.top()->log_sum, std::log(sum), 1e-6);
      for (int32_t n = 0; n < row.top()->count; ++n) {
        ASSERT_EQ(row.top()->ids[n], order[static_cast<size_t>(n)]) << num_ranks << " ranks, row " << i;
        ASSERT_EQ(row.top()->values[n], all[static_cast<size_t>(row.top()->ids[n])]);
      }
    }
  }
}

// Quantised after they were shared, and of the fewest rows that the types take.
TEST(LanguageRanks, QuantisedWeightsStayNear) {
  for (const Precision precision : {Precision::kBF16, Precision::kFp8, Precision::kInt8}) {
    Setting setting{.reference = true, .precision = precision};
    const Said one = Ranks(setting).say(0);
    setting.num_ranks = 2;
    const Said two = Ranks(setting).say(0);
    const size_t vocab = one.logits.size() / kTokens;
    EXPECT_LT(max_difference({two.logits.begin(), two.logits.begin() + static_cast<ptrdiff_t>(vocab)},
                             {one.logits.begin(), one.logits.begin() + static_cast<ptrdiff_t>(vocab)}),
              precision == Precision::kBF16 ? 0.1 : 0.5)
        << name_of(precision);
  }
}

TEST(LanguageRanks, SeveralSequencesAndTokensAtOnce) {
  Ranks one({.num_ranks = 1}), two({.num_ranks = 2});
  std::vector<float> logits[2];
  Ranks* const both[] = {&one, &two};
  for (size_t i = 0; i < 2; ++i) {
    Ranks& ranks = *both[i];
    const std::vector<int32_t> first{1, 2, 3, 4, 5}, second{6, 7, 8}, draft{9, 10, 11}, single{12};
    KvCache a(*ranks.pool), b(*ranks.pool);
    ASSERT_TRUE(ranks.language->prefill(first, {}, a).ok());
    ASSERT_TRUE(ranks.language->prefill(second, {}, b).ok());
    KvCache fork = a.fork();  // its last block is copied, on every rank
    const NewTokens tokens[] = {{.ids = draft, .cache = &fork}, {.ids = single, .cache = &b}, {.ids = single, .cache = &a}};
    const Tensor result = ranks.language->decode(tokens).value().copy().value();
    EXPECT_EQ(result.shape(), (Shape{5, ranks.config.text.vocab_size}));
    logits[i].assign(result.data<float>(), result.data<float>() + result.shape().num_elements());
  }
  EXPECT_LT(max_difference(logits[0], logits[1]), 1e-4);
}

TEST(LanguageRanks, EachHasItsShareOfTheKeys) {
  const Ranks one({.num_ranks = 1}), two({.num_ranks = 2}), four({.num_ranks = 4});
  EXPECT_EQ(two.language->kv_layout().num_kv_heads, 1);
  EXPECT_EQ(two.language->kv_layout().block_bytes() * 2, one.language->kv_layout().block_bytes());
  EXPECT_EQ(four.language->kv_layout().num_kv_heads, 1);
}

TEST(LanguageRanks, HeadsThatCannotBeSharedAreRefused) {
  const ModelConfig config = load_model_config(kFolder).value();
  std::vector<ReferenceDevice> devices(3);
  const auto group = DeviceGroup::open({&devices[0], &devices[1], &devices[2]}).value();
  const Status status = LanguageModel::load(*group, config, Checkpoint::random(1)).status();
  EXPECT_EQ(status.code(), StatusCode::kRefused);
  EXPECT_THAT(status.message(), HasSubstr("4 query and 2 key heads"));
  EXPECT_THAT(status.message(), HasSubstr("3 devices"));
}

// Rows enough to be cut in two: one half is summed while the other is multiplied.
TEST(LanguageRanks, ManyRowsAreCutInTwo) {
  std::vector<float> logits[2];
  for (const int num_ranks : {1, 2}) {
    Ranks ranks({.num_ranks = num_ranks});
    std::vector<int32_t> ids(1100);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i * 7 % 250);
    KvCache cache(*ranks.pool);
    const Tensor result = ranks.language->prefill(ids, {}, cache, {.chunk_tokens = 2000}).value().copy().value();
    logits[num_ranks - 1].assign(result.data<float>(), result.data<float>() + result.shape().num_elements());
  }
  EXPECT_LT(max_difference(logits[0], logits[1]), 1e-4);
}

// Every rank encodes some of the pages, whose features come to the first in their order.
TEST(VisionRanks, PagesAreSharedAndComeBackInOrder) {
  const ModelConfig config = load_model_config(kFolder).value();
  const Checkpoint checkpoint = Checkpoint::random(5);
  const PreprocessorConfig preprocessor;
  std::vector<ReferenceDevice> devices(3);
  const auto group = DeviceGroup::open({&devices[0], &devices[1], &devices[2]}).value();
  const VisionModel one = VisionModel::load(devices[0], config, preprocessor, checkpoint).value();
  const VisionModel three = VisionModel::load(*group, config, preprocessor, checkpoint).value();
  std::vector<Patches> pages;
  for (const int width : {84, 56, 112, 84, 28}) {
    pages.push_back(make_patches(testing::tiny_page(fmt::format("page.{}", pages.size()), 3, width, 140 - width, 1), preprocessor).value());
  }
  for (const size_t count : {size_t{1}, size_t{2}, size_t{5}}) {
    const std::span<const Patches> some = std::span(pages).first(count);
    const std::vector<PageFeatures> expected = one.encode(some).value(), got = three.encode(some).value();
    ASSERT_EQ(got.size(), count);
    for (size_t i = 0; i < count; ++i) {
      ASSERT_EQ(got[i].grid, expected[i].grid);
      EXPECT_EQ(&got[i].values.device(), &devices[0]);
      const auto* a = expected[i].values.data<float>();
      const auto* b = got[i].values.data<float>();
      const int64_t values = expected[i].values.shape().num_elements();
      EXPECT_EQ(std::vector<float>(a, a + values), std::vector<float>(b, b + values)) << "page " << i << " of " << count;
    }
  }
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(three.encode(pages, stop.get_token()).status().code(), StatusCode::kCancelled);
  EXPECT_TRUE(three.encode(pages).ok()) << "a pass that was stopped breaks nothing";
}

// A tensor that is missing fails on all ranks and breaks nothing.
TEST(LanguageRanks, AWeightThatIsMissingIsNamed) {
  const ModelConfig config = load_model_config(kFolder).value();
  const auto file = std::filesystem::temp_directory_path() / fmt::format("glyph_ranks_short_{}.safetensors", getpid());
  ModelConfig shorter = config;
  --shorter.text.num_layers;
  ASSERT_TRUE(testing::write_tiny_checkpoint(shorter, 1, StoredType::kF32, file).ok());
  const Checkpoint checkpoint = Checkpoint::open_file(file).value();
  std::filesystem::remove(file);
  std::vector<ReferenceDevice> devices(2);
  const auto group = DeviceGroup::open({&devices[0], &devices[1]}).value();
  EXPECT_THAT(LanguageModel::load(*group, config, checkpoint).status().message(), HasSubstr("layers.2"));
  EXPECT_TRUE(LanguageModel::load(*group, shorter, checkpoint).ok());
}

TEST(Shares, CoverAllInOrder) {
  for (const int64_t total : {2, 136, 320, 13696, 151552}) {
    for (const int size : {1, 2}) {
      int64_t end = 0;
      for (int rank = 0; rank < size; ++rank) {
        const Slice share = share_of(total, rank, size, 64);
        EXPECT_EQ(share.begin, end);
        end = share.end;
      }
      EXPECT_EQ(end, total);
    }
  }
  EXPECT_EQ(share_of(13696, 1, 4, 64), (Slice{53 * 64, 107 * 64}));
}

}  // namespace
}  // namespace glyph
