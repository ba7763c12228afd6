// Ops on rows that have several kernels, for few rows and for many, aligned or not: all give the same bits.
#include <cmath>
#include <cstring>

#include "ops/attention.h"
#include "ops/cuda/products.h"
#include "ops/decode_batch.h"
#include "ops/norm.h"
#include "ops/ops_test.h"
#include "ops/quantise.h"
#include "ops/rotary.h"
#include "tensor/cuda_backend.h"

namespace glyph::ops {
namespace {

class CudaRowsTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<Device>> device = open_cuda_device();
    if (!device.ok()) GTEST_SKIP() << device.status().message();
    gpu_ = std::move(device).value();
  }
  Tensor on_gpu(const Tensor& tensor) { return tensor.copy(*gpu_); }
  Tensor on_gpu(DType type, const Shape& shape) { return data_.empty(shape, type).copy(*gpu_); }
  // Elements, then scales if there are any.
  std::vector<uint8_t> bytes_of(const Tensor& tensor) {
    std::vector<uint8_t> bytes(tensor.num_bytes());
    gpu_->download(bytes.data(), tensor.view().raw(), bytes.size());
    EXPECT_TRUE(gpu_->take_status().ok());
    return bytes;
  }
  // op(first row, end) for a few rows at a time.
  template <typename Op>
  static void in_pieces(int64_t rows, int64_t step, const Op& op) {
    for (int64_t begin = 0; begin < rows; begin += step) op(begin, std::min(rows, begin + step));
  }

  Data data_{41};
  std::unique_ptr<Device> gpu_;
};

// Gates around the edges of silu's quick way beside ordinary ones.
Tensor gates_with_extremes(Data& data, const Shape& shape, DType type) {
  const float extremes[] = {0.0f, -0.0f, 63.75f, 64.0f, -64.0f, 64.5f, -64.5f, -87.0f, -88.5f, -89.0f, -1000.0f, 1000.0f, 1e-30f, -1e-38f};
  Tensor values = data.floats(shape, DType::kF32, 4.0f), gates(host_device(), type, shape);
  for (size_t i = 0; i < std::size(extremes) && static_cast<int64_t>(i) * 7 < shape.num_elements(); ++i) {
    values.data<float>()[i * 7] = extremes[i];
  }
  for (int64_t i = 0; i < shape.num_elements(); ++i) {
    const float value = values.data<float>()[i];
    if (type == DType::kBF16) gates.data<BF16>()[i] = to_bf16(value);
    else if (type == DType::kF16) gates.data<F16>()[i] = to_f16(value);
    else gates.data<float>()[i] = value;
  }
  return gates;
}

TEST_F(CudaRowsTest, SwigluIsSiluTimesUp) {
  for (const DType type : {DType::kF32, DType::kBF16, DType::kF16}) {
    for (const int64_t n : {1, 7, 8, 24, 1536}) {
      const Tensor gates = gates_with_extremes(data_, {3, n}, type), ups = data_.floats({3, n}, type);
      Tensor out = on_gpu(DType::kF32, {3, n});
      cuda::swiglu(gpu_->cuda(), on_gpu(gates).view(), on_gpu(ups).view(), out.view());
      const Tensor actual = host_copy(*gpu_, out.view());
      for (int64_t i = 0; i < 3 * n; ++i) {
        const double g = value_at(gates.view(), {i / n, i % n}), u = value_at(ups.view(), {i / n, i % n});
        const double expected = g / (1 + std::exp(-g)) * u;
        ASSERT_NEAR(actual.data<float>()[i], expected, kF32Tolerance * std::abs(expected) + 1e-35) << name_of(type) << ", gate " << g;
      }
    }
  }
}

