// From the bytes of pages to what the patch embedding multiplies.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/tensor.h"

namespace glyph::ops {

// out, dense f32 with as many elements as there are bytes = the bytes as numbers 0 ... 255, in order. The
// bytes lie in host memory.
void widen_bytes(Device& device, std::span<const uint8_t> bytes, const TensorView& out);
// The same of bytes (patches, n) that lie in the device's memory: out (patches, parts * n) has those of a patch `parts` times beside each
// other. On a GPU it may be bf16, which has these numbers, too.
void widen_device_bytes(Device& device, const uint8_t* bytes, int64_t parts, const TensorView& out);

}  // namespace glyph::ops
