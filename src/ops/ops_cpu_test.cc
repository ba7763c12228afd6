// Ops on the processor, at each of its instruction sets: the shared bodies of ops_test.cc, and attention.
#include <cmath>

#include "ops/attention.h"
#include "ops/linear.h"
#include "ops/ops_test.h"
#include "ops/rotary.h"
#include "tensor/cpu_device.h"

namespace glyph::ops {
namespace {

template <CpuLevel kLevel>
std::unique_ptr<Device> open_level() {
  auto cpu = std::make_unique<CpuDevice>(CpuOptions{.num_threads = 3, .max_level = kLevel});
  return cpu->level() == kLevel ? std::move(cpu) : nullptr;
}

const DeviceCase kLevels[] = {{"Baseline", open_level<CpuLevel::kBaseline>},
                              {"Avx2", open_level<CpuLevel::kAvx2>},
                              {"Avx512", open_level<CpuLevel::kAvx512>},
                              {"Avx512Bf16", open_level<CpuLevel::kAvx512Bf16>},
                              {"Amx", open_level<CpuLevel::kAmx>}};
INSTANTIATE_TEST_SUITE_P(Levels, OpsTest, testing::ValuesIn(kLevels), name_of_case);

// f32 means all 24 bits at every instruction set, also where the rows go through a unit that takes bf16: one product a sum,
// magnitudes far apart.
class CpuLinearTest : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(Levels, CpuLinearTest, testing::ValuesIn(kLevels), name_of_case);

TEST_P(CpuLinearTest, KeepsTheBitsOfF32) {
  Data data(15);
  const Tensor weight = data.floats({48, 1}, DType::kBF16);
  Tensor x = data.floats({70, 1}), out = data.empty({70, 48});
  for (int i = 0; i < 70; ++i) x.data<float>()[i] = std::ldexp(x.data<float>()[i], i % 2 == 0 ? i / 2 : -i / 2);
  linear(*device_, x.view(), {.weight = weight.view(), .bias = {}}, out.view());
  for (int64_t row = 0; row < 70; ++row) {
    for (int64_t column = 0; column < 48; ++column) {
      const double exact = double{x.data<float>()[row]} * value_at(weight.view(), {column, 0});
      ASSERT_NEAR(value_at(out.view(), {row, column}), exact, std::abs(exact) * 0x1p-22) << row << ", " << column;
    }
  }
}

class CpuAttentionTest : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(Levels, CpuAttentionTest, testing::ValuesIn(kLevels), name_of_case);

TEST_P(CpuAttentionTest, FullAttention) {
  Data data(7);
  for (const DType type : {DType::kF32, DType::kBF16}) {
    for (const int64_t head_dim : {8, 24, 64, 128}) {
      for (const int64_t tokens : {1, 31, 64, 333}) {
        const Tensor qkv = data.floats({tokens, 3 * 2 * head_dim}, type);
        const auto part = [&](int64_t i) {
          return qkv.view().slice(1, i * 2 * head_dim, (i + 1) * 2 * head_dim).split_last(2);
        };
        Tensor expected = data.empty({tokens, 2, head_dim}), actual = data.empty({tokens, 2, head_dim});
        full_attention(data.device(), part(0), part(1), part(2), 0.3f, expected.view());
        full_attention(*device_, part(0), part(1), part(2), 0.3f, actual.view());
        ASSERT_LT(difference(actual, expected), tolerance(type))
            << tokens << " tokens, head size " << head_dim;
      }
    }
  }
}

// Blocks of KV memory, filled with NaN so that positions nobody stored show.
struct Cache {
  Cache(Data& data, int64_t num_blocks, int64_t num_kv_heads, int64_t head_dim, DType type) {
    const size_t half = kv_half_bytes(num_kv_heads, 64, head_dim, type), bytes = 2 * half + 32 * size_of(type);
    for (int64_t i = 0; i < num_blocks; ++i) memory.push_back(data.empty({static_cast<int64_t>(bytes / sizeof(float))}));
    for (Tensor& block : memory) pointers.push_back(block.view().raw());
    layer = {.blocks = pointers,
             .key_offset = 16 * size_of(type),
             .value_offset = half + 32 * size_of(type),
             .block_tokens = 64,
             .num_kv_heads = num_kv_heads,
             .head_dim = head_dim,
             .dtype = type};
  }
  std::vector<Tensor> memory;
  std::vector<void*> pointers;
  KvLayer layer;
};

TEST_P(CpuAttentionTest, CausalAttentionOverACache) {
  Data data(8);
  struct Types {
    DType q, kv;
  };
  for (const auto& [q_type, type] : {Types{DType::kF32, DType::kF32}, Types{DType::kBF16, DType::kBF16}, Types{DType::kF32, DType::kE4M3},
                                     Types{DType::kBF16, DType::kE4M3}}) {
    for (const int64_t head_dim : {16, 64}) {
      for (const int64_t first : {0, 5, 64, 300}) {
        for (const int64_t rows : {1, 30, 97}) {
          Cache expected_cache(data, 7, 2, head_dim, type), actual_cache(data, 7, 2, head_dim, type);
          const Tensor k = data.floats({first + rows, 2 * head_dim}),
                       v = data.floats({first + rows, 2 * head_dim});
          store_kv(data.device(), k.view().split_last(2), v.view().split_last(2), 0, expected_cache.layer);
          const auto store = [&](int64_t begin, int64_t end) {
            store_kv(*device_, k.view().rows(begin, end).split_last(2), v.view().rows(begin, end).split_last(2),
                     begin, actual_cache.layer);
          };
          store(0, first);
          store(first, first + rows);
          const Tensor q = data.floats({rows, 6, head_dim}, q_type);
          Tensor expected = data.empty({rows, 6, head_dim}), actual = data.empty({rows, 6, head_dim});
          causal_attention(data.device(), q.view(), expected_cache.layer, first, 0.25f, expected.view());
          causal_attention(*device_, q.view(), actual_cache.layer, first, 0.25f, actual.view());
          ASSERT_LT(difference(actual, expected), tolerance(q_type))
              << first << " + " << rows << " head size " << head_dim;
        }
      }
    }
  }
}

TEST_P(CpuAttentionTest, DecodeAttention) {
  Data data(9);
  for (const DType type : {DType::kF32, DType::kBF16, DType::kE4M3}) {
    std::vector<Cache> caches;
    std::vector<DecodeRow> rows;
    for (const int64_t tokens : {1, 63, 700, 1100}) {
      caches.emplace_back(data, 18, 2, 24, type);
      const Tensor k = data.floats({tokens, 2, 24}), v = data.floats({tokens, 2, 24});
      store_kv(*device_, k.view(), v.view(), 0, caches.back().layer);
      rows.push_back({.kv = {}, .num_tokens = tokens});
    }
    for (size_t i = 0; i < rows.size(); ++i) {
      caches[i].layer.blocks = caches[i].pointers;
      rows[i].kv = caches[i].layer;
    }
    const Tensor q = data.floats({4, 10, 24}, type == DType::kE4M3 ? DType::kF32 : type);
    Tensor expected = data.empty({4, 10, 24}), actual = data.empty({4, 10, 24});
    decode_attention(data.device(), q.view(), rows, 0.4f, expected.view());
    decode_attention(*device_, q.view(), rows, 0.4f, actual.view());
    ASSERT_LT(difference(actual, expected), kv_tolerance(type));
  }
}

// What is stored is the same at every instruction set, and anywhere else: to the last bit.
TEST_P(CpuAttentionTest, E4M3IsStoredAsOnTheReferenceDevice) {
  Data data(16);
  Cache expected(data, 3, 2, 24, DType::kE4M3), actual(data, 3, 2, 24, DType::kE4M3);
  for (const DType type : {DType::kF32, DType::kBF16}) {
    for (const float scale : {1e-33f, 1e-3f, 1.0f, 1e5f}) {
      const Tensor k = data.floats({130, 2, 24}, type, scale), v = data.floats({130, 2, 24}, type, scale);
      store_kv(data.device(), k.view(), v.view(), 7, expected.layer);
      store_kv(*device_, k.view(), v.view(), 7, actual.layer);
      for (size_t i = 0; i < 3; ++i) {
        ASSERT_EQ(std::memcmp(actual.pointers[i], expected.pointers[i], expected.memory[i].num_bytes()), 0) << scale << ", block " << i;
      }
    }
  }
}

// A model that has gone wrong must show: one number that is none makes what attends to its position none, at every element.
TEST_P(CpuAttentionTest, E4M3KeepsWhatIsNoNumber) {
  Data data(18);
  Cache cache(data, 1, 1, 24, DType::kE4M3);
  const Tensor k = data.floats({5, 1, 24}), q = data.floats({1, 1, 24});
  Tensor v = data.floats({5, 1, 24}), out = data.empty({1, 1, 24});
  v.data<float>()[2 * 24 + 7] = NAN;
  store_kv(*device_, k.view(), v.view(), 0, cache.layer);
  const DecodeRow row{.kv = cache.layer, .num_tokens = 5};
  decode_attention(*device_, q.view(), std::span(&row, 1), 0.4f, out.view());
  for (int64_t d = 0; d < 24; ++d) EXPECT_TRUE(std::isnan(out.data<float>()[d])) << d;
}

// Sequences that go on after a common beginning, one of them with several rows. Each row gets the same numbers
// alone, to the last bit.
TEST_P(CpuAttentionTest, DecodeAttentionOverSharedBlocks) {
  Data data(10);
  constexpr int64_t kHeadDim = 32, kShared = 10, kHeads = 6;  // blocks in common: one whole split and some
  for (const DType type : {DType::kF32, DType::kBF16, DType::kE4M3}) {
    Cache common(data, kShared, 2, kHeadDim, type);
    const Tensor k = data.floats({kShared * 64, 2, kHeadDim}), v = data.floats({kShared * 64, 2, kHeadDim});
    store_kv(*device_, k.view(), v.view(), 0, common.layer);
    std::vector<Cache> tails;
    std::vector<std::vector<void*>> pointers(3, common.pointers);
    std::vector<DecodeRow> rows;
    for (size_t i = 0; i < 3; ++i) {
      tails.emplace_back(data, 9, 2, kHeadDim, type);
      pointers[i].insert(pointers[i].end(), tails[i].pointers.begin(), tails[i].pointers.end());
      DecodeRow row{.kv = common.layer, .num_tokens = kShared * 64 + 5 + 190 * static_cast<int64_t>(i), .num_rows = i == 1 ? 5 : 1};
      row.kv.blocks = pointers[i];
      const int64_t own = row.num_tokens - kShared * 64;
      store_kv(*device_, data.floats({own, 2, kHeadDim}).view(), data.floats({own, 2, kHeadDim}).view(), kShared * 64, row.kv);
      rows.push_back(row);
    }
    const Tensor q = data.floats({7, kHeads, kHeadDim});
    Tensor expected = data.empty({7, kHeads, kHeadDim}), actual = data.empty({7, kHeads, kHeadDim});
    decode_attention(data.device(), q.view(), rows, 0.4f, expected.view());
    decode_attention(*device_, q.view(), rows, 0.4f, actual.view());
    ASSERT_LT(difference(actual, expected), kv_tolerance(type));
    for (int64_t row = 0; row < 7; ++row) {
      const int64_t sequence = row == 0 ? 0 : row == 6 ? 2 : 1;
      DecodeRow own = rows[static_cast<size_t>(sequence)];
      if (sequence == 1) own.num_tokens -= 5 - row;
      own.num_rows = 1;
      Tensor alone = data.empty({1, kHeads, kHeadDim});
      decode_attention(*device_, q.view().rows(row, row + 1), std::span(&own, 1), 0.4f, alone.view());
      for (int64_t i = 0; i < kHeads * kHeadDim; ++i) {
        ASSERT_EQ(alone.data<float>()[i], actual.data<float>()[row * kHeads * kHeadDim + i]) << "row " << row;
      }
    }
  }
}

// Attention of one row over keys and values that are scaled, and whose first channel is moved away from zero as a bias does.
struct KvInput {
  const char* name;
  float bias, key_scale, value_scale;
  double limit;  // of the root mean square error of the result, relative to the result
};

double rms(const Tensor& tensor, const Tensor* without = nullptr) {
  double sum = 0;
  const int64_t n = tensor.shape().num_elements();
  for (int64_t i = 0; i < n; ++i) {
    const double x = tensor.data<float>()[i] - (without == nullptr ? 0.0f : without->data<float>()[i]);
    sum += x * x;
  }
  return std::sqrt(sum / static_cast<double>(n));
}

TEST(E4M3Kv, IsAttentionOverTheDequantisedNumbersNearThatOverAll) {
  constexpr int64_t kTokens = 500, kHeads = 2, kHeadDim = 64;
  for (const KvInput& input : {KvInput{"plain", 0, 1, 1, 0.05}, KvInput{"small values", 0, 1, 1e-3f, 0.05}, KvInput{"large", 0, 1e3f, 1e3f, 0.05},
                               KvInput{"outliers", 100, 1, 1, 0.25}, KvInput{"large outliers", 1000, 1, 1, 0.25}}) {
    Data data(17);
    Tensor k = data.floats({kTokens, kHeads, kHeadDim}, DType::kF32, input.key_scale);
    const Tensor v = data.floats({kTokens, kHeads, kHeadDim}, DType::kF32, input.value_scale);
    for (int64_t i = 0; i < kTokens * kHeads; ++i) k.data<float>()[i * kHeadDim] += input.bias;
    const Tensor q = data.floats({40, kHeads, kHeadDim}, DType::kF32, 1 / input.key_scale);
    const auto dequantised = [&](const Tensor& x) {
      Tensor result = data.empty(x.shape());
      for (int64_t i = 0; i < kTokens * kHeads; ++i) {
        const float* row = x.data<float>() + i * kHeadDim;
        float largest = 0;
        for (int64_t d = 0; d < kHeadDim; ++d) largest = std::max(largest, std::abs(row[d]));
        for (int64_t d = 0; d < kHeadDim; ++d) {
          result.data<float>()[i * kHeadDim + d] = to_float(to_e4m3(row[d] * (448 / largest))) * (largest / 448);
        }
      }
      return result;
    };
    const auto attend = [&](const Tensor& keys, const Tensor& values, DType type) {
      Cache cache(data, 8, kHeads, kHeadDim, type);
      store_kv(data.device(), keys.view(), values.view(), 0, cache.layer);
      Tensor out = data.empty(q.shape());
      causal_attention(data.device(), q.view(), cache.layer, kTokens - 40, 0.125f, out.view());
      return out;
    };
    const Tensor narrow = attend(k, v, DType::kE4M3), wide = attend(k, v, DType::kF32);
    EXPECT_LT(difference(narrow, attend(dequantised(k), dequantised(v), DType::kF32)), 2e-5) << input.name;
    EXPECT_LT(rms(narrow, &wide), input.limit * rms(wide)) << input.name;
    EXPECT_GT(rms(narrow, &wide), 0.001 * rms(wide)) << input.name << ": nothing was rounded";
  }
}

TEST(E4M3Kv, ZerosStayZeros) {
  Data data(18);
  Cache cache(data, 1, 1, 8, DType::kE4M3);
  Tensor zeros = data.floats({1, 1, 8}, DType::kF32, 0.0f), out = data.empty({1, 2, 8});
  store_kv(data.device(), zeros.view(), zeros.view(), 0, cache.layer);
  causal_attention(data.device(), data.floats({1, 2, 8}).view(), cache.layer, 0, 1.0f, out.view());
  EXPECT_EQ(rms(out), 0.0);
}

// The tables have no second implementation: known values.
TEST(RotaryTable, TurnsEachSectionWithItsAxis) {
  Data data(12);
  Tensor cos = data.empty({2, 4}), sin = data.empty({2, 4});
  const std::vector<TokenPosition> positions{{0, 0, 0}, {5, 7, 11}};
  text_rotary_table(data.device(), positions, {.theta = 10000.0, .sections = {1, 1, 2}}, cos.view(),
                    sin.view());
  const float angles[] = {5.0f, 7.0f * 0.1f, 11.0f * 0.01f, 11.0f * 0.001f};
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(value_at(cos.view(), {0, i}), 1.0f);
    EXPECT_NEAR(value_at(cos.view(), {1, i}), std::cos(angles[i]), 1e-6);
    EXPECT_NEAR(value_at(sin.view(), {1, i}), std::sin(angles[i]), 1e-6);
  }
}

TEST(RotaryTable, VisionTurnsHalfWithTheRowAndHalfWithTheColumn) {
  Data data(13);
  Tensor cos = data.empty({1, 4}), sin = data.empty({1, 4});
  const std::vector<PatchPosition> positions{{3, 20}};
  vision_rotary_table(data.device(), positions, 10000.0, cos.view(), sin.view());
  const float angles[] = {3.0f, 3.0f * 0.01f, 20.0f, 20.0f * 0.01f};
  for (int64_t i = 0; i < 4; ++i) EXPECT_NEAR(value_at(sin.view(), {0, i}), std::sin(angles[i]), 1e-6);
}

}  // namespace
}  // namespace glyph::ops
