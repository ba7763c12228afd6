// Writes small safetensors files: for tests, goldens and tools. Everything is held in memory until write().
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "glyph/status.h"
#include "weights/safetensors.h"

namespace glyph {

class SafetensorsWriter {
 public:
  // `bytes` must be num_elements * size_of(type) long.
  void add(std::string name, StoredType type, std::vector<int64_t> shape, std::span<const uint8_t> bytes);
  void add_f32(std::string name, std::vector<int64_t> shape, std::span<const float> values);

  // The whole file. Tensors are ordered by element size, largest first, then name, so that all of them are
  // aligned.
  std::string encode() const;
  Status write(const std::filesystem::path& file) const;

 private:
  struct Entry {
    std::string name;
    StoredType type;
    std::vector<int64_t> shape;
    std::string bytes;
  };
  std::vector<Entry> entries_;
};

}  // namespace glyph
