// Quantised matrices: how they are made, and the ops that read and write them, against the reference device.
#include "ops/quantise.h"

#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/ops_test.h"

namespace glyph::ops {
namespace {

constexpr DType kTypes[] = {DType::kE4M3, DType::kI8, DType::kI4};

// Half a step of each type at the largest magnitude of a group, relative to it, with the rounding of a bf16 scale.
double half_step(DType type) {
  if (type == DType::kE4M3) return 0x1p-4;
  return type == DType::kI8 ? 0.5 / 127 + 0x1p-8 : 1.0 / 8 + 0x1p-8;  // the top of i4 is one step short
}

Tensor quantised(Data& data, const Shape& shape, DType type) {
  Tensor tensor(data.device(), type, shape);
  quantise(data.device(), data.floats(shape, DType::kBF16).view(), tensor.view());
  return tensor;
}

TEST(Quantise, StaysWithinHalfAStepOfEveryGroup) {
  Data data(21);
  for (const DType type : kTypes) {
    const Tensor x = data.floats({9, 192});
    Tensor narrow = data.empty({9, 192}, type);
    quantise(data.device(), x.view(), narrow.view());
    const int64_t group = type == DType::kE4M3 ? 192 : kQuantGroup;
    for (int64_t i = 0; i < 9 * 192; ++i) {
      double largest = 0;
      for (int64_t j = i / group * group; j < (i / group + 1) * group; ++j) {
        largest = std::max(largest, std::abs(static_cast<double>(x.data<float>()[j])));
      }
      const double error = std::abs(value_at(narrow.view(), {i / 192, i % 192}) - x.data<float>()[i]);
      ASSERT_LE(error, largest * half_step(type)) << name_of(type) << " " << i;
    }
  }
}

TEST(Quantise, ZerosStayZeros) {
  Data data(22);
  Tensor x(data.device(), DType::kF32, {2, 64});
  std::memset(x.view().raw(), 0, x.num_bytes());
  for (const DType type : kTypes) {
    Tensor narrow = data.empty({2, 64}, type);
    quantise(data.device(), x.view(), narrow.view());
    EXPECT_EQ(value_at(narrow.view(), {1, 63}), 0.0f) << name_of(type);
  }
}

TEST(Quantise, OnlyManyRowsOfE4M3WeightsBecomeE4M3) {
  Data data(23);
  const Tensor narrow = quantised(data, {16, 64}, DType::kE4M3), plain = data.floats({16, 64}, DType::kBF16);
  const ConstTensorView weight = narrow.view();
  EXPECT_EQ(input_type(DType::kBF16, 1000, {weight, weight}), DType::kE4M3);
  EXPECT_EQ(input_type(DType::kBF16, kMaxQuantisedVectorRows, {weight}), DType::kBF16);
  EXPECT_EQ(input_type(DType::kBF16, 1000, {weight, plain.view()}), DType::kBF16);
}

TEST_P(OpsTest, Quantise) {
  if (on_host_processor()) GTEST_SKIP() << "the processor has no kernels for quantised matrices";
  Data data(24);
  for (const DType type : kTypes) {
    for (const DType from : types()) {
      for (const int64_t n : {64, 192, 4096}) {
        const Tensor x = data.floats({7, n}, from);
        Tensor expected = data.empty({7, n}, type), actual = data.empty({7, n}, type);
        run_both(expected, actual, [&](Device& device, Views& at) { quantise(device, at.in(x), at.out(*result)); });
        // At a tie the last bit of a division decides; a step is twice half of it.
        ASSERT_LT(difference(actual, expected), 2 * half_step(type)) << name_of(type) << " from " << name_of(from);
      }
    }
  }
}

// Few rows meet the weights as they are, more e4m3 rows are rounded to 4 bits themselves.
double product_tolerance(DType weights, int64_t rows) {
  return weights == DType::kE4M3 && rows > kMaxQuantisedVectorRows ? 0.05 : kBf16Tolerance;
}

TEST_P(OpsTest, LinearWithQuantisedWeights) {
  if (on_host_processor()) GTEST_SKIP() << "the processor has no kernels for quantised matrices";
  Data data(25);
  for (const DType type : kTypes) {
    for (const int64_t rows : {1, 3, 8, 9, 17, 33, 130}) {
      for (const int64_t depth : {64, 192, 1088, 4096}) {
        if (depth == 4096 && rows != 1) continue;  // the reference is slow
        const Tensor both = quantised(data, {128, depth}, type), bias = data.floats({128});
        for (const DType x_type : {DType::kBF16, DType::kF32}) {
          if (x_type == DType::kF32 && rows > 9 && rows < 130) continue;
          const Tensor x = data.floats({rows, depth}, x_type), before = data.floats({rows, 128});
          for (const bool accumulate : {false, true}) {
            Tensor expected = data.copy(before), actual = data.copy(before);
            run_both(expected, actual, [&](Device& device, Views& at) {
              const ConstTensorView w = at.in(both), b = at.in(bias);
              const LinearPart parts[] = {{w.rows(0, 80), b.rows(0, 80)}, {w.rows(80, 128), b.rows(80, 128)}};
              linear(device, at.in(x), parts, at.out(*result), {.accumulate = accumulate});
            });
            ASSERT_LT(difference(actual, expected), product_tolerance(type, rows))
                << rows << " x " << depth << " " << name_of(type) << (accumulate ? " added" : "");
          }
          Tensor wide = data.empty({rows, 80}), narrow = data.empty({rows, 80}, DType::kBF16);
          run_both(wide, narrow, [&](Device& device, Views& at) {
            linear(device, at.in(x), {.weight = at.in(both).rows(0, 80), .bias = {}}, at.out(*result));
          });
          ASSERT_LT(difference(narrow, wide), product_tolerance(type, rows));
        }
      }
    }
  }
}

// Both sides already e4m3: nothing is rounded on the way but the sums.
TEST_P(OpsTest, LinearOfE4M3Rows) {
  if (on_host_processor()) GTEST_SKIP() << "the processor has no kernels for quantised matrices";
  Data data(26);
  for (const int64_t rows : {1, 16, 65, 300}) {
    for (const int64_t depth : {64, 1088}) {
      const Tensor x = quantised(data, {rows, depth}, DType::kE4M3), weight = quantised(data, {96, depth}, DType::kE4M3);
      const Tensor bias = data.floats({96}), before = data.floats({rows, 96});
      for (const bool accumulate : {false, true}) {
        Tensor expected = data.copy(before), actual = data.copy(before);
        run_both(expected, actual, [&](Device& device, Views& at) {
          linear(device, at.in(x), {.weight = at.in(weight), .bias = at.in(bias)}, at.out(*result),
                 {.accumulate = accumulate});
        });
        ASSERT_LT(difference(actual, expected), 4e-3) << rows << " x " << depth;
      }
    }
  }
}

TEST_P(OpsTest, SwigluWithQuantisedWeights) {
  if (on_host_processor()) GTEST_SKIP() << "the processor has no kernels for quantised matrices";
  Data data(27);
  for (const DType type : kTypes) {
    for (const int64_t rows : {1, 9, 32, 70}) {
      const Tensor x = data.floats({rows, 192}, DType::kBF16), both = quantised(data, {160, 192}, type);
      const auto op = [&](Device& device, Views& at) {
        const ConstTensorView w = at.in(both);
        swiglu_linear(device, at.in(x), w.rows(0, 80), w.rows(80, 160), at.out(*result));
      };
      Tensor expected = data.empty({rows, 80}), actual = data.empty({rows, 80});
      run_both(expected, actual, op);
      const double limit = 2 * product_tolerance(type, rows);  // of two products
      ASSERT_LT(difference(actual, expected), limit) << rows << " " << name_of(type);
      Tensor narrow = data.empty({rows, 80}, DType::kE4M3);
      run_both(expected, narrow, op);
      ASSERT_LT(difference(narrow, expected), limit + half_step(DType::kE4M3)) << rows << " " << name_of(type);
    }
  }
}

TEST_P(OpsTest, NormsGiveE4M3Rows) {
  if (on_host_processor()) GTEST_SKIP() << "the processor has no kernels for quantised matrices";
  Data data(28);
  const double limit = half_step(DType::kE4M3);
  for (const int64_t n : {16, 53, 384, 4096}) {
    const Tensor x = data.floats({5, n}), branch = data.floats({5, n}), weight = data.floats({n}), next = data.floats({n});
    Tensor expected = data.empty({5, n}), actual = data.empty({5, n}, DType::kE4M3);
    run_both(expected, actual, [&](Device& device, Views& at) {
      rms_norm(device, at.in(x), at.in(weight), 1e-5f, at.out(*result));
    });
    ASSERT_LT(difference(actual, expected), limit) << n;
    run_both(expected, actual, [&](Device& device, Views& at) {
      layer_norm_gelu(device, at.in(x), at.in(weight), at.in(next), 1e-5f, at.out(*result));
    });
    ASSERT_LT(difference(actual, expected), limit) << n;
    Tensor expected_x = data.copy(x), actual_x = data.copy(x);
    run_both(expected, actual, [&](Device& device, Views& at) {
      Tensor& sum = result == &expected ? expected_x : actual_x;
      add_norm(device, at.out(sum), at.in(branch), {at.in(weight), at.in(next), 1e-5f}, at.out(*result));
    });
    ASSERT_LT(difference(actual, expected), limit) << n;
    ASSERT_LT(difference(actual_x, expected_x), kF32Tolerance) << n;

    const Tensor narrow_branch = data.floats({5, n}, DType::kBF16);  // what several GPUs sum
    Tensor wide_branch = data.empty({5, n});
    for (int64_t i = 0; i < 5 * n; ++i) wide_branch.data<float>()[i] = value_at(narrow_branch.view(), {i / n, i % n});
    expected_x = data.copy(x), actual_x = data.copy(x);
    run_both(expected, actual, [&](Device& device, Views& at) {
      const bool on_host = result == &expected;
      add_norm(device, at.out(on_host ? expected_x : actual_x), at.in(on_host ? wide_branch : narrow_branch),
               {at.in(weight), at.in(next), 1e-5f}, at.out(*result));
    });
    ASSERT_LT(difference(actual, expected), limit) << n << ", bf16 branch";
    ASSERT_LT(difference(actual_x, expected_x), kF32Tolerance) << n << ", bf16 branch";
  }
}

}  // namespace
}  // namespace glyph::ops
