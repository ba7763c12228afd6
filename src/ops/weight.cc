#include "ops/weight.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "ops/load.h"
#include "ops/quantise.h"

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

// The values of a tensor that only a seed knows: norms near one, the others with the spread that keeps activations
// near one. Reference: tools/model_oracle/tiny_model.py.
ops::RandomValues random_values(const std::string& name, std::span<const int64_t> shape, uint64_t seed) {
  uint64_t hash = 0xCBF29CE484222325u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3u;
  ops::RandomValues values{.start = hash + seed};
  if (name.find("norm") != std::string::npos && name.ends_with(".weight")) {
    values.scale = 0.25f;
    values.offset = 1.0f;
  } else if (name.ends_with(".bias")) {
    values.scale = 0.25f;
  } else if (name.find("embed_tokens") == std::string::npos) {
    double inputs = 1;
    for (size_t i = 1; i < shape.size(); ++i) inputs *= static_cast<double>(shape[i]);
    values.scale = static_cast<float>(std::sqrt(3.0 / inputs));
  }
  return values;
}

// A vector, or a matrix of what belongs to each index of the first dimension.
Shape flat_shape(std::span<const int64_t> shape) {
  int64_t rest = 1;
  for (size_t i = 1; i < shape.size(); ++i) rest *= shape[i];
  return shape.size() < 2 ? Shape{shape.empty() ? 1 : shape[0]} : Shape{shape[0], rest};
}

// A copy in host memory of some columns of a matrix that is there.
Tensor columns_of(const ConstTensorView& matrix, const Slice& columns) {
  Tensor copy(host_device(), matrix.dtype(), {matrix.size(0), columns.size()});
  const size_t element = size_of(matrix.dtype()), row_bytes = static_cast<size_t>(columns.size()) * element;
  auto* to = static_cast<std::byte*>(copy.view().raw());
  const auto* from = static_cast<const std::byte*>(matrix.raw()) + static_cast<size_t>(columns.begin) * element;
  const size_t stride = static_cast<size_t>(matrix.size(1)) * element;
  for (int64_t row = 0; row < matrix.size(0); ++row, to += row_bytes, from += stride) std::memcpy(to, from, row_bytes);
  return copy;
}


constexpr std::array kPrecisions{
    std::pair{Precision::kAuto, std::string_view("auto")}, std::pair{Precision::kF32, std::string_view("fp32")},
    std::pair{Precision::kBF16, std::string_view("bf16")}, std::pair{Precision::kF16, std::string_view("fp16")},
    std::pair{Precision::kFp8, std::string_view("fp8")},   std::pair{Precision::kInt8, std::string_view("int8")},
    std::pair{Precision::kInt4, std::string_view("int4")}};

}  // namespace

namespace {

// Of all parts of one matrix: one product does them together.
int64_t rows_of(const std::string& name, std::span<const MatrixPart> parts) {
  int64_t rows = 0;
  for (const MatrixPart& part : parts) rows += part.name == name ? part.row_slice.size() : 0;
  return rows;
}

}  // namespace

Slice share_of(int64_t total, int rank, int size, int64_t largest_unit) {
  GLYPH_CHECK(0 <= rank && rank < size);
  int64_t unit = largest_unit;
  while (unit > 1 && total % unit != 0) unit /= 2;
  const int64_t units = total / unit;
  const auto begin_of = [&](int64_t index) { return units * index / size * unit; };
  return {begin_of(rank), begin_of(rank + 1)};
}

Result<Precision> parse_precision(std::string_view text) {
  for (const auto& [precision, name] : kPrecisions) {
    if (text == name) return precision;
  }
  return usage_error(fmt::format("'{:.100}' is none of auto, fp32, bf16, fp16, fp8, int8, int4", text));
}

std::string_view name_of(Precision precision) {
  for (const auto& [one, name] : kPrecisions) {
    if (one == precision) return name;
  }
  return "?";
}

Status check_precision(const Device& device, Precision precision) {
  const bool anywhere = precision == Precision::kAuto || precision == Precision::kF32 || precision == Precision::kBF16;
  if (anywhere || device.kind() != DeviceKind::kCpu) return {};
  return refused(fmt::format("the precision {} needs a GPU; the processor computes in fp32 and bf16", name_of(precision)));
}

