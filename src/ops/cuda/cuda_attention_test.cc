// Attention on a GPU against the reference device: ragged pages, chunks over paged KV, decode of many
// sequences.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "ops/attention.h"
#include "ops/cuda/attention_cudnn.h"
#include "ops/cuda/attention_decode.h"
#include "ops/cuda/attention_pages.h"
#include "tensor/cuda_backend.h"

namespace glyph::ops {
namespace {

// f32: products and sums in f32, weights 2^x with x up to about 30 (2^-24 * 30), over sums of thousands.
// bf16: weights are rounded to 8 bits before they meet the values, bf16 results once more; f16: to 11 bits.
// e4m3 KV: itself exact, but widened with its scale for chunks, which rounds it like bf16.
double tolerance(DType type) {
  if (type == DType::kE4M3) return 0x1p-6;
  if (type == DType::kF16) return 0x1p-10;
  return type == DType::kBF16 ? 0x1p-7 : 0x1p-17;
}

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

class CudaAttentionTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<Device>> device = open_cuda_device();
    if (!device.ok()) GTEST_SKIP() << device.status().message();
    gpu_ = std::move(device).value();
  }
  void TearDown() override {
    if (gpu_ == nullptr) return;
    const Status status = gpu_->take_status();
    EXPECT_TRUE(status.ok()) << status.message();
  }

  Tensor floats(const Shape& shape, DType type, float scale = 1.0f) {
    Tensor tensor(host_, type, shape);
    std::normal_distribution<float> normal(0, scale);
    for (int64_t i = 0; i < shape.num_elements(); ++i) {
      const float value = normal(random_);
      if (type == DType::kBF16) {
        tensor.data<BF16>()[i] = to_bf16(value);
      } else if (type == DType::kF16) {
        tensor.data<F16>()[i] = to_f16(value);
      } else {
        tensor.data<float>()[i] = value;
      }
    }
    return tensor;
  }
  // NaN in every type: what is not written shows.
  Tensor empty(const Shape& shape, DType type = DType::kF32) {
    Tensor tensor(host_, type, shape);
    std::memset(tensor.view().raw(), 0xFF, tensor.num_bytes());
    return tensor;
  }
  Tensor to_gpu(const Tensor& tensor) {
    Tensor copy(*gpu_, tensor.dtype(), tensor.shape());
    gpu_->upload(copy.view().raw(), tensor.view().raw(), tensor.num_bytes());
    return copy;
  }
  Tensor to_host(const Tensor& tensor) {
    Tensor copy(host_, tensor.dtype(), tensor.shape());
    gpu_->download(copy.view().raw(), tensor.view().raw(), tensor.num_bytes());
    return copy;
  }
  int64_t number(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random_);
  }

  ReferenceDevice host_;
  std::unique_ptr<Device> gpu_;
  std::mt19937 random_{7};
};

struct PagesCase {
  DType type;
  int64_t heads, head_dim;
  std::vector<int64_t> page_tokens;
};

TEST_F(CudaAttentionTest, EveryPageSeesItself) {
  std::vector<PagesCase> cases;
  for (const DType type : {DType::kF32, DType::kBF16, DType::kF16}) {
    for (const int64_t head_dim : {8, 24, 32, 64, 128, 160}) {
      cases.push_back({type, 2, head_dim, {1, 63, 64, 65, 130}});
    }
    cases.push_back({type, 1, 128, {700, 5, 128, 129}});
    cases.push_back({type, 3, 64, {257}});
  }
  for (const PagesCase& c : cases) {
    int64_t rows = 0;
    for (const int64_t tokens : c.page_tokens) rows += tokens;
    const int64_t width = c.heads * c.head_dim;
    const Tensor qkv = floats({rows, 3 * width}, c.type), gpu_qkv = to_gpu(qkv);
    const auto part = [&](const Tensor& tensor, int64_t i) {
      return tensor.view().slice(1, i * width, (i + 1) * width).split_last(c.heads);
    };
    Tensor expected = empty({rows, c.heads, c.head_dim});
    full_attention(host_, part(qkv, 0), part(qkv, 1), part(qkv, 2), 0.3f, expected.view(), c.page_tokens);
    for (const DType out_type : {DType::kF32, c.type}) {
      Tensor out = to_gpu(empty({rows, c.heads, c.head_dim}, out_type));
      full_attention(*gpu_, part(gpu_qkv, 0), part(gpu_qkv, 1), part(gpu_qkv, 2), 0.3f, out.view(),
                     c.page_tokens);
      ASSERT_LT(difference(to_host(out), expected), tolerance(c.type))
          << rows << " rows, head size " << c.head_dim << " " << name_of(c.type) << " to "
          << name_of(out_type);
    }
  }
}

