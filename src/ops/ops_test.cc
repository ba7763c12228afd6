// Every op on every level of the CPU against the reference device, at odd shapes: one body for all of them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "ops/attention.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/rotary.h"
#include "ops/softmax.h"
#include "tensor/cpu_device.h"

namespace glyph::ops {
namespace {

class Data {
 public:
  explicit Data(uint32_t seed) : random_(seed) {}

  Tensor floats(const Shape& shape, DType type = DType::kF32, float scale = 1.0f) {
    Tensor tensor(device_, type, shape);
    std::normal_distribution<float> normal(0, scale);
    for (int64_t i = 0; i < shape.num_elements(); ++i) {
      const float value = normal(random_);
      switch (type) {
        case DType::kF16:
          tensor.data<F16>()[i] = to_f16(value);
          break;
        case DType::kBF16:
          tensor.data<BF16>()[i] = to_bf16(value);
          break;
        default:
          tensor.data<float>()[i] = value;
          break;
      }
    }
    return tensor;
  }
  Tensor empty(const Shape& shape, DType type = DType::kF32) {
    Tensor tensor(device_, type, shape);
    std::memset(tensor.view().raw(), 0xFF,
                tensor.num_bytes());  // NaN in every type: what is not written shows
    return tensor;
  }
  Tensor copy(const Tensor& tensor) { return tensor.copy(device_); }
  ReferenceDevice& device() { return device_; }

 private:
  ReferenceDevice device_;
  std::mt19937 random_;
};

// Largest difference, relative to the largest magnitude of `expected`.
double difference(const Tensor& actual, const Tensor& expected) {
  EXPECT_EQ(actual.shape(), expected.shape());
  const int64_t n = actual.shape().num_elements();
  double worst = 0, largest = 1e-6;
  for (int64_t i = 0; i < n; ++i) {
    const double a = value_at(actual.view().reshape({n}), {i}),
                 e = value_at(expected.view().reshape({n}), {i});
    if (std::isnan(a) || std::isnan(e)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, std::abs(a - e));
    largest = std::max(largest, std::abs(e));
  }
  return worst / largest;
}

constexpr double kF32Tolerance = 3e-6;
constexpr double kBf16Tolerance = 1.2e-2;  // results are rounded to 8 bits, attention weights too
double tolerance(DType type) { return type == DType::kBF16 ? kBf16Tolerance : kF32Tolerance; }

class OpsTest : public testing::TestWithParam<CpuLevel> {
 protected:
  OpsTest() : cpu_({.num_threads = 3, .max_level = GetParam()}) {
    if (cpu_.level() != GetParam()) skip_ = true;
  }
  void SetUp() override {
    if (skip_) GTEST_SKIP() << "this machine has no such level";
  }

