#include "tensor/tensor.h"

#include <algorithm>
#include <cmath>

namespace glyph {

std::string_view name_of(DType type) {
  switch (type) {
    case DType::kF32:
      return "f32";
    case DType::kF16:
      return "f16";
    case DType::kBF16:
      return "bf16";
    case DType::kI32:
      return "i32";
    case DType::kE4M3:
      return "e4m3";
    case DType::kI8:
      return "i8";
    case DType::kI4:
      return "i4";
  }
  return "?";
}

float to_float(F16 value) {
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000u) << 16;
  const uint32_t exponent = (value.bits >> 10) & 0x1Fu;
  const uint32_t mantissa = value.bits & 0x3FFu;
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint32_t wide = exponent == 31 ? 0xFFu : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

float to_float(E4M3 value) {
  const int exponent = value.bits >> 3 & 0xF, mantissa = value.bits & 7;
  if (exponent == 15 && mantissa == 7) return std::nanf("");
  const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9)
                                        : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  return (value.bits & 0x80) != 0 ? -magnitude : magnitude;
}

E4M3 to_e4m3(float value) {
  const auto sign = static_cast<uint8_t>(std::signbit(value) ? 0x80 : 0);
  if (std::isnan(value)) return {static_cast<uint8_t>(sign | 0x7F)};
  const float magnitude = std::min(std::fabs(value), 448.0f);
  if (magnitude == 0) return {sign};
  int exponent = 0;
  std::frexp(magnitude, &exponent);  // magnitude < 2^exponent
  const int unit = std::max(exponent - 4, -9);  // of the last place, as a power of two
  // Ties go to even; eight units of the lowest binade are the first of the next, which the bits do by themselves.
  const auto units = static_cast<int>(std::nearbyint(std::ldexp(magnitude, -unit)));
  return {static_cast<uint8_t>(sign | (((unit + 9) << 3) + units))};
}

BF16 to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return {static_cast<uint16_t>((bits >> 16) | 0x40u)};
  return {static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16)};
}

F16 to_f16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  if (std::isnan(value)) return {static_cast<uint16_t>(sign | 0x7E00u)};
  const float magnitude = std::fabs(value);
  if (magnitude >= 65520.0f) return {static_cast<uint16_t>(sign | 0x7C00u)};
  if (magnitude < 0x1p-14f) {  // subnormal: adding 0.5 puts the mantissa in place, rounded to even
    const auto shifted = std::bit_cast<uint32_t>(magnitude + 0.5f);
    return {static_cast<uint16_t>(sign | (shifted - std::bit_cast<uint32_t>(0.5f)))};
  }
  const uint32_t rounded = (bits & 0x7FFFFFFFu) + 0xFFFu + ((bits >> 13) & 1u);
  return {static_cast<uint16_t>(sign | ((rounded - (112u << 23)) >> 13))};
}

Shape::Shape(std::initializer_list<int64_t> sizes) : rank_(static_cast<int>(sizes.size())) {
  GLYPH_CHECK(rank_ <= kMaxRank);
  int i = 0;
  for (int64_t size : sizes) {
    GLYPH_CHECK(size >= 0);
    sizes_[static_cast<size_t>(i++)] = size;
  }
}

int64_t Shape::num_elements() const {
  int64_t product = 1;
  for (int i = 0; i < rank_; ++i) product *= (*this)[i];
  return product;
}

namespace {
Shape dense_strides(const Shape& shape) {
  Shape strides = shape;
  int64_t stride = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}
}  // namespace

StorageLayout storage_layout(DType dtype, const Shape& shape) {
  const auto elements = static_cast<size_t>(bytes_of(dtype, shape.num_elements()));
  if (!is_quantised(dtype)) return {0, elements};
  GLYPH_CHECK(shape.rank() == 2 && (dtype == DType::kE4M3 || shape[1] % kQuantGroup == 0));
  constexpr size_t kAlignment = 64;
  const size_t offset = std::max(kAlignment, (elements + kAlignment - 1) / kAlignment * kAlignment);
  return {offset, offset + static_cast<size_t>(shape[0] * scale_bytes_of_row(dtype, shape[1]))};
}

template <typename Pointer>
BasicTensorView<Pointer> BasicTensorView<Pointer>::stored(Pointer data, DType dtype, const Shape& shape) {
  BasicTensorView view(data, dtype, shape);
  if (data == nullptr || !is_quantised(dtype)) return view;
  using Byte = std::conditional_t<kMutable, std::byte, const std::byte>;
  view.scales_ = static_cast<Byte*>(data) + storage_layout(dtype, shape).scales_offset;
  return view;
}

template <typename Pointer>
BasicTensorView<Pointer>::BasicTensorView(Pointer data, DType dtype, const Shape& shape)
    : data_(data), dtype_(dtype), shape_(shape), strides_(dense_strides(shape)) {}

template <typename Pointer>
bool BasicTensorView<Pointer>::dense() const {
  return strides_ == dense_strides(shape_);
}

