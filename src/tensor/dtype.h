// Element types of tensors and the conversions between them, one value at a time.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace glyph {

enum class DType : uint8_t { kF32, kF16, kBF16, kI32 };

// The upper half of a float: 8 exponent bits, 7 mantissa bits.
struct BF16 {
  uint16_t bits;
};

// IEEE 754 binary16.
struct F16 {
  uint16_t bits;
};

template <typename T>
inline constexpr DType kDTypeOf = DType::kF32;
template <>
inline constexpr DType kDTypeOf<F16> = DType::kF16;
template <>
inline constexpr DType kDTypeOf<BF16> = DType::kBF16;
template <>
inline constexpr DType kDTypeOf<int32_t> = DType::kI32;

// Bytes of one element.
constexpr size_t size_of(DType type) { return type == DType::kF16 || type == DType::kBF16 ? 2 : 4; }
// "f32", "f16", "bf16", "i32"
std::string_view name_of(DType type);

inline float to_float(float value) { return value; }
inline float to_float(BF16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }
float to_float(F16 value);

// Rounds to nearest, ties to even; a NaN stays a (quiet) NaN.
BF16 to_bf16(float value);
F16 to_f16(float value);

// The same by destination type, for code that is written once over element types.
template <typename T>
T from_float(float value);
template <>
inline float from_float<float>(float value) {
  return value;
}
template <>
inline BF16 from_float<BF16>(float value) {
  return to_bf16(value);
}
template <>
inline F16 from_float<F16>(float value) {
  return to_f16(value);
}

}  // namespace glyph
