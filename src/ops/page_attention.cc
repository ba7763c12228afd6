#include "ops/page_attention.h"

#include <array>

#include "ops/dispatch.h"

namespace glyph::ops {
namespace {

constexpr std::array<std::string_view, 5> kNames{"measured", "own", "cudnn", "own-packed", "cudnn-packed"};
constexpr int64_t kLongPage = 16384;  // patches: from here packing may pay

}  // namespace

std::string_view name_of(PageAttention way) { return kNames[static_cast<size_t>(way)]; }

std::optional<PageAttention> parse_page_attention(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<PageAttention>(i);
  }
  return std::nullopt;
}

std::vector<PageAttention> page_attention_ways(Device& device, const PageAttentionShape& shape) {
  if (device.kind() != DeviceKind::kCuda) return {};
  std::vector<PageAttention> ways{PageAttention::kOwn, PageAttention::kCudnn};
  if (shape.num_pages == 1 && shape.tokens >= kLongPage) {
    ways.insert(ways.end(), {PageAttention::kOwnPacked, PageAttention::kCudnnPacked});
  }
  return ways;
}

void choose_page_attention(Device& device, const PageAttentionShape& shape, PageAttention way) {
  if (device.kind() == DeviceKind::kCuda) cuda::choose_page_attention(device.cuda(), shape, way);
}

std::string page_attention_library(Device& device) {
  return device.kind() == DeviceKind::kCuda ? cuda::page_attention_library() : std::string();
}

}  // namespace glyph::ops