TEST_F(CudaAttentionTest, PagesOfEveryLength) {
  std::vector<int64_t> page_tokens;
  int64_t rows = 0;
  for (int i = 0; i < 12; ++i) rows += page_tokens.emplace_back(number(1, i < 10 ? 150 : 700));
  for (const DType type : {DType::kF32, DType::kBF16, DType::kF16}) {
    const Tensor q = floats({rows, 1, 128}, type), k = floats({rows, 1, 128}, type),
                 v = floats({rows, 1, 128}, type);
    Tensor expected = empty({rows, 1, 128}), out = to_gpu(expected);
    full_attention(host_, q.view(), k.view(), v.view(), 0.088f, expected.view(), page_tokens);
    full_attention(*gpu_, to_gpu(q).view(), to_gpu(k).view(), to_gpu(v).view(), 0.088f, out.view(),
                   page_tokens);
    ASSERT_LT(difference(to_host(out), expected), tolerance(type)) << name_of(type);
  }
}

TEST_F(CudaAttentionTest, MorePagesThanOneTableHolds) {
  std::vector<int64_t> page_tokens;
  int64_t rows = 0;
  for (int i = 0; i < 1000; ++i) rows += page_tokens.emplace_back(number(1, 3));
  const Tensor q = floats({rows, 1, 32}, DType::kBF16), k = floats({rows, 1, 32}, DType::kBF16),
               v = floats({rows, 1, 32}, DType::kBF16);
  Tensor expected = empty({rows, 1, 32}), out = to_gpu(expected);
  full_attention(host_, q.view(), k.view(), v.view(), 0.2f, expected.view(), page_tokens);
  full_attention(*gpu_, to_gpu(q).view(), to_gpu(k).view(), to_gpu(v).view(), 0.2f, out.view(), page_tokens);
  ASSERT_LT(difference(to_host(out), expected), tolerance(DType::kBF16));
}

TEST_F(CudaAttentionTest, PagesByCudnn) {
  cuda::CudnnAttention cudnn;
  for (const int64_t head_dim : {64, 128}) {
    for (const int64_t tokens : {1, 64, 333}) {
      const int64_t rows = 3 * tokens, width = 2 * head_dim;
      const Tensor qkv = floats({rows, 3 * width}, DType::kBF16), gpu_qkv = to_gpu(qkv);
      const auto part = [&](const Tensor& tensor, int64_t i) {
        return tensor.view().slice(1, i * width, (i + 1) * width).split_last(2);
      };
      Tensor expected = empty({rows, 2, head_dim}), out = to_gpu(empty({rows, 2, head_dim}, DType::kBF16));
      const std::vector<int64_t> page_tokens(3, tokens);
      full_attention(host_, part(qkv, 0), part(qkv, 1), part(qkv, 2), 0.2f, expected.view(), page_tokens);
      const bool done = cudnn.run(gpu_->cuda(), {.q = part(gpu_qkv, 0),
                                                 .k = part(gpu_qkv, 1),
                                                 .v = part(gpu_qkv, 2),
                                                 .out = out.view(),
                                                 .num_pages = 3,
                                                 .tokens = tokens,
                                                 .scale = 0.2f});
      if (!done) GTEST_SKIP() << "cuDNN: " << cuda::cudnn_description();
      ASSERT_LT(difference(to_host(out), expected), tolerance(DType::kBF16)) << tokens << " x " << head_dim;
    }
  }
}