template <typename Pointer>
BasicTensorView<Pointer> BasicTensorView<Pointer>::slice(int dimension, int64_t begin, int64_t end) const {
  GLYPH_CHECK(dimension < rank() && 0 <= begin && begin <= end && end <= shape_[dimension]);
  BasicTensorView part = *this;
  using Byte = std::conditional_t<kMutable, std::byte, const std::byte>;
  part.data_ = static_cast<Byte*>(data_) + bytes_of(dtype_, begin * strides_[dimension]);
  if (scales_ != nullptr) {
    GLYPH_CHECK(dimension == 0);
    part.scales_ = static_cast<Byte*>(scales_) + begin * scale_bytes_of_row(dtype_, shape_[1]);
  }
  part.shape_[dimension] = end - begin;
  return part;
}

template <typename Pointer>
BasicTensorView<Pointer> BasicTensorView<Pointer>::split_last(int64_t outer) const {
  const int last = rank() - 1;
  GLYPH_CHECK(rank() >= 1 && rank() < Shape::kMaxRank && outer > 0 && shape_[last] % outer == 0);
  GLYPH_CHECK(!is_quantised(dtype_));
  const int64_t inner = shape_[last] / outer;
  BasicTensorView split = *this;
  if (last == 0) {
    split.shape_ = {outer, inner};
    split.strides_ = {inner, 1};
  } else if (last == 1) {
    split.shape_ = {shape_[0], outer, inner};
    split.strides_ = {strides_[0], inner, 1};
  } else {
    split.shape_ = {shape_[0], shape_[1], outer, inner};
    split.strides_ = {strides_[0], strides_[1], inner, 1};
  }
  return split;
}

template <typename Pointer>
BasicTensorView<Pointer> BasicTensorView<Pointer>::reshape(const Shape& shape) const {
  GLYPH_CHECK(dense() && shape.num_elements() == shape_.num_elements());
  if (shape == shape_) return *this;
  GLYPH_CHECK(!is_quantised(dtype_));
  return {data_, dtype_, shape};
}

template class BasicTensorView<void*>;
template class BasicTensorView<const void*>;

Tensor::Tensor(Device& device, DType dtype, const Shape& shape)
    : memory_(device.allocate(storage_layout(dtype, shape).num_bytes)),
      dtype_(dtype),
      shape_(shape) {}

Tensor Tensor::copy(Device& device) const {
  Tensor other(device, dtype_, shape_);
  Device& from = this->device();
  if (from.host_memory()) device.upload(other.memory_.get(), memory_.get(), num_bytes());
  else if (device.host_memory()) from.download(other.memory_.get(), memory_.get(), num_bytes());
  else device.copy_bytes(other.memory_.get(), memory_.get(), num_bytes());
  return other;
}

Tensor host_copy(Device& device, const ConstTensorView& view) {
  GLYPH_CHECK(view.dense() && !is_quantised(view.dtype()));
  Tensor copy(host_device(), view.dtype(), view.shape());
  device.download(copy.view().raw(), view.raw(), copy.num_bytes());
  return copy;
}

namespace {

// Scale of an element of a quantised matrix, 1 of others.
float scale_at(const ConstTensorView& view, int64_t row, int64_t column) {
  if (!is_quantised(view.dtype()) || view.scales() == nullptr) return 1;
  const int64_t per_row = scales_of_row(view.dtype(), view.size(1));
  if (view.dtype() == DType::kE4M3) return static_cast<const float*>(view.scales())[row];
  return to_float(static_cast<const BF16*>(view.scales())[row * per_row + column / kQuantGroup]);
}

int nibble_at(const void* data, int64_t offset) {
  const int pair = static_cast<const uint8_t*>(data)[offset / 2];
  return (offset % 2 == 0 ? pair & 0xF : pair >> 4) - 8;
}

}  // namespace

float value_at(const ConstTensorView& view, std::initializer_list<int64_t> index) {
  GLYPH_CHECK(static_cast<int>(index.size()) == view.rank());
  int64_t offset = 0;
  int i = 0;
  for (int64_t position : index) offset += position * view.stride(i++);
  switch (view.dtype()) {
    case DType::kF32:
      return view.data<float>()[offset];
    case DType::kF16:
      return to_float(view.data<F16>()[offset]);
    case DType::kBF16:
      return to_float(view.data<BF16>()[offset]);
    case DType::kI32:
      return static_cast<float>(view.data<int32_t>()[offset]);
    case DType::kE4M3:
      return to_float(view.data<E4M3>()[offset]) * scale_at(view, *index.begin(), *(index.end() - 1));
    case DType::kI8:
      return static_cast<float>(view.data<int8_t>()[offset]) * scale_at(view, *index.begin(), *(index.end() - 1));
    case DType::kI4:
      return static_cast<float>(nibble_at(view.raw(), offset)) * scale_at(view, *index.begin(), *(index.end() - 1));
  }
  return 0;
}

}  // namespace glyph
