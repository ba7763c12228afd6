// FileBody: a response's body that is read from a file while it is sent, and never whole in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "glyph/status.h"

namespace glyph {

// One thread at a time.
class FileBody {
 public:
  // kNotFound, kInternal: it cannot be opened. A file that is deleted afterwards is still sent.
  static Result<FileBody> open(const std::filesystem::path& path);
  FileBody(FileBody&& other) noexcept;
  FileBody& operator=(FileBody&& other) noexcept;
  ~FileBody();

  uint64_t num_bytes() const { return num_bytes_; }  // when it was opened
  // Up to `max_bytes` after those of the call before; "" at the end, or when the file has become shorter.
  std::string next(size_t max_bytes);
  bool complete() const { return sent_ == num_bytes_; }  // next() gave all of it

 private:
  FileBody(int fd, uint64_t num_bytes) : fd_(fd), num_bytes_(num_bytes) {}

  int fd_ = -1;
  uint64_t num_bytes_ = 0, sent_ = 0;
};

}  // namespace glyph