TEST_F(CudaAttentionTest, OnePageEveryWay) {
  using cuda::PageWay;
  cuda::PageChoices choices;
  const int64_t tokens = 300, heads = 4, width = heads * 64;
  const Tensor qkv = floats({tokens, 3 * width}, DType::kBF16), gpu_qkv = to_gpu(qkv);
  const auto part = [&](const Tensor& tensor, int64_t i) {
    return tensor.view().slice(1, i * width, (i + 1) * width).split_last(heads);
  };
  Tensor expected = empty({tokens, heads, 64});
  full_attention(host_, part(qkv, 0), part(qkv, 1), part(qkv, 2), 0.2f, expected.view());
  for (const PageWay way : {PageWay::kHere, PageWay::kHerePacked, PageWay::kCudnn, PageWay::kCudnnPacked}) {
    Tensor out = to_gpu(empty({tokens, heads, 64}, DType::kBF16));
    const bool done = choices.run(gpu_->cuda(),
                                  {.q = part(gpu_qkv, 0),
                                   .k = part(gpu_qkv, 1),
                                   .v = part(gpu_qkv, 2),
                                   .out = out.view(),
                                   .num_pages = 1,
                                   .tokens = tokens,
                                   .scale = 0.2f},
                                  way);
    const bool by_cudnn = way == PageWay::kCudnn || way == PageWay::kCudnnPacked;
    if (by_cudnn && !done) continue;  // there is none on this machine
    ASSERT_LT(difference(to_host(out), expected), tolerance(DType::kBF16)) << static_cast<int>(way);
  }
}

// A row that one key wins by far, whose scores rise from step to step.
TEST_F(CudaAttentionTest, LargeScoresDoNotOverflow) {
  for (const DType type : {DType::kF32, DType::kBF16, DType::kF16}) {
    const int64_t rows = 300;
    const Tensor q = floats({rows, 1, 64}, type, 30.0f), v = floats({rows, 1, 64}, type);
    Tensor expected = empty({rows, 1, 64}), out = to_gpu(expected);
    full_attention(host_, q.view(), q.view(), v.view(), 1.0f, expected.view());
    const Tensor gpu_q = to_gpu(q);
    full_attention(*gpu_, gpu_q.view(), gpu_q.view(), to_gpu(v).view(), 1.0f, out.view());
    // Every row sees itself almost alone, so that no weight is far from 0 or 1.
    ASSERT_LT(difference(to_host(out), expected), tolerance(type));
  }
}

struct CacheShape {
  int64_t num_kv_heads, head_dim, block_tokens;
  DType type;
};
// What keys and values that become `type` are given in.
DType given_type(DType type) { return type == DType::kE4M3 ? DType::kF32 : type; }

// Blocks of KV memory in a random order, filled with NaN so that positions nobody stored show.
class Cache {
 public:
  Cache(Device& device, const CacheShape& shape, int64_t tokens, std::mt19937& random) {
    const size_t half = kv_half_bytes(shape.num_kv_heads, shape.block_tokens, shape.head_dim, shape.type);
    const int64_t blocks = tokens / shape.block_tokens + 1;
    const std::vector<uint8_t> nan(2 * half + 32 * size_of(shape.type), 0xFF);
    for (int64_t i = 0; i < blocks; ++i) {
      memory_.push_back(device.allocate(nan.size()));
      device.upload(memory_.back().get(), nan.data(), nan.size());
      pointers_.push_back(memory_.back().get());
    }
    std::shuffle(pointers_.begin(), pointers_.end(), random);
    layer_ = {.blocks = pointers_,
              .device_blocks = nullptr,
              .key_offset = 16 * size_of(shape.type),
              .value_offset = half + 32 * size_of(shape.type),
              .block_tokens = shape.block_tokens,
              .num_kv_heads = shape.num_kv_heads,
              .head_dim = shape.head_dim,
              .dtype = shape.type};
  }
  Cache(Cache&&) = default;
  // Also keeps the block table in the device's memory.
  void upload_table(Device& device) {
    table_ = device.allocate(pointers_.size() * sizeof(void*));
    device.upload(table_.get(), pointers_.data(), pointers_.size() * sizeof(void*));
    layer_.device_blocks = static_cast<const void* const*>(table_.get());
  }
  const KvLayer& layer() const { return layer_; }

