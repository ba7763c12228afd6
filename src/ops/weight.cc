#include "ops/weight.h"

#include <algorithm>

#include "base/check.h"

namespace glyph {
namespace {

// expect() lets nothing else through.
DType dtype_of(StoredType type) {
  switch (type) {
    case StoredType::kF16:
      return DType::kF16;
    case StoredType::kBF16:
      return DType::kBF16;
    default:
      return DType::kF32;
  }
}

ConstTensorView view_of(const TensorRef& tensor, const Shape& shape) {
  return {tensor.bytes.data(), dtype_of(tensor.type), shape};
}

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

}  // namespace

DType compute_type(const Device& device, Precision precision) {
  if (precision == Precision::kAuto) return device.prefers_bf16() ? DType::kBF16 : DType::kF32;
  return precision == Precision::kBF16 ? DType::kBF16 : DType::kF32;
}

Result<Weight> WeightLoader::table(const std::string& name, int64_t rows, int64_t columns) const {
  const int64_t shape[] = {rows, columns};
  GLYPH_ASSIGN_OR_RETURN(const TensorRef tensor, checkpoint_.expect(name, shape));
  return Weight(view_of(tensor, {rows, columns}));
}

Result<Weight> WeightLoader::matrix(const std::string& name, int64_t rows, int64_t columns) const {
  GLYPH_ASSIGN_OR_RETURN(Weight stored, table(name, rows, columns));
  if (compute_ == DType::kF32 || stored.view().dtype() == DType::kBF16) return stored;
  Tensor converted(device_, DType::kBF16, {rows, columns});
  for (int64_t i = 0; i < rows * columns; ++i) converted.data<BF16>()[i] = to_bf16(element(stored.view(), i));
  return Weight(std::move(converted));
}

Result<Tensor> WeightLoader::f32(const std::string& name, std::span<const int64_t> shape) const {
  GLYPH_ASSIGN_OR_RETURN(const TensorRef tensor, checkpoint_.expect(name, shape));
  const ConstTensorView stored = view_of(tensor, {tensor.num_elements()});
  // A vector, or a matrix of what belongs to each index of the first dimension.
  const Shape out = shape.size() < 2
                        ? Shape{tensor.num_elements()}
                        : Shape{shape[0], tensor.num_elements() / std::max<int64_t>(1, shape[0])};
  Tensor wide(device_, DType::kF32, out);
  for (int64_t i = 0; i < tensor.num_elements(); ++i) wide.data<float>()[i] = element(stored, i);
  return wide;
}

Weight WeightLoader::convert(Tensor matrix) const {
  GLYPH_CHECK(matrix.dtype() == DType::kF32);
  if (compute_ == DType::kF32) return Weight(std::move(matrix));
  Tensor converted(device_, DType::kBF16, matrix.shape());
  const int64_t count = matrix.shape().num_elements();
  for (int64_t i = 0; i < count; ++i) converted.data<BF16>()[i] = to_bf16(matrix.data<float>()[i]);
  return Weight(std::move(converted));
}

}  // namespace glyph
