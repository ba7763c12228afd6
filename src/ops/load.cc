#include "ops/load.h"

#include <cstring>

#include "ops/dispatch.h"

namespace glyph::ops {
namespace {

float element(const ConstTensorView& view, int64_t i) {
  switch (view.dtype()) {
    case DType::kF16:
      return to_float(view.data<F16>()[i]);
    case DType::kBF16:
      return to_float(view.data<BF16>()[i]);
    default:
      return view.data<float>()[i];
  }
}

void put(const TensorView& view, int64_t i, float value) {
  if (view.dtype() == DType::kBF16) {
    view.data<BF16>()[i] = to_bf16(value);
  } else if (view.dtype() == DType::kF16) {
    view.data<F16>()[i] = to_f16(value);
  } else {
    view.data<float>()[i] = value;
  }
}

void load_on_host(const ConstTensorView& from, const TensorView& out) {
  const int64_t count = from.shape().num_elements();
  if (from.dtype() == out.dtype()) {
    std::memcpy(out.raw(), from.raw(), static_cast<size_t>(count) * size_of(from.dtype()));
    return;
  }
  for (int64_t i = 0; i < count; ++i) put(out, i, element(from, i));
}

// Vigna's splitmix64 at one counter.
uint64_t splitmix64(uint64_t x) {
  uint64_t z = x + 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// Elements [begin, end).
void fill_on_host(const RandomValues& values, const TensorView& out, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const uint64_t bits = splitmix64(values.start + values.index_of(static_cast<uint64_t>(i))) >> 40;
    put(out, i, values.offset + values.scale * (static_cast<float>(bits) * 0x1p-23f - 1.0f));
  }
}

}  // namespace

void load(Device& device, const ConstTensorView& from, const TensorView& out) {
  GLYPH_CHECK(from.dense() && out.dense() && from.shape().num_elements() == out.shape().num_elements());
  GLYPH_CHECK(from.dtype() != DType::kI32 && (is_float(device, out.dtype()) || out.dtype() == from.dtype()));
  const auto on_host = [&] { load_on_host(from, out); };
  on_device(
      device, [&](CpuDevice&) { on_host(); }, on_host, [&](CudaDevice& cuda) { cuda::load(cuda, from, out); });
}

void fill_random(Device& device, const RandomValues& values, const TensorView& out) {
  GLYPH_CHECK(out.dense() && is_float(device, out.dtype()));
  const int64_t count = out.shape().num_elements();
  constexpr size_t kGrain = 1024;
  const auto by_threads = [&](CpuDevice& cpu) {
    cpu.threads().parallel_for(static_cast<size_t>(count), kGrain, [&](size_t begin, size_t end) {
      fill_on_host(values, out, static_cast<int64_t>(begin), static_cast<int64_t>(end));
    });
  };
  on_device(
      device, by_threads, [&] { fill_on_host(values, out, 0, count); },
      [&](CudaDevice& cuda) { cuda::fill_random(cuda, values, out); });
}

}  // namespace glyph::ops
