// The whole model on a tiny configuration: equal to transformers stage by stage (goldens.safetensors, written
// by tools/model_oracle/make_goldens.py), and equal to itself however the work is cut.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <map>
#include <optional>

#include "language/language_model.h"
#include "tensor/cpu_device.h"
#include "tiny_model.h"
#include "vision/vision_model.h"

namespace glyph {
namespace {

using ::testing::HasSubstr;

const std::filesystem::path kFolder = std::filesystem::path(GLYPH_SOURCE_DIR) / "tests/model";

std::vector<Image> golden_pages() {
  const uint64_t seed = testing::kGoldenSeed;
  return {testing::tiny_page("page.0", seed, 101, 135, 1), testing::tiny_page("page.1", seed, 84, 112, 1),
          testing::tiny_page("page.2", seed, 150, 59, 3)};
}

template <typename T>
std::vector<T> golden(const std::string& name) {
  static const Checkpoint goldens = Checkpoint::open_file(kFolder / "goldens.safetensors").value();
  const TensorRef tensor = goldens.tensor(name).value();
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

std::vector<float> floats_of(const ConstTensorView& view) {
  std::vector<float> values;
  for (int64_t i = 0; i < view.size(0); ++i) {
    for (int64_t j = 0; j < view.size(1); ++j) values.push_back(value_at(view, {i, j}));
  }
  return values;
}

double max_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = a.size() == b.size() ? 0.0 : INFINITY;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    worst = std::isnan(a[i]) ? INFINITY : std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return worst;
}

std::vector<float> floats_of(const Tensor& logits) { return floats_of(logits.view()); }
std::vector<float> floats_of(const Logits& logits) { return floats_of(logits.copy().value()); }

int32_t argmax(const std::vector<float>& values) {
  return static_cast<int32_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

struct Options {
  CpuLevel level = CpuLevel::kAmx;
  Precision precision = Precision::kF32;
  StoredType stored = StoredType::kF32;
  bool reference = false;
  int num_threads = 2;
  KvPrecision kv_precision = KvPrecision::kAuto;
};

// The model, its pages encoded and a pool for its caches.
class Tiny {
 public:
  explicit Tiny(const Options& options = {}) {
    if (options.reference) {
      device = std::make_unique<ReferenceDevice>();
    } else {
      device = std::make_unique<CpuDevice>(
          CpuOptions{.num_threads = options.num_threads, .max_level = options.level});
    }
    config = load_model_config(kFolder).value();
    const auto file =
        std::filesystem::temp_directory_path() / fmt::format("glyph_tiny_{}.safetensors", getpid());
    EXPECT_TRUE(testing::write_tiny_checkpoint(config, testing::kGoldenSeed, options.stored, file).ok());
    checkpoint.emplace(Checkpoint::open_file(file).value());
    std::filesystem::remove(file);
    vision.emplace(
        VisionModel::load(*device, config, PreprocessorConfig{}, *checkpoint, {options.precision}).value());
    language.emplace(LanguageModel::load(*device, config, *checkpoint,
                                         {.precision = options.precision, .kv_precision = options.kv_precision})
                         .value());
    const auto keep = [this](std::string_view stage, const ConstTensorView& values) {
      std::vector<float>& kept = stages[std::string(stage)];
      for (const float value : floats_of(values)) kept.push_back(value);
    };
    vision->observe(keep);
    for (const Image& image : golden_pages()) features.push_back(vision->encode(image).value());
    vision->observe({});
    for (const PageFeatures& page : features) pages.push_back(&page);
    pool.emplace(*device, language->kv_layout());
    ids = golden<int32_t>("ids");
    language->observe(keep);
    KvCache cache(*pool);
    logits = floats_of(language->prefill(ids, pages, cache).value());
    language->observe({});
  }

  // Greedy continuation of what is in the cache.
  std::vector<int32_t> continue_greedily(KvCache& cache, std::vector<float> next, size_t count) {
    std::vector<int32_t> tokens;
    while (tokens.size() < count) {
      tokens.push_back(argmax(next));
      KvCache* caches[] = {&cache};
      if (tokens.size() < count)
        next = floats_of(language->decode(std::span(&tokens.back(), 1), caches).value());
    }
    last_logits = next;
    return tokens;
  }

  std::unique_ptr<Device> device;
  ModelConfig config;
  std::optional<Checkpoint> checkpoint;
  std::optional<VisionModel> vision;
  std::optional<LanguageModel> language;
  std::optional<KvBlockPool> pool;
  std::vector<PageFeatures> features;
  std::vector<const PageFeatures*> pages;
  std::vector<int32_t> ids;
  std::map<std::string, std::vector<float>> stages;  // of all pages, one after the other
  std::vector<float> logits, last_logits;
};

TEST(ImageProcessor, PatchesAreTheReferencesBitForBit) {
  const PreprocessorConfig config;
  const std::vector<int32_t> grids = golden<int32_t>("grids");
  const std::vector<Image> images = golden_pages();
  for (size_t i = 0; i < images.size(); ++i) {
    const Patches patches = make_patches(images[i], config).value();
    EXPECT_EQ(patches.grid, (ops::PatchGrid{grids[2 * i], grids[2 * i + 1]}));
    EXPECT_EQ(patches.pixels, golden<uint8_t>(fmt::format("patches.{}", i)));
  }
  std::vector<float> values = pixel_values(make_patches(images[0], config).value(), config);
  values.resize(4 * 3 * 2 * 14 * 14);
  EXPECT_EQ(values, golden<float>("first_pixel_values"));
}

TEST(Positions, AreTheReferences) {
  Tiny tiny;
  const Prompt prompt = make_prompt(tiny.ids, tiny.pages, tiny.config.image_token_id).value();
  std::vector<int32_t> positions;
  for (const ops::TokenPosition& p : prompt.positions)
    positions.insert(positions.end(), {p.time, p.height, p.width});
  EXPECT_EQ(positions, golden<int32_t>("positions"));
  EXPECT_EQ(prompt.next_position, golden<int32_t>("next_position")[0]);
}

void expect_parity(Tiny& tiny, double tolerance) {
  for (const char* stage :
       {"patch_embed", "position", "block.0", "block.2", "merger", "layer.0", "layer.2"}) {
    const double difference = max_difference(tiny.stages[stage], golden<float>(stage));
    EXPECT_LT(difference, tolerance) << stage;
    ::testing::Test::RecordProperty(stage, fmt::format("{:.1e}", difference));
  }
  EXPECT_LT(max_difference(tiny.logits, golden<float>("logits")), tolerance);
  KvCache cache(*tiny.pool);
  std::vector<float> first = floats_of(tiny.language->prefill(tiny.ids, tiny.pages, cache).value());
  EXPECT_EQ(tiny.continue_greedily(cache, first, 64), golden<int32_t>("tokens"));
  EXPECT_LT(max_difference(tiny.last_logits, golden<float>("last_logits")), tolerance);
}

TEST(Parity, EveryStageAndGreedyTokensOnTheReferenceDevice) {
  Tiny tiny({.reference = true});
  expect_parity(tiny, 1e-4);
}

class LevelTest : public ::testing::TestWithParam<CpuLevel> {};

TEST_P(LevelTest, EveryStageAndGreedyTokens) {
  if (detect_cpu_level() < GetParam()) GTEST_SKIP() << "this machine has no such level";
  Tiny tiny({.level = GetParam()});
  expect_parity(tiny, 1e-4);
}
std::string level_name(const ::testing::TestParamInfo<CpuLevel>& level) {
  constexpr const char* kLevels[] = {"Baseline", "Avx2", "Avx512", "Avx512Bf16", "Amx"};
  return kLevels[static_cast<size_t>(level.param)];
}
INSTANTIATE_TEST_SUITE_P(Parity, LevelTest,
                         ::testing::Values(CpuLevel::kBaseline, CpuLevel::kAvx2, CpuLevel::kAvx512,
                                           CpuLevel::kAmx),
                         level_name);

TEST(Precisions, Bf16StaysCloseOnEveryLevel) {
  for (const CpuLevel level : {CpuLevel::kAvx2, CpuLevel::kAvx512Bf16, CpuLevel::kAmx}) {
    if (detect_cpu_level() < level) continue;
    Tiny tiny({.level = level, .precision = Precision::kBF16});
    EXPECT_EQ(tiny.language->compute_type(), DType::kBF16);
    const std::vector<float> expected = golden<float>("logits");
    const double difference = max_difference(tiny.logits, expected);
    EXPECT_GT(difference, 1e-4) << "these are f32 results";
    EXPECT_LT(difference, 0.12);  // logits are about 3 large
    EXPECT_EQ(argmax(tiny.logits), argmax(expected));
  }
}

// A model stored in 16 bits is the f32 model of the rounded weights, exactly.
TEST(Precisions, StoredTypesAreWidenedExactly) {
  for (const StoredType stored : {StoredType::kF16, StoredType::kBF16}) {
    Tiny fast({.stored = stored}), plain({.stored = stored, .reference = true});
    EXPECT_LT(max_difference(fast.logits, plain.logits), 1e-4);
    EXPECT_GT(max_difference(fast.logits, golden<float>("logits")), 1e-4) << "the weights were not rounded";
  }
}

TEST(Prefill, ChunksGiveTheSameAsOnePass) {
  Tiny tiny;
  for (const int64_t chunk : {1, 7, 33, 71}) {
    KvCache cache(*tiny.pool);
    int64_t reported = 0;
    const PrefillOptions options{
        .chunk_tokens = chunk, .stop = {}, .progress = [&](int64_t done, int64_t total) {
          EXPECT_GT(done, reported);
          EXPECT_EQ(total, std::ssize(tiny.ids));
          reported = done;
        }};
    const std::vector<float> logits =
        floats_of(tiny.language->prefill(tiny.ids, tiny.pages, cache, options).value());
    EXPECT_LT(max_difference(logits, tiny.logits), 1e-4) << chunk;
    EXPECT_EQ(reported, std::ssize(tiny.ids));
    EXPECT_EQ(cache.next_position(), golden<int32_t>("next_position")[0]);
    std::vector<int32_t> tokens = golden<int32_t>("tokens");
    tokens.resize(8);
    EXPECT_EQ(tiny.continue_greedily(cache, logits, tokens.size()), tokens);
  }
}

TEST(Prefill, ContinuesACachedPrefix) {
  Tiny tiny;
  const auto end_of_pages = static_cast<size_t>(
      std::find(tiny.ids.rbegin(), tiny.ids.rend(), tiny.config.image_end_token_id).base() -
      tiny.ids.begin());
  const std::span<const int32_t> ids(tiny.ids);
  KvCache document(*tiny.pool);
  ASSERT_TRUE(tiny.language->prefill(ids.first(end_of_pages), tiny.pages, document).ok());
  for (int question = 0; question < 2; ++question) {  // both see the same beginning
    KvCache cache = document.fork();
    const std::vector<float> logits =
        floats_of(tiny.language->prefill(ids.subspan(end_of_pages), {}, cache).value());
    EXPECT_LT(max_difference(logits, tiny.logits), 1e-4);
    tiny.continue_greedily(cache, logits, 5);
  }
  EXPECT_EQ(document.num_tokens(), static_cast<int64_t>(end_of_pages));
}

TEST(Decode, ABatchGivesWhatSingleSequencesGive) {
  Tiny tiny;
  const std::span<const int32_t> ids(tiny.ids);
  std::vector<KvCache> batch, single;
  std::vector<KvCache*> pointers;
  for (size_t i = 0; i < 20;
       ++i) {  // more rows than the few-row path takes; of different lengths, some with pages
    const std::span<const int32_t> part = i % 2 == 0 ? ids.first(i % 9 + 1) : ids;
    const std::span<const PageFeatures* const> pages =
        i % 2 == 0 ? std::span<const PageFeatures* const>() : tiny.pages;
    for (std::vector<KvCache>* caches : {&batch, &single}) {
      caches->emplace_back(*tiny.pool);
      ASSERT_TRUE(tiny.language->prefill(part, pages, caches->back()).ok());
    }
  }
  for (KvCache& cache : batch) pointers.push_back(&cache);
  for (int step = 0; step < 3; ++step) {
    std::vector<int32_t> next;
    for (int32_t i = 0; i < 20; ++i) next.push_back((i * 13 + step * 7) % 256);
    const Tensor together = tiny.language->decode(next, pointers).value().copy().value();
    for (size_t i = 0; i < single.size(); ++i) {
      KvCache* one[] = {&single[i]};
      const Tensor alone = tiny.language->decode(std::span(&next[i], 1), one).value().copy().value();
      const auto row = static_cast<int64_t>(i);
      EXPECT_LT(max_difference(floats_of(together.view().rows(row, row + 1)), floats_of(alone)), 1e-4) << i;
    }
  }
}

// The logits of the prompt and of the tokens after it, as a model of that precision computes them on the reference device.
std::vector<float> logits_in(Precision precision, DType expected_weights) {
  Tiny tiny({.precision = precision, .reference = true});
  EXPECT_EQ(tiny.language->weight_type(), expected_weights) << name_of(precision);
  KvCache cache(*tiny.pool);
  std::vector<float> all = floats_of(tiny.language->prefill(tiny.ids, tiny.pages, cache).value());
  for (const int32_t token : {7, 77}) {
    KvCache* caches[] = {&cache};
    const Tensor next = tiny.language->decode(std::span(&token, 1), caches).value().copy().value();
    for (const float value : floats_of(next)) all.push_back(value);
  }
  return all;
}

TEST(Precisions, StayNearF32) {
  const std::vector<float> exact = logits_in(Precision::kF32, DType::kF32);
  float largest = 0;
  for (const float value : exact) largest = std::max(largest, std::abs(value));
  struct Case {
    Precision precision;
    DType weights;
    double limit;  // of the largest logit: so many bits of each weight, and of each row
  };
  for (const Case& c : {Case{Precision::kF16, DType::kF16, 0.01}, Case{Precision::kFp8, DType::kE4M3, 0.25},
                        // This model's rows are no whole groups of 64, so that its matrices stay as they are.
                        Case{Precision::kInt8, DType::kBF16, 0.06}}) {
    const double difference = max_difference(logits_in(c.precision, c.weights), exact);
    EXPECT_LT(difference, c.limit * largest) << name_of(c.precision);
    EXPECT_GT(difference, 0) << name_of(c.precision);
  }
}

// Keys and values of 8 bits: logits move a little, and the model writes what it wrote, as long as it is as sure of it.
TEST(Precisions, KvOfFp8StaysNearKvOfTheComputeType) {
  const std::vector<int32_t> golden_tokens = golden<int32_t>("tokens");
  std::vector<float> plain_logits;
  for (const Options& options :
       {Options{.reference = true, .kv_precision = KvPrecision::kFp8}, Options{.level = CpuLevel::kBaseline, .kv_precision = KvPrecision::kFp8},
        Options{.kv_precision = KvPrecision::kFp8}, Options{.precision = Precision::kBF16, .kv_precision = KvPrecision::kFp8}}) {
    Tiny tiny(options);
    EXPECT_EQ(tiny.language->kv_layout().dtype, DType::kE4M3);
    const std::vector<float> expected = golden<float>("logits");
    const double difference = max_difference(tiny.logits, expected);
    EXPECT_GT(difference, 1e-4) << "KV has the compute type";
    EXPECT_LT(difference, 0.3);  // logits are about 3 large
    EXPECT_EQ(argmax(tiny.logits), argmax(expected));
    // The reference device says what the others have to do.
    if (options.reference) plain_logits = tiny.logits;
    EXPECT_LT(max_difference(tiny.logits, plain_logits), options.precision == Precision::kBF16 ? 0.15 : 0.02);
    KvCache cache(*tiny.pool);
    const std::vector<float> logits = floats_of(tiny.language->prefill(tiny.ids, tiny.pages, cache, {.chunk_tokens = 33}).value());
    EXPECT_LT(max_difference(logits, tiny.logits), options.precision == Precision::kBF16 ? 0.15 : 0.02);
    const std::vector<int32_t> tokens = tiny.continue_greedily(cache, logits, 8);
    EXPECT_GE(std::mismatch(tokens.begin(), tokens.end(), golden_tokens.begin()).first - tokens.begin(), 4);
    // A question on a beginning that ends inside a block reads what it read before.
    KvCache beginning = cache.beginning(std::ssize(tiny.ids), golden<int32_t>("next_position")[0]).value();
    std::vector<int32_t> again = tiny.continue_greedily(beginning, logits, 8);
    EXPECT_EQ(again, tokens);
  }
}

TEST(Precisions, ThatNeedAGpuAreRefusedWithoutOne) {
  CpuDevice device;
  for (const char* name : {"fp16", "fp8", "int8", "int4"}) {
    const Status status = check_precision(device, parse_precision(name).value());
    EXPECT_EQ(status.code(), StatusCode::kRefused) << name;
    EXPECT_NE(status.message().find(name), std::string::npos) << status.message();
  }
  EXPECT_TRUE(check_precision(device, Precision::kBF16).ok());
  EXPECT_EQ(parse_precision("fp4").status().code(), StatusCode::kUsage);
}

// Tokens checked together (a draft) get the logits they get one by one, to the last bit; what is cut off again
// leaves nothing behind.
TEST(Decode, SeveralTokensOfASequenceGiveWhatSingleStepsGive) {
  struct Case {
    Precision precision;
    KvPrecision kv_precision;
  };
  for (const auto& [precision, kv_precision] : {Case{Precision::kF32, KvPrecision::kAuto}, Case{Precision::kBF16, KvPrecision::kAuto},
                                                Case{Precision::kF32, KvPrecision::kFp8}, Case{Precision::kBF16, KvPrecision::kFp8}}) {
    Tiny tiny({.precision = precision, .kv_precision = kv_precision});
    KvCache drafted(*tiny.pool), single(*tiny.pool), other(*tiny.pool);
    for (KvCache* cache : {&drafted, &single, &other}) {
      ASSERT_TRUE(tiny.language->prefill(tiny.ids, tiny.pages, *cache).ok());
    }
    for (int round = 0; round < 12; ++round) {
      std::vector<int32_t> next;
      for (int32_t i = 0; i < 7; ++i) next.push_back((i * 31 + round * 17) % 256);
      const auto kept = static_cast<size_t>(round % 7 + 1);
      const int64_t tokens = drafted.num_tokens(), position = drafted.next_position();
      const NewTokens sequences[] = {{.ids = next, .cache = &drafted}, {.ids = std::span(next).first(2), .cache = &other}};
      const Tensor together = tiny.language->decode(sequences).value().copy().value();
      ASSERT_EQ(together.shape(), (Shape{9, tiny.language->vocab_size()}));
      for (size_t i = 0; i < kept; ++i) {
        KvCache* one[] = {&single};
        const Tensor alone = tiny.language->decode(std::span(&next[i], 1), one).value().copy().value();
        const auto row = static_cast<int64_t>(i);
        ASSERT_EQ(floats_of(together.view().rows(row, row + 1)), floats_of(alone)) << round << ", token " << i;
      }
      drafted.truncate(tokens + static_cast<int64_t>(kept), position + static_cast<int64_t>(kept));
      EXPECT_EQ(drafted.num_tokens(), single.num_tokens());
      EXPECT_EQ(drafted.next_position(), single.next_position());
    }
  }
}

TEST(Prefill, PartsOfSeveralPromptsShareAPass) {
  for (const Precision precision : {Precision::kF32, Precision::kBF16}) {
    Tiny tiny({.precision = precision});
    KvCache document(*tiny.pool);
    ASSERT_TRUE(tiny.language->prefill(tiny.ids, tiny.pages, document).ok());
    std::vector<std::vector<int32_t>> questions;
    std::vector<Prompt> prompts;
    std::vector<KvCache> together, alone;
    for (const int32_t length : {3, 21, 40, 1}) {
      questions.emplace_back();
      for (int32_t i = 0; i < length; ++i) questions.back().push_back((i * 13 + length * 7) % 256);
    }
    for (const std::vector<int32_t>& question : questions) {
      prompts.push_back(tiny.language->begin_prefill(question, {}, document).value());
      together.push_back(document.fork());
      alone.push_back(document.fork());
    }
    std::vector<PromptPart> parts;
    for (size_t i = 0; i < prompts.size(); ++i) {
      parts.push_back({.prompt = &prompts[i], .begin = 0, .end = prompts[i].num_tokens(), .cache = &together[i], .want_logits = i != 1});
    }
    const Tensor logits = tiny.language->read(parts).value().copy().value();
    ASSERT_EQ(logits.shape(), (Shape{3, tiny.language->vocab_size()}));
    int64_t row = 0;
    for (size_t i = 0; i < prompts.size(); ++i) {
      const Tensor own = tiny.language->read(prompts[i], 0, prompts[i].num_tokens(), alone[i], true).value().copy().value();
      EXPECT_EQ(together[i].num_tokens(), alone[i].num_tokens());
      EXPECT_EQ(together[i].next_position(), alone[i].next_position());
      if (i == 1) continue;
      EXPECT_LT(max_difference(floats_of(logits.view().rows(row, row + 1)), floats_of(own)), precision == Precision::kF32 ? 1e-4 : 1e-30);
      ++row;
    }
    KvCache* caches[] = {&together[1], &alone[1]};
    const int32_t next[] = {9, 9};
    const Tensor after = tiny.language->decode(next, caches).value().copy().value();
    EXPECT_LT(max_difference(floats_of(after.view().rows(0, 1)), floats_of(after.view().rows(1, 2))), 1e-4);
  }
}

TEST(Threads, DoNotChangeTheResult) {
  Tiny one({.num_threads = 1}), three({.num_threads = 3});
  EXPECT_EQ(one.logits, three.logits);
}

TEST(Refusals, NameWhatDoesNotFit) {
  Tiny tiny;
  KvCache cache(*tiny.pool);
  const auto message = [&](std::span<const int32_t> ids, std::span<const PageFeatures* const> pages) {
    const Result<Logits> result = tiny.language->prefill(ids, pages, cache);
    EXPECT_FALSE(result.ok());
    EXPECT_EQ(result.status().code(), StatusCode::kRefused);
    EXPECT_EQ(cache.num_tokens(), 0);
    return result.status().message();
  };
  const std::span<const PageFeatures* const> pages(tiny.pages);
  EXPECT_THAT(message({}, {}), HasSubstr("empty"));
  EXPECT_THAT(message(tiny.ids, pages.first(2)), HasSubstr("more than the 2 pages"));
  EXPECT_THAT(message(std::vector<int32_t>{1, 2}, pages.first(1)), HasSubstr("placeholders for 0"));
  EXPECT_THAT(message(std::vector<int32_t>{301, 301, 1}, pages.first(1)),
              HasSubstr("page 1 has 20 features, but the prompt has 2"));
  EXPECT_THAT(message(std::vector<int32_t>{5, 320}, {}), HasSubstr("token id 320"));
  EXPECT_THAT(message(std::vector<int32_t>{-1}, {}), HasSubstr("token id -1"));
  EXPECT_THAT(message(std::vector<int32_t>(4100, 7), {}),
              HasSubstr("4100 tokens, 4 more than the model's context window of 4096"));
  EXPECT_THAT(tiny.vision->encode(Image{}).status().message(), HasSubstr("empty"));
  EXPECT_THAT(tiny.vision->encode(testing::tiny_page("long", 1, 20, 6000, 1)).status().message(),
              HasSubstr("limit is 200"));
}

TEST(Refusals, AFullPoolLeavesTheCacheAsItWas) {
  Tiny tiny;
  KvBlockPool small(*tiny.device, tiny.language->kv_layout(), 2);
  KvCache cache(small);
  ASSERT_TRUE(tiny.language->prefill(std::vector<int32_t>(100, 7), {}, cache).ok());
  const Result<Logits> result =
      tiny.language->prefill(std::vector<int32_t>(60, 7), {}, cache, {.chunk_tokens = 16});
  EXPECT_EQ(result.status().code(), StatusCode::kExhausted);
  EXPECT_THAT(result.status().message(), HasSubstr("all 2 blocks"));
  EXPECT_EQ(cache.num_tokens(), 100);
  EXPECT_EQ(cache.next_position(), 100);
  EXPECT_EQ(small.num_blocks_in_use(), 2);
  int32_t token = 3;
  KvCache* caches[] = {&cache};
  EXPECT_TRUE(tiny.language->decode(std::span(&token, 1), caches).ok());
}

TEST(Cancel, StopsBetweenBlocksAndChunks) {
  Tiny tiny;
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(tiny.vision->encode(golden_pages()[0], stop.get_token()).status().code(), StatusCode::kCancelled);
  std::stop_source later;
  KvCache cache(*tiny.pool);
  const PrefillOptions options{.chunk_tokens = 10,
                               .stop = later.get_token(),
                               .progress = [&](int64_t, int64_t) { later.request_stop(); }};
  EXPECT_EQ(tiny.language->prefill(tiny.ids, tiny.pages, cache, options).status().code(),
            StatusCode::kCancelled);
  EXPECT_EQ(cache.num_tokens(), 0);
}

TEST(Load, RefusesAMissingTensor) {
  ModelConfig config = load_model_config(kFolder).value();
  const auto file =
      std::filesystem::temp_directory_path() / fmt::format("glyph_short_{}.safetensors", getpid());
  ASSERT_TRUE(testing::write_tiny_checkpoint(config, 1, StoredType::kF32, file).ok());
  const Checkpoint checkpoint = Checkpoint::open_file(file).value();
  std::filesystem::remove(file);
  CpuDevice device({.num_threads = 1});
  config.text.num_layers = 4;
  EXPECT_THAT(LanguageModel::load(device, config, checkpoint).status().message(), HasSubstr("layers.3"));
  config.vision.hidden_size = 24;
  EXPECT_THAT(VisionModel::load(device, config, PreprocessorConfig{}, checkpoint).status().message(),
              HasSubstr("patch_embed"));
}

}  // namespace
}  // namespace glyph
