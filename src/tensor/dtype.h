// Element types of tensors and the conversions between them, one value at a time.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace glyph {

// The last three are quantised: a matrix of them has scales beside it (quantised_layout in tensor.h).
enum class DType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kI32,
  kE4M3,  // 8 bits: sign, 4 bits of exponent, 3 of mantissa; up to 448, no infinity. One f32 scale a row
  kI8,    // signed; one bf16 scale for kQuantGroup elements of a row
  kI4,    // signed, -8 ... 7, stored + 8, two a byte, the first in the low half; scales as kI8
};

// The upper half of a float: 8 exponent bits, 7 mantissa bits.
struct BF16 {
  uint16_t bits;
};

// IEEE 754 binary16.
struct F16 {
  uint16_t bits;
};

// OCP 8-bit floating point, E4M3.
struct E4M3 {
  uint8_t bits;
};

template <typename T>
inline constexpr DType kDTypeOf = DType::kF32;
template <>
inline constexpr DType kDTypeOf<F16> = DType::kF16;
template <>
inline constexpr DType kDTypeOf<BF16> = DType::kBF16;
template <>
inline constexpr DType kDTypeOf<int32_t> = DType::kI32;
template <>
inline constexpr DType kDTypeOf<E4M3> = DType::kE4M3;
template <>
inline constexpr DType kDTypeOf<int8_t> = DType::kI8;

inline constexpr int64_t kQuantGroup = 64;  // elements of a row that share a scale

constexpr bool is_quantised(DType type) {
  return type == DType::kE4M3 || type == DType::kI8 || type == DType::kI4;
}
// Bytes of one element; of kI4, whose elements have no bytes of their own, see bytes_of.
constexpr size_t size_of(DType type) {
  if (type == DType::kF16 || type == DType::kBF16) return 2;
  return is_quantised(type) ? 1 : 4;
}
// Bytes of `count` neighbouring elements; even, for kI4.
constexpr int64_t bytes_of(DType type, int64_t count) {
  return type == DType::kI4 ? count / 2 : count * static_cast<int64_t>(size_of(type));
}
// "f32", "f16", "bf16", "i32", "e4m3", "i8", "i4"
std::string_view name_of(DType type);

inline float to_float(float value) { return value; }
inline float to_float(BF16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }
float to_float(F16 value);
float to_float(E4M3 value);

// Rounds to nearest, ties to even; a NaN stays a (quiet) NaN.
BF16 to_bf16(float value);
F16 to_f16(float value);
E4M3 to_e4m3(float value);  // what is larger becomes 448

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
