// How pages attend to themselves (ops::full_attention): the implementations a GPU can choose among, shape by shape.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/device.h"

namespace glyph::ops {

enum class PageAttention {
  kMeasured,     // the device times them when a shape has come often enough
  kOwn,          // the kernels of ops/cuda
  kCudnn,
  kOwnPacked,    // keys and values of some heads at a time are packed first; one long page only
  kCudnnPacked,
};

// "measured", "own", "cudnn", "own-packed", "cudnn-packed"
std::string_view name_of(PageAttention way);
std::optional<PageAttention> parse_page_attention(std::string_view name);

// Equal pages in one call.
struct PageAttentionShape {
  int64_t num_pages = 1;
  int64_t tokens = 0;  // patches of a page
  int64_t num_heads = 0;
  int64_t head_dim = 0;
};

// Those worth timing on this device; none where there is no choice.
std::vector<PageAttention> page_attention_ways(Device& device, const PageAttentionShape& shape);
// What calls of this shape use from now on where they can; kMeasured forgets the choice.
void choose_page_attention(Device& device, const PageAttentionShape& shape, PageAttention way);
// The library behind kCudnn, "cuDNN 9.19.0"; why there is none; "" on a device without a choice.
std::string page_attention_library(Device& device);

}  // namespace glyph::ops
