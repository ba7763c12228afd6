// Black ink on grey: the inner loop of drawing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glyph {

// to[i] = floor(to[i] * keep[i] / 255) for `rows` rows of `stride` pixels, a multiple of 8; rows of `to` are `to_stride` bytes
// apart, those of `keep` follow each other. The fastest of the versions below that this processor runs.
using BlendBlack = void (*)(uint8_t* to, size_t to_stride, const uint8_t* keep, int rows, int stride);
BlendBlack pick_blend_black();

// The specification, and what machines other than x86-64 run.
void blend_black_plain(uint8_t* to, size_t to_stride, const uint8_t* keep, int rows, int stride);

}  // namespace glyph
