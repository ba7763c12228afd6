#include "language/logits.h"

#include <algorithm>

namespace glyph {

ops::LogitsRow Logits::row(int64_t i) const {
  GLYPH_CHECK(0 <= i && i < num_rows());
  if (fetch_) return {top_[static_cast<size_t>(i)], vocab_size_, [this, i] { return fetched(i); }};
  return std::span<const float>(rows_.view().row<float>(i), static_cast<size_t>(vocab_size()));
}

// Several answers may begin with the same row.
Result<std::span<const float>> Logits::fetched(int64_t row) const {
  if (fetched_row_ != row) {
    fetched_.resize(static_cast<size_t>(vocab_size_));
    fetched_row_ = -1;
    GLYPH_RETURN_IF_ERROR(fetch_(row, fetched_));
    fetched_row_ = row;
  }
  return std::span<const float>(fetched_);
}

Result<Tensor> Logits::copy() const {
  Tensor all(host_device(), DType::kF32, {num_rows(), vocab_size()});
  for (int64_t i = 0; i < num_rows(); ++i) {
    GLYPH_ASSIGN_OR_RETURN(const std::span<const float> values, row(i).all());
    std::copy(values.begin(), values.end(), all.view().row<float>(i));
  }
  return all;
}

}  // namespace glyph
