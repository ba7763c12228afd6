// The largest logits of a row: what choosing a token mostly needs of a vocabulary, so that little has to leave a GPU.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <type_traits>

#include "glyph/status.h"
#include "tensor/tensor.h"

namespace glyph::ops {

// Lies in a device's memory as it does here.
struct TopLogits {
  static constexpr int32_t kMost = 64;

  float values[kMost];  // the largest first; of equals the lower id first
  int32_t ids[kMost];
  double log_sum;       // log(sum(exp(row)))
  int32_t count;        // of those above: kMost, or all of a shorter row
  int32_t bad;          // whether a logit is NaN or +infinity; values, ids and log_sum then mean nothing
};
static_assert(std::is_trivially_copyable_v<TopLogits> && sizeof(TopLogits) == 528);

// Elements of f32 that a TopLogits takes in a tensor.
constexpr int64_t kTopLogitsSize = sizeof(TopLogits) / sizeof(float);

// logits (rows, n) f32, rows dense, n >= 1; out (rows, kTopLogitsSize) dense f32: memory for a TopLogits each.
void top_logits(Device& device, const ConstTensorView& logits, const TensorView& out);

// Of a row that was cut into pieces: pieces[i] holds what top_logits() gives of ids first_ids[i] and up, with the first of them as 0; in
// the order of ids.
TopLogits merge(std::span<const TopLogits> pieces, std::span<const int64_t> first_ids);

// A row of logits for who chooses a token: all of it in host memory, or its largest and a way to get all of it.
class LogitsRow {
 public:
  LogitsRow() = default;  // nothing
  LogitsRow(std::span<const float> all) : all_(all), size_(std::ssize(all)) {}  // NOLINT: a row is as good as its description
  // What `fetch` gives lives as long as whoever gave this row says.
  LogitsRow(const TopLogits& top, int64_t size, std::function<Result<std::span<const float>>()> fetch)
      : top_(&top), size_(size), fetch_(std::move(fetch)) {}

  const TopLogits* top() const { return top_; }  // nullptr: only all() is known
  int64_t size() const { return size_; }
  Result<std::span<const float>> all() const { return fetch_ ? fetch_() : Result<std::span<const float>>(all_); }

 private:
  std::span<const float> all_;
  const TopLogits* top_ = nullptr;
  int64_t size_ = 0;
  std::function<Result<std::span<const float>>()> fetch_;
};

}  // namespace glyph::ops
