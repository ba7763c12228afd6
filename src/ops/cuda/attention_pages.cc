#include "ops/cuda/attention_pages.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <vector>

#include "base/log.h"
#include "ops/cuda/ops.h"
#include "ops/cuda/trial.h"
#include "tensor/cuda/cuda_device.h"

namespace glyph::ops::cuda {
namespace {

constexpr double kEnoughSeconds = 0.02;            // of a trial, to be believed at once
constexpr size_t kPackedBytes = size_t{128} << 20;  // of keys and values, at most

void attend_here(CudaDevice& device, const EqualPages& pages) {
  const std::vector<int64_t> page_tokens(static_cast<size_t>(pages.num_pages), pages.tokens);
  attend_pages(device, pages.q, pages.k, pages.v, pages.scale, pages.out, page_tokens);
}

bool suits_cudnn(const ConstTensorView& x) {
  return (x.dtype() == DType::kBF16 || x.dtype() == DType::kF16) && x.size(2) % 8 == 0 && x.size(2) <= 128 &&
         reinterpret_cast<uintptr_t>(x.raw()) % 16 == 0 && x.stride(0) % 8 == 0 && x.stride(1) % 8 == 0;
}

// Heads whose keys and values are packed together: a divisor of all.
int64_t heads_at_once(const EqualPages& pages) {
  const int64_t all = pages.q.size(1);
  const size_t bytes = 2 * size_of(pages.k.dtype()) * static_cast<size_t>(pages.tokens * pages.q.size(2));
  int64_t heads = all;
  while (heads > 1 && (all % heads != 0 || static_cast<size_t>(heads) * bytes > kPackedBytes)) --heads;
  return heads;
}

bool has_room(CudaDevice& device) {
  size_t free_bytes = 0, total_bytes = 0;
  device.note(cudaMemGetInfo(&free_bytes, &total_bytes), "cudaMemGetInfo");
  return free_bytes > 4 * kPackedBytes;
}

const char* name_of(PageWay way) {
  switch (way) {
    case PageWay::kCudnn:
      return "by cuDNN";
    case PageWay::kHerePacked:
      return "here, packed";
    case PageWay::kCudnnPacked:
      return "by cuDNN, packed";
    default:
      return "here";
  }
}

}  // namespace

bool PageChoices::run_packed(CudaDevice& device, const EqualPages& pages, PageWay inner) {
  const int64_t step = heads_at_once(pages), head_dim = pages.q.size(2);
  const auto bytes = static_cast<size_t>(step * pages.tokens * head_dim) * size_of(pages.k.dtype());
  const DeviceMemory memory = device.allocate(2 * bytes);
  if (memory == nullptr) return false;
  auto* const keys = static_cast<std::byte*>(memory.get());
  const auto packed = [&](const std::byte* data) {
    return ConstTensorView(data, pages.k.dtype(), {pages.tokens, step, head_dim},
                           {head_dim, pages.tokens * head_dim, 1});
  };
  for (int64_t head = 0; head < pages.q.size(1); head += step) {
    pack_heads(device, pages.k.slice(1, head, head + step), keys);
    pack_heads(device, pages.v.slice(1, head, head + step), keys + bytes);
    const EqualPages some{.q = pages.q.slice(1, head, head + step),
                          .k = packed(keys),
                          .v = packed(keys + bytes),
                          .out = pages.out.slice(1, head, head + step),
                          .num_pages = 1,
                          .tokens = pages.tokens,
                          .scale = pages.scale};
    if (!run(device, some, inner)) return false;
  }
  return true;
}

bool PageChoices::run(CudaDevice& device, const EqualPages& pages, PageWay way) {
  const bool may_pack = pages.num_pages == 1;
  switch (way) {
    case PageWay::kCudnn:
      return cudnn_.run(device, pages);
    case PageWay::kHerePacked:
      return may_pack && run_packed(device, pages, PageWay::kHere);
    case PageWay::kCudnnPacked:
      return may_pack && run_packed(device, pages, PageWay::kCudnn);
    default:
      attend_here(device, pages);
      return true;
  }
}

PageWay PageChoices::fastest(CudaDevice& device, const EqualPages& pages) {
  std::vector<PageWay> ways{PageWay::kHere, PageWay::kCudnn};
  if (pages.num_pages == 1 && pages.tokens >= kLongPage && has_room(device)) {
    ways.insert(ways.end(), {PageWay::kHerePacked, PageWay::kCudnnPacked});
  }
  PageWay fastest = PageWay::kHere;
  double least = std::numeric_limits<double>::infinity();
  for (const PageWay way : ways) {
    const double seconds = seconds_of(device, [&] { return run(device, pages, way); }, kEnoughSeconds);
    log_debug("attention of {} x {} patches, {} heads of {}: {:.3f} ms {} (cuDNN: {})", pages.num_pages,
              pages.tokens, pages.q.size(1), pages.q.size(2), seconds * 1e3, name_of(way),
              cudnn_description());
    if (seconds < least) {
      least = seconds;
      fastest = way;
    }
  }
  return fastest;
}

std::array<int64_t, 4> PageChoices::key_of(const PageAttentionShape& shape) {
  int64_t tokens = shape.tokens;
  if (tokens >= kLongPage) tokens = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(tokens)));
  return {shape.num_pages, tokens, shape.num_heads, shape.head_dim};
}

