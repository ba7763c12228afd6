// Logits: what a pass of the language model gives, for who chooses tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "glyph/status.h"
#include "ops/top_logits.h"
#include "tensor/tensor.h"

namespace glyph {

// Rows in host memory; or rows that stay on a GPU, of which the largest logits are here: a step of 32 answers would bring 19 MB of
// logits to the host, and mostly needs 17 kB of them. One thread.
class Logits {
 public:
  // Copies a row to (vocab_size) of host memory; the device's errors.
  using Fetch = std::function<Status(int64_t row, std::span<float> to)>;

  Logits() = default;  // no rows
  // (rows, vocab_size) f32 in host memory.
  explicit Logits(Tensor rows) : rows_(std::move(rows)) {}
  // One of `top` for each row. `fetch` is good until the model's next pass.
  Logits(std::vector<ops::TopLogits> top, int64_t vocab_size, Fetch fetch)
      : top_(std::move(top)), vocab_size_(vocab_size), fetch_(std::move(fetch)) {}

  int64_t num_rows() const { return fetch_ ? std::ssize(top_) : rows_.empty() ? 0 : rows_.shape()[0]; }
  int64_t vocab_size() const { return fetch_ ? vocab_size_ : rows_.empty() ? 0 : rows_.shape()[1]; }

  // Looks at this object, which stays where it is meanwhile. Of a row that stays on a GPU all of it is only to be had until the model's
  // next pass, and lies here until all of another row is asked for.
  ops::LogitsRow row(int64_t i) const;
  // All rows in host memory, (rows, vocab_size) f32: for tests and tools. Until the model's next pass.
  Result<Tensor> copy() const;

 private:
  Result<std::span<const float>> fetched(int64_t row) const;

  Tensor rows_;
  std::vector<ops::TopLogits> top_;
  int64_t vocab_size_ = 0;
  Fetch fetch_;
  mutable std::vector<float> fetched_;  // (vocab_size): all of row fetched_row_
  mutable int64_t fetched_row_ = -1;
};

}  // namespace glyph
