// Every op but attention against the reference device at odd shapes, on whatever devices instantiate this suite.
#include "ops/ops_test.h"

#include "ops/decode_batch.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/load.h"
#include "ops/norm.h"
#include "ops/patches.h"
#include "ops/quantise.h"
#include "ops/rotary.h"
#include "ops/softmax.h"

namespace glyph::ops {
namespace {

TEST_P(OpsTest, Linear) {
  Data data(1);
  for (const DType weight_type : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (const DType x_type : types()) {
      if (x_type != DType::kF32 && weight_type != x_type) continue;
      for (const int64_t rows : {1, 2, 3, 5, 8, 9, 17, 32, 33, 130}) {
        for (const int64_t depth : {1, 15, 64, 72, 197, 1088, 1096}) {
          const Tensor x = data.floats({rows, depth}, x_type);
          const Tensor first = data.floats({67, depth}, weight_type),
                       second = data.floats({130, depth}, weight_type);
          const Tensor bias = data.floats({67}), before = data.floats({rows, 197});
          for (const bool accumulate : {false, true}) {
            Tensor expected = data.copy(before), actual = data.copy(before);
            run_both(expected, actual, [&](Device& device, Views& at) {
              const LinearPart parts[] = {{.weight = at.in(first), .bias = at.in(bias)},
                                          {.weight = at.in(second), .bias = {}}};
              linear(device, at.in(x), parts, at.out(*result), {.accumulate = accumulate});
            });
            ASSERT_LT(difference(actual, expected), kF32Tolerance)
                << rows << " x " << depth << " " << name_of(weight_type);
          }
          const DType narrow_type = x_type == DType::kF16 ? DType::kF16 : DType::kBF16;
          Tensor narrow = data.empty({rows, 197}, narrow_type), wide = data.empty({rows, 197});
          run_both(wide, narrow, [&](Device& device, Views& at) {
            const LinearPart parts[] = {{.weight = at.in(first), .bias = at.in(bias)},
                                        {.weight = at.in(second), .bias = {}}};
            linear(device, at.in(x), parts, at.out(*result));
          });
          ASSERT_LT(difference(narrow, wide), tolerance(narrow_type));
        }
      }
    }
  }
}

// Three parts whose weights and biases lie one after another, as the q, k and v of a layer do.
TEST_P(OpsTest, LinearJoinsNeighbours) {
  Data data(14);
  for (const DType type : types()) {
    for (const int64_t rows : {1, 5, 40}) {
      const Tensor x = data.floats({rows, 128}, type), weight = data.floats({96, 128}, type), bias = data.floats({96});
      Tensor expected = data.empty({rows, 96}), actual = data.empty({rows, 96});
      run_both(expected, actual, [&](Device& device, Views& at) {
        const ConstTensorView w = at.in(weight), b = at.in(bias);
        const LinearPart parts[] = {{w.rows(0, 64), b.rows(0, 64)},
                                    {w.rows(64, 80), b.rows(64, 80)},
                                    {w.rows(80, 96), b.rows(80, 96)}};
        linear(device, at.in(x), parts, at.out(*result));
      });
      ASSERT_LT(difference(actual, expected), kF32Tolerance) << rows;
    }
  }
}

TEST_P(OpsTest, LinearReadsStridedRowsAndColumns) {
  Data data(2);
  const Tensor x = data.floats({40, 100}), weight = data.floats({30, 80});
  for (const int64_t rows : {2, 40}) {
    Tensor expected = data.empty({40, 90}), actual = data.copy(expected);
    run_both(expected, actual, [&](Device& device, Views& at) {
      const LinearPart part{.weight = at.in(weight).slice(1, 9, 79), .bias = {}};
      linear(device, at.in(x).slice(1, 20, 90).rows(0, rows), part, at.out(*result).slice(1, 50, 80).rows(0, rows));
    });
    for (int64_t r = 0; r < 40; ++r) {
      for (int64_t i = 0; i < 90; ++i) {
        const float want = value_at(expected.view(), {r, i}), got = value_at(actual.view(), {r, i});
        if (i < 50 || i >= 80 || r >= rows) {
          ASSERT_TRUE(std::isnan(got)) << "wrote outside its part";
        } else {
          ASSERT_NEAR(got, want, 1e-4);
        }
      }
    }
  }
}

TEST_P(OpsTest, SwigluLinear) {
  Data data(3);
  for (const DType type : types()) {
    for (const int64_t rows : {1, 2, 5, 8, 9, 17, 32, 70}) {
      struct Case {
        int64_t depth;
        DType x;
      };
      for (const auto& [depth, x_type] : {Case{61, type}, Case{64, type}, Case{200, type}, Case{200, DType::kF32}}) {
        const Tensor x = data.floats({rows, depth}, x_type), gate = data.floats({83, depth}, type, 0.3f),
                     up = data.floats({83, depth}, type);
        Tensor expected = data.empty({rows, 83}), actual = data.empty({rows, 83}),
               narrow = data.empty({rows, 83}, DType::kBF16);
        const Op op = [&](Device& device, Views& at) {
          swiglu_linear(device, at.in(x), at.in(gate), at.in(up), at.out(*result));
        };
        run_both(expected, actual, op);
        ASSERT_LT(difference(actual, expected), kF32Tolerance) << rows;
        run_both(expected, narrow, op);
        ASSERT_LT(difference(narrow, expected), kBf16Tolerance) << rows;
      }
    }
  }
}

// Guessed tokens are checked in rows beside each other, and must be what they would be one after the other: bit for bit, but for where a GPU has
// another kernel from five rows on.
TEST_P(OpsTest, FewRowsAreTheSameAloneAndTogether) {
  constexpr int64_t kTogether = 8, kOutputs = 70;
  struct Case {
    DType x, weight;
    int64_t depth;
    bool swiglu;
  };
  std::vector<Case> cases;
  for (const DType weight : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (const DType x : types()) {
      if (x != DType::kF32 && x != weight) continue;
      for (const int64_t depth : {61, 64, 200, 4096}) {
        for (const bool swiglu : {false, true}) cases.push_back({x, weight, depth, swiglu});
      }
    }
  }
  Data data(31);
  for (const auto& [x_type, type, depth, swiglu] : cases) {
    const Tensor x = data.floats({kTogether, depth}, x_type), weight = data.floats({kOutputs, depth}, type), up = data.floats({kOutputs, depth}, type);
    const auto run = [&, swiglu = swiglu](int64_t rows) {
      Tensor expected = data.empty({rows, kOutputs}), actual = data.empty({rows, kOutputs});
      run_both(expected, actual, [&](Device& device, Views& at) {
        const ConstTensorView first = at.in(x).rows(0, rows);
        if (swiglu) swiglu_linear(device, first, at.in(weight), at.in(up), at.out(*result));
        else linear(device, first, {.weight = at.in(weight), .bias = {}}, at.out(*result));
      });
      return actual;
    };
    const Tensor together = run(kTogether);
    for (const int64_t rows : {1, 2, 5}) {
      const Tensor alone = run(rows);
      if (!on_host_processor() && x_type == DType::kF32 && type == DType::kBF16 && rows < 5) {
        EXPECT_LT(difference(alone, host_copy(host_device(), together.view().rows(0, rows))), kF32Tolerance) << rows << " x " << depth;
        continue;
      }
      EXPECT_EQ(std::memcmp(alone.data<float>(), together.data<float>(), static_cast<size_t>(rows * kOutputs) * sizeof(float)), 0)
          << rows << " x " << depth << " " << name_of(x_type) << " with " << name_of(type) << (swiglu ? " swiglu" : "");
    }
  }
}

TEST_P(OpsTest, Norms) {
  Data data(4);
  for (const int64_t n : {1, 7, 16, 53, 384, 1536, 4096, 4100}) {
    const Tensor x = data.floats({5, n}), branch = data.floats({5, n}, DType::kF32, 3.0f);
    const Tensor weight = data.floats({n}), next = data.floats({n});
    for (const DType type : types()) {
      Tensor expected = data.empty({5, n}, type), actual = data.empty({5, n}, type);
      run_both(expected, actual, [&](Device& device, Views& at) {
        rms_norm(device, at.in(x), at.in(weight), 1e-5f, at.out(*result));
      });
      ASSERT_LT(difference(actual, expected), tolerance(type)) << n;

      run_both(expected, actual, [&](Device& device, Views& at) {
        layer_norm_gelu(device, at.in(x), at.in(weight), at.in(next), 1e-5f, at.out(*result));
      });
      ASSERT_LT(difference(actual, expected), tolerance(type)) << n;

      Tensor expected_x = data.copy(x), actual_x = data.copy(x);
      run_both(expected, actual, [&](Device& device, Views& at) {
        Tensor& sum = result == &expected ? expected_x : actual_x;
        add_norm(device, at.out(sum), at.in(branch), {at.in(weight), at.in(next), 1e-5f}, at.out(*result));
      });
      ASSERT_LT(difference(actual, expected), tolerance(type)) << n;
      ASSERT_LT(difference(actual_x, expected_x), kF32Tolerance) << n;
    }
  }
}

TEST_P(OpsTest, NormInPlace) {
  Data data(15);
  const Tensor x = data.floats({300, 64}), weight = data.floats({64});
  Tensor expected = data.copy(x), actual = data.copy(x);
  run_both(expected, actual, [&](Device& device, Views& at) {
    const TensorView rows = at.out(*result);
    rms_norm(device, rows, at.in(weight), 1e-5f, rows);
  });
  ASSERT_LT(difference(actual, expected), kF32Tolerance);
}

TEST_P(OpsTest, Softmax) {
  Data data(5);
  for (const int64_t n : {1, 5, 16, 1003}) {
    Tensor expected = data.floats({4, n}, DType::kF32, 20.0f);
    for (int64_t i = 0; i < n; ++i) expected.data<float>()[n + i] = -std::numeric_limits<float>::infinity();
    expected.data<float>()[0] = 3e4f;
    Tensor actual = data.copy(expected);
    run_both(expected, actual, [&](Device& device, Views& at) { softmax(device, at.out(*result)); });
    ASSERT_LT(difference(actual, expected), kF32Tolerance) << n;
  }
}

TEST_P(OpsTest, Rotary) {
  Data data(6);
  for (const DType type : types()) {
    for (const int64_t half : {2, 16, 21}) {
      const Tensor cos = data.floats({9, half}), sin = data.floats({9, half});
      for (const RotaryPairs pairs : {RotaryPairs::kHalves, RotaryPairs::kInterleaved}) {
        const int64_t head_dim = 2 * half + (pairs == RotaryPairs::kInterleaved ? 6 : 0);
        Tensor expected = data.floats({9, 3 * head_dim}, type), actual = data.copy(expected);
        run_both(expected, actual, [&](Device& device, Views& at) {
          rotary(device, at.out(*result).split_last(3), at.in(cos), at.in(sin), pairs);
        });
        ASSERT_LT(difference(actual, expected), tolerance(type)) << half;
      }
    }
  }
}

// Far positions too: a large angle loses digits unless sine and cosine are exact.
TEST_P(OpsTest, RotaryTables) {
  Data data(12);
  const std::vector<TokenPosition> tokens{{0, 0, 0}, {5, 7, 11}, {94500, 94499, 94470}, {300, 1, 94000}};
  const std::vector<PatchPosition> patches{{0, 0}, {3, 20}, {585, 146}};
  for (const bool cosine : {true, false}) {
    Tensor expected = data.empty({4, 32}), actual = data.empty({4, 32}), other = data.empty({4, 32});
    run_both(expected, actual, [&](Device& device, Views& at) {
      const TensorView wanted = at.out(*result), rest = at.out(other);
      text_rotary_table(device, tokens, {.theta = 10000.0, .sections = {8, 12, 12}}, cosine ? wanted : rest,
                        cosine ? rest : wanted);
    });
    EXPECT_LT(difference(actual, expected), kF32Tolerance);
    Tensor expected_patches = data.empty({3, 64}), actual_patches = data.empty({3, 64}),
           other_patches = data.empty({3, 64});
    run_both(expected_patches, actual_patches, [&](Device& device, Views& at) {
      const TensorView wanted = at.out(*result), rest = at.out(other_patches);
      vision_rotary_table(device, patches, 10000.0, cosine ? wanted : rest, cosine ? rest : wanted);
    });
    EXPECT_LT(difference(actual_patches, expected_patches), kF32Tolerance);
  }
}

TEST_P(OpsTest, Embedding) {
  Data data(10);
  const std::vector<int32_t> ids{3, 0, 6, 6, 1};
  for (const int64_t n : {37, 64}) {
    for (const DType type : {DType::kF32, DType::kF16, DType::kBF16}) {
      const Tensor table = data.floats({7, n}, type);
      Tensor expected = data.empty({5, n}), actual = data.empty({5, n});
      run_both(expected, actual,
               [&](Device& device, Views& at) { embedding(device, ids, at.in(table), at.out(*result)); });
      EXPECT_EQ(difference(actual, expected), 0.0);
    }
  }
}

TEST_P(OpsTest, PositionTable) {
  Data data(11);
  for (const int64_t n : {21, 24, 520}) {
    const Tensor table = data.floats({36, n});
    for (const PatchGrid grid : {PatchGrid{2, 14}, PatchGrid{6, 6}, PatchGrid{33, 4}}) {
      std::vector<PatchPosition> positions;
      for (int32_t row = 0; row < grid.height; ++row) {
        for (int32_t column = 0; column < grid.width; ++column) positions.push_back({row, column});
      }
      for (const int64_t pages : {1, 2, 5}) {
        Tensor expected = data.floats({pages * grid.num_patches(), n}), actual = data.copy(expected);
        run_both(expected, actual, [&](Device& device, Views& at) {
          add_position_table(device, positions, grid, at.in(table), at.out(*result));
        });
        ASSERT_LT(difference(actual, expected), 1e-5) << pages << " pages, " << n;
      }
    }
  }
}

TEST_P(OpsTest, Bytes) {
  Data data(16);
  std::vector<uint8_t> bytes;
  for (int i = 0; i < 1001 * 3; ++i) bytes.push_back(static_cast<uint8_t>(i * 7));
  Tensor expected = data.empty({1001, 3}), actual = data.empty({1001, 3});
  run_both(expected, actual, [&](Device& device, Views& at) { widen_bytes(device, bytes, at.out(*result)); });
  EXPECT_EQ(difference(actual, expected), 0.0);
  EXPECT_EQ(value_at(actual.view(), {12, 1}), static_cast<float>(37 * 7 % 256));
  if (device_->host_memory()) return;
  const DeviceMemory there = device_->allocate(bytes.size());
  device_->upload(there.get(), bytes.data(), bytes.size());
  for (const int64_t n : {3, 4, 12}) {
    const int64_t rows = 1000 / n;
    for (const DType type : {DType::kF32, DType::kBF16}) {
      Tensor twice(*device_, type, {rows, 2 * n});
      widen_device_bytes(*device_, static_cast<const uint8_t*>(there.get()), 2, twice.view());
      const Tensor shown = host_copy(*device_, twice.view());
      for (int64_t i = 0; i < rows * 2 * n; ++i) {
        const auto byte = static_cast<size_t>(i / (2 * n) * n + i % n);
        ASSERT_EQ(value_at(shown.view(), {i / (2 * n), i % (2 * n)}), static_cast<float>(bytes[byte])) << n << " " << name_of(type);
      }
    }
  }
}

// The keys and values of one sequence on any device.
struct BatchCache {
  BatchCache(Device& on, int64_t num_blocks, size_t block_bytes, DType type) : device(on) {
    for (int64_t i = 0; i < num_blocks; ++i) memory.push_back(device.allocate(block_bytes));
    for (const DeviceMemory& block : memory) pointers.push_back(block.get());
    layer = {.blocks = pointers, .value_offset = kv_half_bytes(2, 64, 32, type), .block_tokens = 64, .num_kv_heads = 2, .head_dim = 32,
             .dtype = type};
    if (device.host_memory()) return;
    table = device.allocate(pointers.size() * sizeof(void*));
    device.upload(table.get(), pointers.data(), pointers.size() * sizeof(void*));
    layer.device_blocks = static_cast<const void* const*>(table.get());
  }
  Device& device;
  std::vector<DeviceMemory> memory;
  std::vector<void*> pointers;
  DeviceMemory table;
  KvLayer layer;  // the first of two
};

// Three steps of two sequences in the second layer of their blocks, recorded at the second step where the device can.
TEST_P(OpsTest, DecodeBatch) {
  Data data(18);
  std::vector<DType> kv_types = types();
  kv_types.push_back(DType::kE4M3);
  for (const DType type : kv_types) {
    const size_t layer_bytes = 2 * kv_half_bytes(2, 64, 32, type);
    const int64_t lengths[] = {61, 130};
    std::vector<Tensor> q, k, v;
    for (int i = 0; i < 3; ++i) {
      q.push_back(data.floats({2, 8, 32}));
      k.push_back(data.floats({2, 2, 32}));
      v.push_back(data.floats({2, 2, 32}));
    }
    const Tensor before = data.floats({130, 2, 32});
    Tensor expected = data.empty({6, 8, 32}), actual = data.empty({6, 8, 32});
    run_both(expected, actual, [&](Device& device, Views& at) {
      std::vector<BatchCache> caches;
      for (const int64_t tokens : lengths) {
        caches.emplace_back(device, 3, 2 * layer_bytes, type);
        KvLayer second = caches.back().layer;
        second.blocks = caches.back().pointers;
        second.key_offset += layer_bytes;
        second.value_offset += layer_bytes;
        const ConstTensorView rows = at.in(before).rows(0, tokens);
        store_kv(device, rows, rows, 0, second);
      }
      Tensor first_q(device, DType::kF32, {2, 8, 32}), first_k(device, DType::kF32, {2, 2, 32}),
          first_v(device, DType::kF32, {2, 2, 32});
      ops::DecodeBatch batch(device);
      const TensorView out = at.out(*result);
      Tensor answer(device, DType::kF32, {2, 8, 32});
      std::unique_ptr<RecordedWork> work;
      const auto queue = [&] {
        store_kv(device, first_k.view(), first_v.view(), batch, 1);
        decode_attention(device, first_q.view(), batch, 1, 0.2f, answer.view());
      };
      for (size_t step = 0; step < 3; ++step) {
        std::vector<DecodeSlot> slots;
        for (size_t i = 0; i < 2; ++i) {
          KvLayer layer = caches[i].layer;
          layer.blocks = caches[i].pointers;
          slots.push_back({.id = 0, .position = {}, .kv = layer, .num_tokens = lengths[i] + static_cast<int64_t>(step) + 1});
        }
        batch.set(std::move(slots), layer_bytes);
        const auto put = [&](Tensor& to, const Tensor& from) {
          device.upload(to.view().raw(), from.view().raw(), from.num_bytes());
        };
        put(first_q, q[step]);
        put(first_k, k[step]);
        put(first_v, v[step]);
        if (step == 1) work = device.record(queue);
        EXPECT_EQ(work != nullptr, step > 0 && !device.host_memory());
        if (work != nullptr) {
          work->repeat();
        } else {
          queue();
        }
        const auto row = static_cast<int64_t>(2 * step);
        device.copy_bytes(out.rows(row, row + 2).raw(), answer.view().raw(), answer.num_bytes());
      }
    });
    ASSERT_LT(difference(actual, expected), kv_tolerance(type)) << name_of(type);
  }
}

// Two rows a sequence, as guessed tokens are, at the edges of its blocks, and what attention makes of them. 4 heads of 32, 2 of keys and values.
TEST_P(OpsTest, ProjectHeads) {
  struct Case {
    DType x, weight, kv;
    int64_t angles = 5;
    DType out = DType::kF32;
  };
  std::vector<Case> cases{{DType::kBF16, DType::kBF16, DType::kBF16, 16, DType::kBF16}};
  std::vector<DType> kv_types = types();
  kv_types.push_back(DType::kE4M3);
  for (const DType weight : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (const DType kv : kv_types) cases.push_back({DType::kF32, weight, kv});
  }
  for (const DType type : types()) cases.push_back({type, type, DType::kF32, 16});
  for (const DType weight : {DType::kE4M3, DType::kI8, DType::kI4}) {
    if (on_host_processor()) break;
    for (const DType kv : kv_types) cases.push_back({DType::kBF16, weight, kv, 16});
  }
  constexpr int64_t kInputs = 128, kOutputs = 256, kQueries = 128;
  const int64_t starts[] = {0, 62, 63, 64, 127, 130};
  Data data(20);
  const Tensor bias = data.floats({kOutputs}), before = data.floats({130, 2, 32});
  for (const Case& c : cases) {
    const size_t layer_bytes = 2 * kv_half_bytes(2, 64, 32, c.kv);
    Tensor weight = data.floats({kOutputs, kInputs}, is_quantised(c.weight) ? DType::kBF16 : c.weight, 0.1f);
    if (is_quantised(c.weight)) {
      Tensor narrow = data.empty(weight.shape(), c.weight);
      quantise(data.device(), weight.view(), narrow.view());
      weight = std::move(narrow);
    }
    for (const int64_t rows : {1, 2, 3, 8, 17, 32}) {
      const Tensor x = data.floats({rows, kInputs}, c.x), cos = data.floats({rows, c.angles}), sin = data.floats({rows, c.angles});
      Tensor expected = data.empty({rows, 4, 32}), actual = data.empty({rows, 4, 32});
      Tensor expected_out = data.empty({rows, kOutputs}, c.out), actual_out = data.empty({rows, kOutputs}, c.out);
      run_both(expected, actual, [&](Device& device, Views& at) {
        std::vector<std::unique_ptr<BatchCache>> caches;
        std::vector<DecodeSlot> slots;
        for (int64_t row = 0; row < rows; ++row) {
          const int64_t start = starts[row / 2 % std::ssize(starts)];
          if (row % 2 == 0) {
            caches.push_back(std::make_unique<BatchCache>(device, 3, 2 * layer_bytes, c.kv));
            KvLayer second = caches.back()->layer;
            second.key_offset += layer_bytes;
            second.value_offset += layer_bytes;
            const ConstTensorView some = at.in(before).rows(0, start);
            if (start > 0) store_kv(device, some, some, 0, second);
          }
          slots.push_back({.id = 0, .position = {}, .kv = caches.back()->layer, .num_tokens = start + row % 2 + 1});
        }
        ops::DecodeBatch batch(device);
        batch.set(std::move(slots), layer_bytes);
        const ConstTensorView w = at.in(weight), b = at.in(bias);
        const TensorView out = at.out(result == &expected ? expected_out : actual_out);
        project_heads(device, at.in(x),
                      {.q = {w.rows(0, 128), b.rows(0, 128)},
                       .k = {w.rows(128, 192), b.rows(128, 192)},
                       .v = {w.rows(192, 256), b.rows(192, 256)},
                       .cos = at.in(cos),
                       .sin = at.in(sin)},
                      batch, 1, out);
        decode_attention(device, out.slice(1, 0, kQueries).split_last(4), batch, 1, 0.2f, at.out(*result));
      });
      // The last bit of a sum may be what decides between two values of the type of the cache; integers with a scale may be widened to bf16.
      const bool has_groups = c.weight == DType::kI8 || c.weight == DType::kI4;
      ASSERT_LT(difference(actual, expected), c.kv == DType::kE4M3 ? 0.07 : 2 * (has_groups ? kBf16Tolerance : kv_tolerance(c.kv)))
          << rows << " rows " << name_of(c.x) << " with " << name_of(c.weight) << " to " << name_of(c.kv);
      for (int64_t i = 0; i < rows * kQueries; ++i) {
        const std::initializer_list<int64_t> place{i / kQueries, i % kQueries};
        ASSERT_NEAR(value_at(actual_out.view(), place), value_at(expected_out.view(), place), 16 * tolerance(has_groups ? DType::kBF16 : c.out))
            << rows << " rows " << name_of(c.x) << " with " << name_of(c.weight);
      }
    }
  }
}

// Weights from the host's memory in each type they are stored in, and from a seed: the same bits everywhere.
TEST_P(OpsTest, Load) {
  Data data(17);
  for (const DType stored : {DType::kF32, DType::kF16, DType::kBF16}) {
    const Tensor from = data.floats({33, 1000}, stored);
    for (const DType type : types()) {
      Tensor expected = data.empty({33, 1000}, type), actual = data.empty({33, 1000}, type);
      run_both(expected, actual, [&](Device& device, Views& at) { load(device, from.view(), at.out(*result)); });
      EXPECT_EQ(difference(actual, expected), 0.0) << name_of(stored) << " to " << name_of(type);
    }
  }
  for (const DType type : types()) {
    Tensor expected = data.empty({7, 501}, type), actual = data.empty({7, 501}, type);
    run_both(expected, actual, [&](Device& device, Views& at) {
      fill_random(device, {.start = 0xFFFFFFFFFFFFFF00u, .scale = 0.3f, .offset = 1.0f}, at.out(*result));
    });
    EXPECT_EQ(difference(actual, expected), 0.0) << name_of(type);
  }
}

}  // namespace
}  // namespace glyph::ops