TEST_F(CudaRowsTest, SwigluInE4M3IsItsQuantisedResult) {
  CudaDevice& device = gpu_->cuda();
  for (const DType type : {DType::kBF16, DType::kF16, DType::kF32}) {
    for (const int64_t n : {8, 16, 88, 1536, 4096, 13696, 13697, 16384, 16392}) {
      // Many rows: more than there are blocks.
      const int64_t many = n == 88 ? 4000 : n == 13696 && type == DType::kBF16 ? 600 : 4;
      for (const int64_t rows : {int64_t{1}, int64_t{2}, int64_t{3}, many}) {
        // Gate and up beside each other, as one product gives them; a column before them spoils the alignment.
        for (const int64_t before : {0, 1}) {
          const Tensor both = on_gpu(gates_with_extremes(data_, {rows, before + 2 * n}, type));
          const ConstTensorView gates = both.view().slice(1, before, before + n), ups = both.view().slice(1, before + n, before + 2 * n);
          Tensor wide = on_gpu(DType::kF32, {rows, n}), expected = on_gpu(DType::kE4M3, {rows, n}), actual = on_gpu(DType::kE4M3, {rows, n});
          cuda::swiglu(device, gates, ups, wide.view());
          quantise(*gpu_, wide.view(), expected.view());
          cuda::swiglu(device, gates, ups, actual.view());
          ASSERT_EQ(bytes_of(actual), bytes_of(expected)) << rows << " x " << n << " " << name_of(type) << " after " << before;
        }
      }
    }
  }
}

TEST_F(CudaRowsTest, QuantisedRowsAreTheSameAloneAndTogether) {
  constexpr int64_t kRows = 1200;  // enough for a warp each
  for (const DType type : {DType::kBF16, DType::kF16, DType::kF32}) {
    for (const int64_t n : {13, 64, 1536, 2056, 4096, 4104}) {
      const Tensor x = on_gpu(data_.floats({kRows, 64}, type)), some = on_gpu(data_.floats({kRows, n}, type));
      for (const ConstTensorView& rows : {some.view(), x.view().slice(1, 1, 64)}) {
        Tensor together = on_gpu(DType::kE4M3, rows.shape()), alone = on_gpu(DType::kE4M3, rows.shape());
        quantise(*gpu_, rows, together.view());
        in_pieces(kRows, 400, [&](int64_t begin, int64_t end) { quantise(*gpu_, rows.rows(begin, end), alone.view().rows(begin, end)); });
        ASSERT_EQ(bytes_of(together), bytes_of(alone)) << rows.size(1) << " " << name_of(type);
      }
    }
  }
}

TEST_F(CudaRowsTest, ManyRowsAreTurnedLikeFew) {
  constexpr int64_t kRows = 520;
  for (const DType type : {DType::kBF16, DType::kF16, DType::kF32}) {
    for (const int64_t half : {4, 8, 20, 64}) {
      for (const int64_t heads : {1, 9, 34}) {
        for (const RotaryPairs pairs : {RotaryPairs::kHalves, RotaryPairs::kInterleaved}) {
          const int64_t head_dim = pairs == RotaryPairs::kHalves ? 2 * half : 2 * half + 16;
          const Tensor cos = on_gpu(data_.floats({kRows, half})), sin = on_gpu(data_.floats({kRows, half}));
          // Two more columns: of every row but the first one, they spoil the alignment of 16 bytes, not that of 4.
          for (const int64_t more : {0, 2}) {
            Tensor together = on_gpu(data_.floats({kRows, heads * head_dim + more}, type)), apart = together.copy(*gpu_);
            const auto view = [&](Tensor& x) { return x.view().slice(1, 0, heads * head_dim).split_last(heads); };
            rotary(*gpu_, view(together), cos.view(), sin.view(), pairs);
            in_pieces(kRows, 250, [&](int64_t begin, int64_t end) {
              rotary(*gpu_, view(apart).rows(begin, end), cos.view().rows(begin, end), sin.view().rows(begin, end), pairs);
            });
            ASSERT_EQ(bytes_of(together), bytes_of(apart)) << heads << " heads of 2 x " << half << " " << name_of(type);
          }
        }
      }
    }
  }
}