void PageChoices::choose(const PageAttentionShape& shape, PageWay way) {
  if (way == PageWay::kUndecided) chosen_.erase(key_of(shape));
  else chosen_[key_of(shape)] = way;
}

PageChoices::Shape& PageChoices::shape_of(const EqualPages& pages) {
  if (shapes_.size() > kMaxShapes) shapes_.clear();
  int64_t tokens = pages.tokens;
  if (tokens >= kLongPage) tokens = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(tokens)));
  return shapes_[{pages.num_pages, tokens, pages.q.size(1), pages.q.size(2), static_cast<int64_t>(pages.q.dtype())}];
}

bool PageChoices::run(CudaDevice& device, const EqualPages& pages) {
  if (pages.out.dtype() != pages.q.dtype()) return false;
  if (!suits_cudnn(pages.q) || !suits_cudnn(pages.k) || !suits_cudnn(pages.v) || !suits_cudnn(pages.out)) {
    return false;
  }
  const auto chosen = chosen_.find(key_of({pages.num_pages, pages.tokens, pages.q.size(1), pages.q.size(2)}));
  if (chosen != chosen_.end()) return chosen->second != PageWay::kHere && run(device, pages, chosen->second);
  Shape& shape = shape_of(pages);
  const auto tokens = static_cast<double>(pages.tokens);
  shape.flop += 4 * static_cast<double>(pages.num_pages) * tokens * tokens *
                static_cast<double>(pages.q.size(1) * pages.q.size(2));
  if (shape.way == PageWay::kUndecided && shape.flop >= kFlopBeforeTrial && !is_capturing(device)) {
    shape.way = fastest(device, pages);
  }
  return shape.way != PageWay::kUndecided && shape.way != PageWay::kHere && run(device, pages, shape.way);
}

void choose_page_attention(CudaDevice& device, const PageAttentionShape& shape, PageAttention way) {
  static_assert(static_cast<int>(PageWay::kCudnnPacked) == static_cast<int>(PageAttention::kCudnnPacked));
  device.state<PageChoices>().choose(shape, static_cast<PageWay>(way));
}

std::string page_attention_library() { return "cuDNN " + cudnn_description(); }

void full_attention(CudaDevice& device, const ConstTensorView& q, const ConstTensorView& k,
                    const ConstTensorView& v, float scale, const TensorView& out,
                    std::span<const int64_t> page_tokens) {
  GLYPH_CHECK(q.size(0) == k.size(0) && scale > 0);
  const int64_t all = q.size(0);
  if (page_tokens.empty()) page_tokens = {&all, 1};
  // Pages of one length that follow one another may have a way of their own; those between stay together.
  PageChoices& choices = device.state<PageChoices>();
  size_t first_page = 0;           // of those that are left
  int64_t first_row = 0, row = 0;  // of those pages, of this one
  const auto attend_before = [&](size_t page) {
    if (page > first_page) {
      attend_pages(device, q.rows(first_row, row), k.rows(first_row, row), v.rows(first_row, row), scale,
                   out.rows(first_row, row), page_tokens.subspan(first_page, page - first_page));
    }
  };
  for (size_t page = 0; page < page_tokens.size();) {
    size_t next = page;
    while (next < page_tokens.size() && page_tokens[next] == page_tokens[page]) ++next;
    const auto num_pages = static_cast<int64_t>(next - page);
    const int64_t end = row + num_pages * page_tokens[page];
    if (end > row && choices.run(device, {.q = q.rows(row, end),
                                          .k = k.rows(row, end),
                                          .v = v.rows(row, end),
                                          .out = out.rows(row, end),
                                          .num_pages = num_pages,
                                          .tokens = page_tokens[page],
                                          .scale = scale})) {
      attend_before(page);
      first_page = next;
      first_row = end;
    }
    page = next;
    row = end;
  }
  attend_before(page_tokens.size());
}

}  // namespace glyph::ops::cuda
