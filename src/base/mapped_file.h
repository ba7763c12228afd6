// A file mapped read-only into memory. Moves, does not copy; any thread may read it while it lives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "glyph/status.h"

namespace glyph {

class MappedFile {
 public:
  // kNotFound when there is no such file, kRefused for a directory or another non-file, kInternal when mapping fails.
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const uint8_t> bytes() const { return {data_, size_}; }

 private:
  MappedFile(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace glyph