  CpuDevice cpu_;
  bool skip_ = false;
};

TEST_P(OpsTest, Linear) {
  Data data(1);
  for (const DType weight_type : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (const DType x_type : {DType::kF32, DType::kBF16}) {
      if (x_type == DType::kBF16 && weight_type != DType::kBF16) continue;
      for (const int64_t rows : {1, 3, 8, 11, 17, 33, 130}) {
        for (const int64_t depth : {1, 15, 64, 197}) {
          const Tensor x = data.floats({rows, depth}, x_type);
          const Tensor first = data.floats({67, depth}, weight_type),
                       second = data.floats({130, depth}, weight_type);
          const Tensor bias = data.floats({67});
          const LinearPart parts[] = {{.weight = first.view(), .bias = bias.view()},
                                      {.weight = second.view(), .bias = {}}};
          for (const bool accumulate : {false, true}) {
            const Tensor before = data.floats({rows, 197});
            Tensor expected = data.copy(before), actual = data.copy(before);
            linear(data.device(), x.view(), parts, expected.view(), {.accumulate = accumulate});
            linear(cpu_, x.view(), parts, actual.view(), {.accumulate = accumulate});
            ASSERT_LT(difference(actual, expected), kF32Tolerance)
                << rows << " x " << depth << " " << name_of(weight_type);
          }
          Tensor narrow = data.empty({rows, 197}, DType::kBF16), wide = data.empty({rows, 197});
          linear(cpu_, x.view(), parts, narrow.view());
          linear(data.device(), x.view(), parts, wide.view());
          ASSERT_LT(difference(narrow, wide), kBf16Tolerance);
        }
      }
    }
  }
}

TEST_P(OpsTest, LinearReadsStridedRowsAndColumns) {
  Data data(2);
  const Tensor x = data.floats({40, 100}), weight = data.floats({30, 80});
  Tensor expected = data.empty({40, 90}), actual = data.copy(expected);
  const LinearPart part{.weight = weight.view().slice(1, 9, 79), .bias = {}};
  linear(data.device(), x.view().slice(1, 20, 90), part, expected.view().slice(1, 50, 80));
  linear(cpu_, x.view().slice(1, 20, 90), part, actual.view().slice(1, 50, 80));
  for (int64_t r = 0; r < 40; ++r) {
    for (int64_t i = 0; i < 90; ++i) {
      const float want = value_at(expected.view(), {r, i}), got = value_at(actual.view(), {r, i});
      if (i < 50 || i >= 80) {
        ASSERT_TRUE(std::isnan(got)) << "wrote outside its columns";
      } else {
        ASSERT_NEAR(got, want, 1e-4);
      }
    }
  }
}

TEST_P(OpsTest, SwigluLinear) {
  Data data(3);
  for (const DType type : {DType::kF32, DType::kBF16}) {
    for (const int64_t rows : {1, 9, 70}) {
      const Tensor x = data.floats({rows, 61}, type), gate = data.floats({83, 61}, type, 0.3f),
                   up = data.floats({83, 61}, type);
      Tensor expected = data.empty({rows, 83}), actual = data.empty({rows, 83});
      swiglu_linear(data.device(), x.view(), gate.view(), up.view(), expected.view());
      swiglu_linear(cpu_, x.view(), gate.view(), up.view(), actual.view());
      ASSERT_LT(difference(actual, expected), kF32Tolerance) << rows;
    }
  }
}

TEST_P(OpsTest, Norms) {
  Data data(4);
  for (const int64_t n : {1, 7, 16, 53, 384}) {
    const Tensor x = data.floats({5, n}), branch = data.floats({5, n}, DType::kF32, 3.0f);
    const Tensor weight = data.floats({n}), next = data.floats({n});
    for (const DType type : {DType::kF32, DType::kBF16}) {
      Tensor expected = data.empty({5, n}, type), actual = data.empty({5, n}, type);
      rms_norm(data.device(), x.view(), weight.view(), 1e-5f, expected.view());
      rms_norm(cpu_, x.view(), weight.view(), 1e-5f, actual.view());
      ASSERT_LT(difference(actual, expected), tolerance(type)) << n;

      layer_norm_gelu(data.device(), x.view(), weight.view(), next.view(), 1e-5f, expected.view());
      layer_norm_gelu(cpu_, x.view(), weight.view(), next.view(), 1e-5f, actual.view());
      ASSERT_LT(difference(actual, expected), tolerance(type)) << n;

      Tensor expected_x = data.copy(x), actual_x = data.copy(x);
      const AddNormWeights weights{.branch = weight.view(), .next = next.view(), .eps = 1e-5f};
      add_norm(data.device(), expected_x.view(), branch.view(), weights, expected.view());
      add_norm(cpu_, actual_x.view(), branch.view(), weights, actual.view());
      ASSERT_LT(difference(actual, expected), tolerance(type)) << n;
      ASSERT_LT(difference(actual_x, expected_x), kF32Tolerance) << n;
    }
  }
}

TEST_P(OpsTest, Softmax) {
  Data data(5);
  for (const int64_t n : {1, 5, 16, 1003}) {
    Tensor expected = data.floats({4, n}, DType::kF32, 20.0f);
    for (int64_t i = 0; i < n; ++i) expected.data<float>()[n + i] = -std::numeric_limits<float>::infinity();
    expected.data<float>()[0] = 3e4f;
    Tensor actual = data.copy(expected);
    softmax(data.device(), expected.view());
    softmax(cpu_, actual.view());
    ASSERT_LT(difference(actual, expected), kF32Tolerance) << n;
  }
}

TEST_P(OpsTest, Rotary) {
  Data data(6);
  for (const DType type : {DType::kF32, DType::kBF16}) {
    for (const int64_t half : {2, 16, 21}) {
      const Tensor cos = data.floats({9, half}), sin = data.floats({9, half});
      for (const RotaryPairs pairs : {RotaryPairs::kHalves, RotaryPairs::kInterleaved}) {
        const int64_t head_dim = 2 * half + (pairs == RotaryPairs::kInterleaved ? 6 : 0);
        Tensor expected = data.floats({9, 3 * head_dim}, type), actual = data.copy(expected);
        rotary(data.device(), expected.view().split_last(3), cos.view(), sin.view(), pairs);
        rotary(cpu_, actual.view().split_last(3), cos.view(), sin.view(), pairs);
        ASSERT_LT(difference(actual, expected), tolerance(type)) << half;
      }
    }
  }
}

TEST_P(OpsTest, FullAttention) {
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
        full_attention(cpu_, part(0), part(1), part(2), 0.3f, actual.view());
        ASSERT_LT(difference(actual, expected), tolerance(type))
            << tokens << " tokens, head size " << head_dim;
      }
    }
  }
}

// Blocks of KV memory, filled with NaN so that positions nobody stored show.
struct Cache {
  Cache(Data& data, int64_t num_blocks, int64_t num_kv_heads, int64_t head_dim, DType type) {
    const int64_t half = num_kv_heads * head_dim * 64;
    for (int64_t i = 0; i < num_blocks; ++i) memory.push_back(data.empty({2 * half + 32}, type));
    for (Tensor& block : memory) pointers.push_back(block.view().raw());
    layer = {.blocks = pointers,
             .key_offset = 16 * size_of(type),
             .value_offset = static_cast<size_t>(half + 32) * size_of(type),
             .block_tokens = 64,
             .num_kv_heads = num_kv_heads,
             .head_dim = head_dim,
             .dtype = type};
  }
  std::vector<Tensor> memory;
  std::vector<void*> pointers;
  KvLayer layer;
};