TEST_F(CudaRowsTest, ManyRowsAreStoredLikeFew) {
  constexpr int64_t kRows = 150, kFirst = 50, kBlocks = 4;
  for (const DType type : {DType::kBF16, DType::kF16, DType::kF32}) {
    for (const int64_t head_dim : {4, 32, 128}) {
      for (const int64_t more : {0, 2}) {  // columns that spoil the alignment
        const size_t half = kv_half_bytes(2, 64, head_dim, type);
        const Tensor both = on_gpu(data_.floats({kRows, 4 * head_dim + more}, type));
        const ConstTensorView k = both.view().slice(1, 0, 2 * head_dim).split_last(2),
                              v = both.view().slice(1, 2 * head_dim, 4 * head_dim).split_last(2);
        const auto stored = [&](int64_t step) {
          Tensor memory = on_gpu(DType::kF32, {kBlocks, static_cast<int64_t>(2 * half / sizeof(float))});
          std::vector<void*> blocks;
          for (int64_t i = 0; i < kBlocks; ++i) blocks.push_back(memory.view().rows(i, i + 1).raw());
          const KvLayer kv{.blocks = blocks, .value_offset = half, .block_tokens = 64, .num_kv_heads = 2, .head_dim = head_dim, .dtype = type};
          in_pieces(kRows, step, [&](int64_t begin, int64_t end) {
            store_kv(*gpu_, k.rows(begin, end), v.rows(begin, end), kFirst + begin, kv);
          });
          return bytes_of(memory);
        };
        ASSERT_EQ(stored(kRows), stored(40)) << name_of(type) << " " << head_dim;
      }
    }
  }
}

// A model's heads of one size, and sequences of up to 128 tokens: what a step does to them by one kernel or by three.
struct HeadsStep {
  static constexpr int64_t kInputs = 128, kHeads = 4, kKvHeads = 2, kBlockTokens = 64, kBlocks = 2;

  HeadsStep(Device& on, Data& data, int64_t rows, int64_t head_dim, DType weight_type, DType kv)
      : device(on), columns((kHeads + 2 * kKvHeads) * head_dim), half(kv_half_bytes(kKvHeads, kBlockTokens, head_dim, kv)), batch(on) {
    const auto there = [&](const Tensor& tensor) { return tensor.copy(device); };
    weight = there(data.floats({columns, kInputs}, is_quantised(weight_type) ? DType::kBF16 : weight_type, 0.1f));
    if (is_quantised(weight_type)) {
      Tensor narrow(device, weight_type, weight.shape());
      quantise(device, weight.view(), narrow.view());
      weight = std::move(narrow);
    }
    bias = there(data.floats({columns}));
    norm = there(data.floats({kInputs}));
    x = there(data.floats({rows, kInputs}));
    normed = there(data.empty({rows, kInputs}, is_quantised(weight_type) ? DType::kBF16 : DType::kF32));
    memory = there(data.empty({rows, static_cast<int64_t>(kBlocks * 2 * half / sizeof(float))}));
    blocks = device.allocate(static_cast<size_t>(rows * kBlocks) * sizeof(void*));
    std::vector<const void*> pointers;
    for (int64_t i = 0; i < rows * kBlocks; ++i) {
      pointers.push_back(static_cast<const std::byte*>(memory.view().raw()) + static_cast<size_t>(i) * 2 * half);
    }
    device.upload(blocks.get(), pointers.data(), pointers.size() * sizeof(void*));
    std::vector<DecodeSlot> slots;
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t num_tokens = rows > 3 && row == 2 ? 0 : 1 + row * 21 % 128;  // 0: no such sequence
      slots.push_back({.id = 0,
                       .position = {static_cast<int32_t>(num_tokens), static_cast<int32_t>(row), 7},
                       .kv = {.blocks = {},
                              .device_blocks = static_cast<const void* const*>(blocks.get()) + row * kBlocks,
                              .value_offset = half,
                              .block_tokens = kBlockTokens,
                              .num_kv_heads = kKvHeads,
                              .head_dim = head_dim,
                              .dtype = kv},
                       .num_tokens = num_tokens});
    }
    batch.set(std::move(slots), 2 * half);
  }
  // Into the layer 0: the bytes of turned queries, then those of the cache.
  template <typename Project>
  std::vector<uint8_t> run(int64_t angles, bool recorded, const Project& project) {
    const int64_t rows = x.shape()[0], queries = columns / 2;
    Tensor cos(device, DType::kF32, {rows, angles}), sin(device, DType::kF32, {rows, angles}), out(device, DType::kF32, {rows, columns});
    const std::vector<uint8_t> empty(memory.num_bytes(), 0xFF);
    device.upload(memory.view().raw(), empty.data(), empty.size());
    const auto queue = [&] {
      text_rotary_table(device, batch, {.theta = 10000.0, .sections = {angles - 2, 1, 1}}, cos.view(), sin.view());
      rms_norm(device, x.view(), norm.view(), 1e-5f, normed.view());
      const ConstTensorView w = weight.view(), b = bias.view();
      const auto part = [&](int64_t begin, int64_t end) { return LinearPart{w.rows(begin, end), b.rows(begin, end)}; };
      const int64_t values = queries + queries / 2;
      project(HeadsProjection{part(0, queries), part(queries, values), part(values, columns), cos.view(), sin.view()}, out.view());
    };
    const std::unique_ptr<RecordedWork> work = recorded ? device.record(queue) : nullptr;
    if (work != nullptr) work->repeat();
    else queue();
    std::vector<uint8_t> bytes(out.num_bytes()), all;
    device.download(bytes.data(), out.view().raw(), bytes.size());
    const size_t row_bytes = bytes.size() / static_cast<size_t>(rows);
    for (size_t row = 0; row < bytes.size(); row += row_bytes) {
      all.insert(all.end(), bytes.data() + row, bytes.data() + row + row_bytes / 2);
    }
    bytes.resize(memory.num_bytes());
    device.download(bytes.data(), memory.view().raw(), bytes.size());
    all.insert(all.end(), bytes.begin(), bytes.end());
    EXPECT_TRUE(device.take_status().ok());
    return all;
  }

  Device& device;
  int64_t columns;
  size_t half;
  Tensor weight, bias, norm, x, normed, memory;
  DeviceMemory blocks;
  ops::DecodeBatch batch;
};

