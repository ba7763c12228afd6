// The JSON header of a safetensors file, read and checked on its own.
//
// Layout: 8 bytes length N (little-endian), N bytes JSON {"name": {"dtype", "shape", "data_offsets": [begin,
// end]}, ...,
// "__metadata__": {string: string}}, then the data, which the tensors must cover without overlap or hole.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "glyph/status.h"
#include "weights/safetensors.h"

namespace glyph {

struct HeaderEntry {
  std::string name;
  StoredType type = StoredType::kF32;
  std::vector<int64_t> shape;
  uint64_t begin = 0;  // bytes from the start of the data
  uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<HeaderEntry> entries;  // in the order of their data
  uint64_t data_offset = 0;          // bytes from the start of the file to the data
};

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit
constexpr size_t kMaxTensors = 1'000'000;
constexpr size_t kMaxTensorName = 1024;  // bytes
constexpr size_t kMaxTensorDims = 8;

// Reads and checks everything but the values. `file` is the whole file; `where` names it in messages.
Result<SafetensorsHeader> read_safetensors_header(std::span<const uint8_t> file, const std::string& where);

}  // namespace glyph