 private:
  std::vector<DeviceMemory> memory_;
  std::vector<void*> pointers_;
  DeviceMemory table_;
  KvLayer layer_;
};

struct CausalCase {
  CacheShape shape;
  int64_t group, first, rows;
  DType q_type = given_type(shape.type);
};

TEST_F(CudaAttentionTest, ChunksSeeWhatCameBefore) {
  std::vector<CausalCase> cases;
  for (const DType type : {DType::kF32, DType::kBF16, DType::kF16}) {
    for (const int64_t head_dim : {24, 32, 64, 128}) {
      for (const int64_t first : {0, 5, 63, 64, 300})
        cases.push_back({{2, head_dim, 64, type}, 3, first, 97});
    }
    for (const int64_t rows : {1, 2, 64, 128, 129, 200}) cases.push_back({{1, 64, 128, type}, 2, 61, rows});
    cases.push_back({{4, 32, 192, type}, 1, 190, 10});
    cases.push_back({{2, 128, 64, type}, 16, 130, 70});
    // Long enough for their keys to be split over several blocks.
    cases.push_back({{2, 128, 64, type}, 4, 2100, 3});
    cases.push_back({{1, 64, 64, type}, 3, 1500, 20});
    cases.push_back({{1, 128, 128, type}, 1, 1023, 130});
    cases.push_back({{1, 24, 64, type}, 2, 1200, 5});
  }
  for (const DType q_type : {DType::kF32, DType::kBF16, DType::kF16}) {
    for (const int64_t head_dim : {24, 64, 128}) cases.push_back({{2, head_dim, 64, DType::kE4M3}, 3, 300, 97, q_type});
    cases.push_back({{2, 128, 64, DType::kE4M3}, 16, 0, 130, q_type});
    cases.push_back({{2, 128, 64, DType::kE4M3}, 4, 2100, 3, q_type});
    cases.push_back({{4, 32, 192, DType::kE4M3}, 1, 190, 10, q_type});
  }
  for (const CausalCase& c : cases) {
    const int64_t all = c.first + c.rows, kv_heads = c.shape.num_kv_heads, head_dim = c.shape.head_dim;
    Cache expected_cache(host_, c.shape, all, random_), cache(*gpu_, c.shape, all, random_);
    if (c.first % 2 == 1) cache.upload_table(*gpu_);
    const Tensor k = floats({all, kv_heads, head_dim}, DType::kF32),
                 v = floats({all, kv_heads, head_dim}, given_type(c.shape.type));
    const Tensor gpu_k = to_gpu(k), gpu_v = to_gpu(v);
    store_kv(host_, k.view(), v.view(), 0, expected_cache.layer());
    store_kv(*gpu_, gpu_k.view().rows(0, c.first), gpu_v.view().rows(0, c.first), 0, cache.layer());
    store_kv(*gpu_, gpu_k.view().rows(c.first, all), gpu_v.view().rows(c.first, all), c.first, cache.layer());
    const Tensor q = floats({c.rows, kv_heads * c.group, head_dim}, c.q_type);
    Tensor expected = empty(q.shape());
    causal_attention(host_, q.view(), expected_cache.layer(), c.first, 0.25f, expected.view());
    for (const DType out_type : {DType::kF32, c.q_type}) {
      Tensor out = to_gpu(empty(q.shape(), out_type));
      causal_attention(*gpu_, to_gpu(q).view(), cache.layer(), c.first, 0.25f, out.view());
      ASSERT_LT(difference(to_host(out), expected), tolerance(c.shape.type))
          << c.first << " + " << c.rows << " head size " << head_dim << " " << name_of(c.shape.type) << " by " << name_of(c.q_type);
    }
  }
}

