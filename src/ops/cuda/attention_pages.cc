#include "ops/cuda/attention_pages.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <vector>

#include "base/log.h"
#include "ops/cuda/ops.h"
#include "tensor/cuda/cuda_device.h"

namespace glyph::ops::cuda {
namespace {

void attend_here(CudaDevice& device, const EqualPages& pages) {
  const std::vector<int64_t> page_tokens(static_cast<size_t>(pages.num_pages), pages.tokens);
  attend_pages(device, pages.q, pages.k, pages.v, pages.scale, pages.out, page_tokens);
}

// Seconds of the faster of two runs, after one that warms up; infinity when run() refuses.
double time_of(CudaDevice& device, const std::function<bool()>& run) {
  double best = std::numeric_limits<double>::infinity();
  cudaEvent_t begin = nullptr, end = nullptr;
  device.note(cudaEventCreate(&begin), "cudaEventCreate");
  device.note(cudaEventCreate(&end), "cudaEventCreate");
  for (int i = 0; i < 3 && device.ok(); ++i) {
    device.note(cudaEventRecord(begin, device.stream()), "cudaEventRecord");
    if (!run()) break;
    device.note(cudaEventRecord(end, device.stream()), "cudaEventRecord");
    device.note(cudaEventSynchronize(end), "cudaEventSynchronize");
    float milliseconds = 0;
    device.note(cudaEventElapsedTime(&milliseconds, begin, end), "cudaEventElapsedTime");
    if (i > 0) best = std::min(best, milliseconds * 1e-3);
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  return best;
}

bool is_capturing(CudaDevice& device) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  return cudaStreamIsCapturing(device.stream(), &status) != cudaSuccess ||
         status != cudaStreamCaptureStatusNone;
}

bool suits_cudnn(const ConstTensorView& x) {
  return x.dtype() == DType::kBF16 && x.size(2) % 8 == 0 && x.size(2) <= 128 &&
         reinterpret_cast<uintptr_t>(x.raw()) % 16 == 0 && x.stride(0) % 8 == 0 && x.stride(1) % 8 == 0;
}

}  // namespace

PageChoices::Way PageChoices::try_both(CudaDevice& device, const EqualPages& pages) {
  const double by_cudnn = time_of(device, [&] { return cudnn_.run(device, pages); });
  if (by_cudnn == std::numeric_limits<double>::infinity()) return Way::kHere;
  const double here = time_of(device, [&] {
    attend_here(device, pages);
    return true;
  });
  log_debug("attention of {} x {} patches, {} heads of {}: {:.3f} ms by cuDNN {}, {:.3f} ms here",
            pages.num_pages, pages.tokens, pages.q.size(1), pages.q.size(2), by_cudnn * 1e3,
            cudnn_description(), here * 1e3);
  return by_cudnn < here ? Way::kCudnn : Way::kHere;
}

bool PageChoices::run_by_cudnn(CudaDevice& device, const EqualPages& pages) {
  if (!suits_cudnn(pages.q) || !suits_cudnn(pages.k) || !suits_cudnn(pages.v) || !suits_cudnn(pages.out))
    return false;
  if (shapes_.size() > kMaxShapes) shapes_.clear();
  const auto tokens = static_cast<double>(pages.tokens);
  Shape& shape = shapes_[{pages.num_pages, pages.tokens, pages.q.size(1), pages.q.size(2)}];
  shape.flop += 4 * static_cast<double>(pages.num_pages) * tokens * tokens *
                static_cast<double>(pages.q.size(1) * pages.q.size(2));
  if (shape.way == Way::kUndecided && shape.flop >= kFlopBeforeTrial && !is_capturing(device)) {
    shape.way = try_both(device, pages);
  }
  return shape.way == Way::kCudnn && cudnn_.run(device, pages);
}

void full_attention(CudaDevice& device, const ConstTensorView& q, const ConstTensorView& k,
                    const ConstTensorView& v, float scale, const TensorView& out,
                    std::span<const int64_t> page_tokens) {
  GLYPH_CHECK(q.size(0) == k.size(0) && scale > 0);
  const int64_t all = q.size(0);
  if (page_tokens.empty()) page_tokens = {&all, 1};
  // Pages of one length that follow one another may go to cuDNN; those between stay together.
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
    if (end > row && choices.run_by_cudnn(device, {.q = q.rows(row, end),
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