TEST_F(CudaRowsTest, HeadsOfOneKernelAreThoseOfThree) {
  for (const DType weight : {DType::kF32, DType::kF16, DType::kBF16, DType::kE4M3, DType::kI8, DType::kI4}) {
    for (const DType kv : {DType::kF32, DType::kF16, DType::kBF16, DType::kE4M3}) {
      for (const int64_t head_dim : {16, 24, 128}) {
        for (const int64_t rows : {1, 2, 3, 8, 9, 17, 32}) {
          if (rows > 8 && !is_quantised(weight)) continue;  // rows of another type
          HeadsStep step(*gpu_, data_, rows, head_dim, weight, kv);
          for (const int64_t angles : {head_dim / 2, head_dim / 4 + 1}) {
            const auto expected = step.run(angles, false, [&](const HeadsProjection& heads, const TensorView& out) {
              const int64_t queries = step.columns / 2, keys = queries / 2;
              const LinearPart parts[] = {heads.q, heads.k, heads.v};
              linear(*gpu_, step.normed.view(), parts, out);
              rotary(*gpu_, out.slice(1, 0, queries + keys).split_last(6), heads.cos, heads.sin, RotaryPairs::kInterleaved);
              store_kv(*gpu_, out.slice(1, queries, queries + keys).split_last(2), out.slice(1, queries + keys, step.columns).split_last(2),
                       step.batch, 0);
            });
            for (const bool recorded : {false, true}) {
              const auto actual = step.run(angles, recorded, [&](const HeadsProjection& heads, const TensorView& out) {
                project_heads(*gpu_, step.normed.view(), heads, step.batch, 0, out);
              });
              ASSERT_EQ(actual, expected) << rows << " rows, " << name_of(weight) << " to " << name_of(kv) << ", heads of " << head_dim << ", "
                                          << angles << " angles" << (recorded ? ", recorded" : "");
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace glyph::ops