struct DecodeCase {
  CacheShape shape;
  int64_t group;
  DType q_type;
  std::vector<int64_t> lengths;
};

std::vector<DecodeCase> decode_cases(std::mt19937& random) {
  std::vector<DecodeCase> cases;
  for (const DType type : {DType::kF32, DType::kBF16, DType::kF16}) {
    for (const int64_t head_dim : {24, 32, 64, 128}) {
      cases.push_back({{2, head_dim, 64, type}, 5, type, {1, 63, 64, 65, 700}});
    }
    for (const int64_t kv_heads : {1, 2, 3, 4})
      cases.push_back({{kv_heads, 64, 128, type}, 2, type, {200, 17}});
    cases.push_back({{2, 128, 64, type}, 16, DType::kF32, {5000}});
    cases.push_back(
        {{2, 128, 64, type}, 20, type == DType::kF16 ? type : DType::kBF16, {129, 1000}});  // more than a block's 16 query heads
    cases.push_back({{1, 160, 64, type}, 2, type, {90}});
    DecodeCase many{{1, 128, 64, type}, 16, type, {}};
    for (int i = 0; i < 33; ++i) {
      many.lengths.push_back(std::uniform_int_distribution<int64_t>(1, i < 30 ? 400 : 5000)(random));
    }
    cases.push_back(std::move(many));
  }
  for (const DType q_type : {DType::kF32, DType::kBF16, DType::kF16}) {
    for (const int64_t head_dim : {24, 32, 64, 128, 160}) {
      cases.push_back({{2, head_dim, 64, DType::kE4M3}, 5, q_type, {1, 15, 16, 17, 63, 64, 65, 700}});
    }
    cases.push_back({{1, 128, 128, DType::kE4M3}, 2, q_type, {200, 17}});
    cases.push_back({{2, 128, 64, DType::kE4M3}, 16, q_type, {5000}});
    cases.push_back({{2, 128, 64, DType::kE4M3}, 20, q_type, {129, 1000}});
  }
  DecodeCase many{{2, 128, 64, DType::kE4M3}, 16, DType::kF32, {}};
  for (int i = 0; i < 33; ++i) {
    many.lengths.push_back(std::uniform_int_distribution<int64_t>(1, i < 30 ? 400 : 5000)(random));
  }
  cases.push_back(std::move(many));
  return cases;
}

// The sequences of one case on one device.
struct Sequences {
  Sequences(Device& device, const DecodeCase& c, std::mt19937& random) {
    for (const int64_t tokens : c.lengths) caches.emplace_back(device, c.shape, tokens, random);
  }
  std::vector<DecodeRow> rows(const std::vector<int64_t>& lengths) const {
    std::vector<DecodeRow> rows;
    for (size_t i = 0; i < caches.size(); ++i)
      rows.push_back({.kv = caches[i].layer(), .num_tokens = lengths[i]});
    return rows;
  }
  std::vector<Cache> caches;
};