DType compute_type(const Device& device, Precision precision) {
  switch (precision) {
    case Precision::kAuto:
      return device.prefers_bf16() ? DType::kBF16 : DType::kF32;
    case Precision::kF32:
      return DType::kF32;
    case Precision::kF16:
      return DType::kF16;
    default:
      return DType::kBF16;
  }
}

DType weight_type(const Device& device, Precision precision) {
  switch (precision) {
    case Precision::kFp8:
      return DType::kE4M3;
    case Precision::kInt8:
      return DType::kI8;
    case Precision::kInt4:
      return DType::kI4;
    default:
      return compute_type(device, precision);
  }
}

// What the products of each type need: 16 bytes of a row of e4m3, rows in steps of 16; whole groups of integers.
DType WeightLoader::matrix_type(int64_t rows, int64_t columns) const {
  if (!is_quantised(weights_)) return compute_;
  const bool fits = weights_ == DType::kE4M3 ? rows % 16 == 0 && columns % 16 == 0 : columns % kQuantGroup == 0;
  return fits ? weights_ : compute_;
}

Status WeightLoader::fill(Device& device, const std::string& name, std::span<const int64_t> shape,
                          const TensorView& out) const {
  const Shape flat = flat_shape(shape);
  return fill(device, StoredPart{name, shape, {0, flat[0]}, {0, flat.rank() < 2 ? 1 : flat[1]}}, out);
}

Status WeightLoader::fill(Device& device, const MatrixPart& part, const TensorView& out) const {
  const int64_t shape[] = {part.rows, part.columns};
  const std::span<const int64_t> stored = out.rank() == 1 ? std::span(shape, 1) : std::span(shape);
  return fill(device, StoredPart{part.name, stored, part.row_slice, part.column_slice}, out);
}

Status WeightLoader::fill(Device& device, const StoredPart& part, const TensorView& out) const {
  if (is_quantised(out.dtype())) {
    // Some rows at a time: the head is 1.2 GB wide.
    constexpr int64_t kPartBytes = int64_t{64} << 20;
    const int64_t rows = out.size(0), step = std::max<int64_t>(1, kPartBytes / bytes_of(compute_, out.size(1)));
    for (int64_t begin = 0; begin < rows; begin += step) {
      const int64_t end = std::min(rows, begin + step);
      StoredPart some = part;
      some.rows = {part.rows.begin + begin, part.rows.begin + end};
      Tensor wide(device, compute_, {end - begin, out.size(1)});
      GLYPH_RETURN_IF_ERROR(fill(device, some, wide.view()));
      ops::quantise(device, wide.view(), out.rows(begin, end));
    }
    return {};
  }
  const Shape flat = flat_shape(part.shape);
  const int64_t columns = flat.rank() < 2 ? 1 : flat[1];
  const bool whole_rows = part.columns == Slice{0, columns};
  if (const auto seed = checkpoint_.random_seed()) {
    ops::RandomValues values = random_values(part.name, part.shape, *seed);
    values.start += static_cast<uint64_t>(part.rows.begin * columns + part.columns.begin);
    if (!whole_rows) values.columns = static_cast<uint64_t>(part.columns.size());
    values.stride = static_cast<uint64_t>(columns);
    ops::fill_random(device, values, out);
    return {};
  }
  GLYPH_ASSIGN_OR_RETURN(const TensorRef tensor, checkpoint_.expect(part.name, part.shape));
  const ConstTensorView rows = view_of(tensor, flat).rows(part.rows.begin, part.rows.end);
  if (whole_rows) ops::load(device, rows, out);
  else ops::load(device, columns_of(rows, part.columns).view(), out);
  return {};
}

Result<Weight> WeightLoader::table(const std::string& name, int64_t rows, int64_t columns) const {
  const int64_t shape[] = {rows, columns};
  DType stored = compute_;
  if (!checkpoint_.random_seed()) {
    GLYPH_ASSIGN_OR_RETURN(const TensorRef tensor, checkpoint_.expect(name, shape));
    if (device_.host_memory()) return Weight(view_of(tensor, {rows, columns}));
    stored = dtype_of(tensor.type);
  }
  Tensor copy(device_, stored, {rows, columns});
  GLYPH_RETURN_IF_ERROR(fill(device_, name, shape, copy.view()));
  return Weight(std::move(copy));
}

Result<Weight> WeightLoader::matrix(const std::string& name, int64_t rows, int64_t columns) const {
  return part_of(matrix_type(rows, columns), {.name = name, .rows = rows, .columns = columns});
}

