// Tensor owns memory of a device; TensorView and ConstTensorView look at it. Up to four dimensions,
// row-major, the last dimension dense; outer dimensions may be strided (the keys inside a fused qkv row, a
// range of columns).
//
// A quantised matrix (kE4M3, kI8, kI4) of shape (rows, n) has scales: for each row its count of
// scales_of_row(), in memory behind the elements, which a view of whole rows knows.
//
// Views are plain values and do not keep memory alive. Shapes are checked where an op is entered, by
// GLYPH_CHECK: a wrong shape is a bug of ours, because what files say was checked when they were read.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <type_traits>

#include "base/check.h"
#include "tensor/device.h"
#include "tensor/dtype.h"

namespace glyph {

// Up to four sizes.
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes);

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return sizes_[static_cast<size_t>(i)]; }
  int64_t& operator[](int i) { return sizes_[static_cast<size_t>(i)]; }
  int64_t num_elements() const;
  bool operator==(const Shape&) const = default;

 private:
  int rank_ = 0;
  std::array<int64_t, kMaxRank> sizes_{};
};

// Scales of a row of n elements, and their bytes: one f32 for kE4M3, one bf16 for kQuantGroup elements else.
constexpr int64_t scales_of_row(DType type, int64_t n) { return type == DType::kE4M3 ? 1 : n / kQuantGroup; }
constexpr int64_t scale_bytes_of_row(DType type, int64_t n) {
  return scales_of_row(type, n) * (type == DType::kE4M3 ? 4 : 2);
}

// How a tensor of `dtype` and `shape` lies in one piece of memory: elements, then scales if it is quantised.
struct StorageLayout {
  size_t scales_offset = 0;  // bytes; 0: no scales
  size_t num_bytes = 0;
};
StorageLayout storage_layout(DType dtype, const Shape& shape);

// Pointer is void* (TensorView) or const void* (ConstTensorView).
template <typename Pointer>
class BasicTensorView {
 public:
  static constexpr bool kMutable = std::is_same_v<Pointer, void*>;
  template <typename T>
  using Element = std::conditional_t<kMutable, T, const T>;

  BasicTensorView() = default;
  // A dense tensor of `shape` at `data`.
  BasicTensorView(Pointer data, DType dtype, const Shape& shape);
  // Dimensions `strides` elements apart, the last one dense.
  BasicTensorView(Pointer data, DType dtype, const Shape& shape, const Shape& strides)
      : data_(data), dtype_(dtype), shape_(shape), strides_(strides) {
    GLYPH_CHECK(shape.rank() == strides.rank() && (shape.rank() == 0 || strides[shape.rank() - 1] == 1));
  }
  // Implicit on purpose: whoever may write may read. A template, because clang 14 gives the plain one the name of the copy constructor.
  template <typename Other>
    requires(std::is_same_v<Other, void*> && std::is_same_v<Pointer, const void*>)
  BasicTensorView(const BasicTensorView<Other>& other)  // NOLINT
      : data_(other.raw()),
        scales_(other.scales()),
        dtype_(other.dtype()),
        shape_(other.shape()),
        strides_(other.strides()) {}
  // A tensor in memory laid out as storage_layout() says.
  static BasicTensorView stored(Pointer data, DType dtype, const Shape& shape);
  BasicTensorView(const BasicTensorView&) = default;
  BasicTensorView& operator=(const BasicTensorView&) = default;

  bool empty() const { return data_ == nullptr; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  const Shape& strides() const { return strides_; }  // in elements
  int rank() const { return shape_.rank(); }
  int64_t size(int i) const { return shape_[i]; }
  int64_t stride(int i) const { return strides_[i]; }
  bool dense() const;
  Pointer raw() const { return data_; }
  // Of a quantised matrix: of its first row; else null.
  Pointer scales() const { return scales_; }
  BasicTensorView with_scales(Pointer scales) const {
    BasicTensorView view = *this;
    view.scales_ = scales;
    return view;
  }

  // First element; T must be the tensor's type.
  template <typename T>
  Element<T>* data() const {
    GLYPH_CHECK(dtype_ == kDTypeOf<T>);
    return static_cast<Element<T>*>(data_);
  }
  // First element of row i of the first dimension.
  template <typename T>
  Element<T>* row(int64_t i) const {
    return data<T>() + i * strides_[0];
  }

  // Indices [begin, end) of one dimension, all of the others. Of a quantised matrix: rows.
  BasicTensorView slice(int dimension, int64_t begin, int64_t end) const;
  BasicTensorView rows(int64_t begin, int64_t end) const { return slice(0, begin, end); }
  // Splits the last dimension in two, the first `outer` long: (tokens, heads * d) -> (tokens, heads, d).
  BasicTensorView split_last(int64_t outer) const;
  // Another shape over the same dense elements.
  BasicTensorView reshape(const Shape& shape) const;

 private:
  Pointer data_ = nullptr;
  Pointer scales_ = nullptr;
  DType dtype_ = DType::kF32;
  Shape shape_;
  Shape strides_;
};

using TensorView = BasicTensorView<void*>;
using ConstTensorView = BasicTensorView<const void*>;

// Owns dense memory on one device, 64-byte aligned. Moves, does not copy; copy() is spelled out. The device
// must outlive it.
class Tensor {
 public:
  Tensor() = default;
  // Uninitialised memory.
  Tensor(Device& device, DType dtype, const Shape& shape);

  bool empty() const { return memory_ == nullptr; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  size_t num_bytes() const { return storage_layout(dtype_, shape_).num_bytes; }  // with scales

  TensorView view() { return TensorView::stored(memory_.get(), dtype_, shape_); }
  ConstTensorView view() const { return ConstTensorView::stored(memory_.get(), dtype_, shape_); }
  template <typename T>
  T* data() {
    return view().data<T>();
  }
  template <typename T>
  const T* data() const {
    return view().data<T>();
  }

  // A copy on `device`, where this tensor is or across the edge between host and GPU.
  Tensor copy(Device& device) const;
  Device& device() const { return *memory_.get_deleter().device; }

 private:
  DeviceMemory memory_;
  DType dtype_ = DType::kF32;
  Shape shape_;
};

// A dense view's values in host memory.
Tensor host_copy(Device& device, const ConstTensorView& view);

// Host values as float, whatever the type, quantised ones times their scales; for tests and tools.
float value_at(const ConstTensorView& view, std::initializer_list<int64_t> index);

}  // namespace glyph