TEST_F(CudaAttentionTest, OneRowASequence) {
  for (const DecodeCase& c : decode_cases(random_)) {
    Sequences expected_sequences(host_, c, random_), sequences(*gpu_, c, random_);
    const int64_t kv_heads = c.shape.num_kv_heads, head_dim = c.shape.head_dim;
    for (size_t i = 0; i < c.lengths.size(); ++i) {
      const Tensor k = floats({c.lengths[i], kv_heads, head_dim}, given_type(c.shape.type)),
                   v = floats({c.lengths[i], kv_heads, head_dim}, given_type(c.shape.type));
      if (i % 2 == 1) sequences.caches[i].upload_table(*gpu_);
      store_kv(host_, k.view(), v.view(), 0, expected_sequences.caches[i].layer());
      store_kv(*gpu_, to_gpu(k).view(), to_gpu(v).view(), 0, sequences.caches[i].layer());
    }
    const auto n = static_cast<int64_t>(c.lengths.size());
    const Tensor q = floats({n, kv_heads * c.group, head_dim}, c.q_type);
    Tensor expected = empty(q.shape()), out = to_gpu(expected), narrow = to_gpu(empty(q.shape(), c.q_type));
    decode_attention(host_, q.view(), expected_sequences.rows(c.lengths), 0.2f, expected.view());
    const Tensor gpu_q = to_gpu(q);
    decode_attention(*gpu_, gpu_q.view(), sequences.rows(c.lengths), 0.2f, out.view());
    decode_attention(*gpu_, gpu_q.view(), sequences.rows(c.lengths), 0.2f, narrow.view());
    ASSERT_LT(difference(to_host(out), expected), tolerance(c.shape.type))
        << n << " sequences, " << kv_heads << " KV heads of " << head_dim << " " << name_of(c.shape.type);
    ASSERT_LT(difference(to_host(narrow), expected), std::max(tolerance(c.shape.type), tolerance(c.q_type)));
  }
}

// Several steps through one table, as a captured graph would run them: only the table's content changes.
class CudaDecodeTableTest : public CudaAttentionTest, public testing::WithParamInterface<DType> {};
INSTANTIATE_TEST_SUITE_P(Kv, CudaDecodeTableTest, testing::Values(DType::kBF16, DType::kE4M3));

TEST_P(CudaDecodeTableTest, StepsOnTheDevice) {
  const CacheShape shape{2, 128, 64, GetParam()};
  std::vector<int64_t> lengths{1, 62, 300};
  const DecodeCase c{shape, 16, DType::kBF16, {10, 70, 310}};
  Sequences expected_sequences(host_, c, random_), sequences(*gpu_, c, random_);
  for (Cache& cache : sequences.caches) cache.upload_table(*gpu_);
  for (size_t i = 0; i < lengths.size(); ++i) {
    const Tensor k = floats({lengths[i], 2, 128}, DType::kBF16),
                 v = floats({lengths[i], 2, 128}, DType::kBF16);
    store_kv(host_, k.view(), v.view(), 0, expected_sequences.caches[i].layer());
    store_kv(*gpu_, to_gpu(k).view(), to_gpu(v).view(), 0, sequences.caches[i].layer());
  }
  CudaDevice& cuda = gpu_->cuda();
  const KvLayer& layer = sequences.caches[0].layer();
  const DeviceMemory memory = gpu_->allocate(3 * sizeof(cuda::DecodeSequence));
  const cuda::DecodeTable table{.sequences = static_cast<const cuda::DecodeSequence*>(memory.get()),
                                .max_tokens = 310,
                                .kv = {.key_offset = layer.key_offset,
                                       .value_offset = layer.value_offset,
                                       .block_tokens = 64,
                                       .num_kv_heads = 2,
                                       .head_dim = 128},
                                .dtype = GetParam()};
  const Tensor shape_of_q = floats({3, 32, 128}, DType::kBF16);
  const DeviceMemory scratch = gpu_->allocate(cuda::decode_scratch_bytes(cuda, shape_of_q.view(), table));
  for (int step = 0; step < 4; ++step) {
    const Tensor q = floats({3, 32, 128}, DType::kBF16), k = floats({3, 2, 128}, DType::kF32),
                 v = floats({3, 2, 128}, DType::kF32);
    std::vector<cuda::DecodeSequence> rows;
    for (size_t i = 0; i < lengths.size(); ++i) {
      const auto row = static_cast<int64_t>(i);
      store_kv(host_, k.view().rows(row, row + 1), v.view().rows(row, row + 1), lengths[i]++,
               expected_sequences.caches[i].layer());
      rows.push_back({sequences.caches[i].layer().device_blocks, lengths[i]});
    }
    gpu_->upload(memory.get(), rows.data(), rows.size() * sizeof(rows[0]));
    Tensor expected = empty({3, 32, 128}), out = to_gpu(expected);
    decode_attention(host_, q.view(), expected_sequences.rows(lengths), 0.1f, expected.view());
    cuda::store_kv(cuda, to_gpu(k).view(), to_gpu(v).view(), table);
    cuda::decode_attention(cuda, to_gpu(q).view(), table, 0.1f, scratch.get(), out.view());
    ASSERT_LT(difference(to_host(out), expected), tolerance(GetParam())) << "step " << step;
  }
}