TEST_P(OpsTest, CausalAttentionOverACache) {
  Data data(8);
  for (const DType type : {DType::kF32, DType::kBF16}) {
    for (const int64_t head_dim : {16, 64}) {
      for (const int64_t first : {0, 5, 64, 300}) {
        for (const int64_t rows : {1, 30, 97}) {
          Cache expected_cache(data, 7, 2, head_dim, type), actual_cache(data, 7, 2, head_dim, type);
          const Tensor k = data.floats({first + rows, 2 * head_dim}),
                       v = data.floats({first + rows, 2 * head_dim});
          store_kv(data.device(), k.view().split_last(2), v.view().split_last(2), 0, expected_cache.layer);
          const auto store = [&](int64_t begin, int64_t end) {
            store_kv(cpu_, k.view().rows(begin, end).split_last(2), v.view().rows(begin, end).split_last(2),
                     begin, actual_cache.layer);
          };
          store(0, first);
          store(first, first + rows);
          const Tensor q = data.floats({rows, 6, head_dim}, type);
          Tensor expected = data.empty({rows, 6, head_dim}), actual = data.empty({rows, 6, head_dim});
          causal_attention(data.device(), q.view(), expected_cache.layer, first, 0.25f, expected.view());
          causal_attention(cpu_, q.view(), actual_cache.layer, first, 0.25f, actual.view());
          ASSERT_LT(difference(actual, expected), tolerance(type))
              << first << " + " << rows << " head size " << head_dim;
        }
      }
    }
  }
}

TEST_P(OpsTest, DecodeAttention) {
  Data data(9);
  for (const DType type : {DType::kF32, DType::kBF16}) {
    std::vector<Cache> caches;
    std::vector<DecodeRow> rows;
    for (const int64_t tokens : {1, 63, 700, 1100}) {
      caches.emplace_back(data, 18, 2, 24, type);
      const Tensor k = data.floats({tokens, 2, 24}), v = data.floats({tokens, 2, 24});
      store_kv(cpu_, k.view(), v.view(), 0, caches.back().layer);
      rows.push_back({.kv = {}, .num_tokens = tokens});
    }
    for (size_t i = 0; i < rows.size(); ++i) {
      caches[i].layer.blocks = caches[i].pointers;
      rows[i].kv = caches[i].layer;
    }
    const Tensor q = data.floats({4, 10, 24}, type);
    Tensor expected = data.empty({4, 10, 24}), actual = data.empty({4, 10, 24});
    decode_attention(data.device(), q.view(), rows, 0.4f, expected.view());
    decode_attention(cpu_, q.view(), rows, 0.4f, actual.view());
    ASSERT_LT(difference(actual, expected), 2 * kF32Tolerance);
  }
}

TEST_P(OpsTest, Embedding) {
  Data data(10);
  const std::vector<int32_t> ids{3, 0, 6, 6, 1};
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
    const Tensor table = data.floats({7, 37}, type);
    Tensor expected = data.empty({5, 37}), actual = data.empty({5, 37});
    embedding(data.device(), ids, table.view(), expected.view());
    embedding(cpu_, ids, table.view(), actual.view());
    EXPECT_EQ(difference(actual, expected), 0.0);
  }
}

TEST_P(OpsTest, PositionTable) {
  Data data(11);
  const Tensor table = data.floats({36, 21});
  for (const PatchGrid grid : {PatchGrid{2, 14}, PatchGrid{6, 6}, PatchGrid{33, 4}}) {
    std::vector<PatchPosition> positions;
    for (int32_t row = 0; row < grid.height; ++row) {
      for (int32_t column = 0; column < grid.width; ++column) positions.push_back({row, column});
    }
    Tensor expected = data.floats({grid.num_patches(), 21}), actual = data.copy(expected);
    add_position_table(data.device(), positions, grid, table.view(), expected.view());
    add_position_table(cpu_, positions, grid, table.view(), actual.view());
    ASSERT_LT(difference(actual, expected), 1e-5);
  }
}

std::string level_name(const testing::TestParamInfo<CpuLevel>& level) {
  constexpr const char* kLevels[] = {"Baseline", "Avx2", "Avx512", "Avx512Bf16", "Amx"};
  return kLevels[static_cast<size_t>(level.param)];
}
INSTANTIATE_TEST_SUITE_P(Levels, OpsTest,
                         testing::Values(CpuLevel::kBaseline, CpuLevel::kAvx2, CpuLevel::kAvx512,
                                         CpuLevel::kAvx512Bf16, CpuLevel::kAmx),
                         level_name);

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
