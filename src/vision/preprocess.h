// From a page's pixels to patches, exactly as the reference's image processor does it: resize to whole patch
// groups, normalise, cut.
//
// Reference: image_processing_glm4v.py (Glm4vImageProcessor); the resize is torchvision's antialiased bicubic
// on uint8, bit for bit.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "glyph/document.h"
#include "glyph/status.h"
#include "ops/embedding.h"
#include "weights/config.h"

namespace glyph {

struct ImageSize {
  int64_t width = 0;  // pixels
  int64_t height = 0;
  bool operator==(const ImageSize&) const = default;
};

// The size the image processor resizes to: multiples of patch_size * merge_size within min_pixels and
// max_pixels (both counted over temporal_patch_size frames). Refuses an aspect ratio above 200. Reference:
// smart_resize.
Result<ImageSize> resized_size(const ImageSize& size, const PreprocessorConfig& config);

// Number of image tokens a page of this size becomes: what the prompt needs before anything is drawn or
// encoded.
Result<int64_t> num_image_tokens(const ImageSize& size, const PreprocessorConfig& config);

// Antialiased bicubic resize of uint8 pixels, any channel count. Equal sizes give the image back.
Image resize_bicubic(const Image& image, const ImageSize& size);

// A page cut into patches; still uint8, because a grey page needs neither three channels nor two frames until
// the model says so. Order of patches: merge groups row by row, inside a group row by row (reference:
// Glm4vImageProcessor.patchify).
struct Patches {
  ops::PatchGrid grid;
  int channels = 1;             // 1 = all channels of the model see the same pixels
  std::vector<uint8_t> pixels;  // (patches, channels, patch_size, patch_size)
};

// Where each patch of a page lies, in the order of Patches. Reference: get_vision_position_ids.
std::vector<ops::PatchPosition> patch_positions(const ops::PatchGrid& grid, int64_t merge_size);

// Refused: an empty image, channels other than 1 or 3, an aspect ratio above 200.
Result<Patches> make_patches(const Image& image, const PreprocessorConfig& config);

// The value the model sees for each byte of one channel: (byte / 255 - mean) / std in the reference's order
// of roundings.
std::array<float, 256> normalised_values(const PreprocessorConfig& config, int channel);

// All of pixel_values, (patches, in_channels * temporal_patch_size * patch_size^2) f32; what the golden of
// the image processor holds.
std::vector<float> pixel_values(const Patches& patches, const PreprocessorConfig& config);

}  // namespace glyph