// Keys and values as large as biases make some channels, and as small as some are: what is stored is what the reference device stores, so
// that decode attention is as near to it as over plain numbers. Three sequences share their beginning, blocks and all.
TEST_F(CudaAttentionTest, E4M3WithOutliersInSharedBlocks) {
  const CacheShape shape{2, 128, 64, DType::kE4M3};
  constexpr int64_t kShared = 10;  // blocks
  for (const float bias : {0.0f, 30.0f, 300.0f}) {
    Cache expected_common(host_, shape, 64 * kShared - 1, random_), common(*gpu_, shape, 64 * kShared - 1, random_);
    std::vector<Cache> tails, expected_tails;
    std::vector<std::vector<void*>> pointers(3), expected_pointers(3);
    std::vector<DecodeRow> rows, expected_rows;
    const auto store_both = [&](int64_t count, int64_t first, const KvLayer& there, const KvLayer& here) {
      Tensor k = floats({count, 2, 128}, DType::kF32);
      for (int64_t i = 0; i < count * 2; ++i) k.data<float>()[i * 128 + 5] += bias;
      const Tensor v = floats({count, 2, 128}, DType::kF32, 0.01f);
      store_kv(*gpu_, to_gpu(k).view(), to_gpu(v).view(), first, there);
      store_kv(host_, k.view(), v.view(), first, here);
    };
    store_both(64 * kShared, 0, common.layer(), expected_common.layer());
    for (size_t i = 0; i < 3; ++i) {
      const auto own = static_cast<int64_t>(5 + 100 * i);
      const auto joined = [&](const Cache& beginning, const Cache& tail, std::vector<void*>& blocks) {
        blocks.assign(beginning.layer().blocks.begin(), beginning.layer().blocks.end());
        blocks.insert(blocks.end(), tail.layer().blocks.begin(), tail.layer().blocks.end());
        DecodeRow row{.kv = tail.layer(), .num_tokens = 64 * kShared + own};
        row.kv.blocks = blocks;
        return row;
      };
      tails.emplace_back(*gpu_, shape, own, random_);
      expected_tails.emplace_back(host_, shape, own, random_);
      rows.push_back(joined(common, tails.back(), pointers[i]));
      expected_rows.push_back(joined(expected_common, expected_tails.back(), expected_pointers[i]));
      store_both(own, 64 * kShared, rows.back().kv, expected_rows.back().kv);
    }
    const Tensor q = floats({3, 32, 128}, DType::kF32, 0.3f);
    Tensor expected = empty(q.shape()), out = to_gpu(expected);
    decode_attention(host_, q.view(), expected_rows, 0.088f, expected.view());
    decode_attention(*gpu_, to_gpu(q).view(), rows, 0.088f, out.view());
    // The query is rounded to bf16, and a large channel moves all scores by what it lost: by nearly the same.
    ASSERT_LT(difference(to_host(out), expected), 2 * tolerance(DType::kE4M3)) << bias;
  }
}

}  // namespace
}  // namespace glyph::ops