Result<Weight> WeightLoader::head(const MatrixPart& part) const {
  return part_of(is_quantised(weights_) && part.columns % kQuantGroup == 0 ? DType::kI8 : compute_, part);
}

// Rows where they lie in the file, if products can be made with them there; else a copy.
Result<Weight> WeightLoader::part_of(DType type, const MatrixPart& part) const {
  const bool whole_rows = part.column_slice == Slice{0, part.columns};
  if (device_.host_memory() && !checkpoint_.random_seed() && type == compute_ && whole_rows) {
    GLYPH_ASSIGN_OR_RETURN(const Weight stored, table(part.name, part.rows, part.columns));
    if (compute_ == DType::kF32 || stored.view().dtype() == DType::kBF16) {
      return Weight(stored.view().rows(part.row_slice.begin, part.row_slice.end));
    }
  }
  Tensor converted(device_, type, {part.row_slice.size(), part.column_slice.size()});
  GLYPH_RETURN_IF_ERROR(fill(device_, part, converted.view()));
  return Weight(std::move(converted));
}

Result<std::vector<Weight>> WeightLoader::matrices(std::span<const MatrixName> names, int64_t columns) const {
  std::vector<MatrixPart> all;
  for (const MatrixName& one : names) all.push_back({.name = one.name, .rows = one.rows, .columns = columns});
  return parts(all);
}

Result<std::vector<Weight>> WeightLoader::parts(std::span<const MatrixPart> parts) const {
  std::vector<Weight> weights;
  DType type = weights_;
  int64_t total = 0;
  const int64_t columns = parts[0].column_slice.size();
  for (const MatrixPart& part : parts) {
    GLYPH_CHECK(part.column_slice.size() == columns);
    if (matrix_type(rows_of(part.name, parts), columns) != weights_) type = compute_;
    total += part.row_slice.size();
  }
  if (device_.host_memory()) {
    for (const MatrixPart& part : parts) {
      GLYPH_ASSIGN_OR_RETURN(Weight weight, part_of(type, part));
      weights.push_back(std::move(weight));
    }
    return weights;
  }
  const auto storage = std::make_shared<Tensor>(device_, type, Shape{total, columns});
  int64_t begin = 0;
  for (const MatrixPart& part : parts) {
    const TensorView place = storage->view().rows(begin, begin + part.row_slice.size());
    GLYPH_RETURN_IF_ERROR(fill(device_, part, place));
    weights.emplace_back(storage, place);
    begin += part.row_slice.size();
  }
  return weights;
}

Result<Tensor> WeightLoader::f32(const std::string& name, std::span<const int64_t> shape) const {
  Tensor wide(device_, DType::kF32, flat_shape(shape));
  GLYPH_RETURN_IF_ERROR(fill(device_, name, shape, wide.view()));
  return wide;
}

Result<Tensor> WeightLoader::host_f32(const std::string& name, std::span<const int64_t> shape) const {
  Tensor wide(host_device(), DType::kF32, flat_shape(shape));
  GLYPH_RETURN_IF_ERROR(fill(host_device(), name, shape, wide.view()));
  return wide;
}

Result<WeightLoader::Vectors> WeightLoader::vectors(std::span<const MatrixPart> parts) const {
  int64_t total = 0;
  for (const MatrixPart& part : parts) total += part.row_slice.size();
  Vectors vectors{.storage = Tensor(device_, DType::kF32, {total}), .views = {}};
  int64_t begin = 0;
  for (const MatrixPart& part : parts) {
    const TensorView place = vectors.storage.view().rows(begin, begin + part.row_slice.size());
    GLYPH_RETURN_IF_ERROR(fill(device_, part, place));
    vectors.views.push_back(place);
    begin += part.row_slice.size();
  }
  return vectors;
}

Weight WeightLoader::convert(Tensor matrix) const {
  GLYPH_CHECK(matrix.dtype() == DType::kF32);
  if (device_.host_memory() && compute_ == DType::kF32) return Weight(std::move(matrix));
  Tensor converted(device_, compute_, matrix.shape());
  ops::load(device_, matrix.view(), converted.view());
  return Weight(std::move(converted));
}

Tensor WeightLoader::on_device(Tensor tensor) const {
  return device_.host_memory() ? std::move(tensor) : tensor.copy(device_);
}

}  // namespace glyph
