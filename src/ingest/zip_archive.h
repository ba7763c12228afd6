// ZipArchive: the parts of a DOCX, read from memory within limits. Uses libzip, inside glyph-extract only.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "glyph/status.h"
#include "ingest/limits.h"

namespace glyph {

// One object, one thread. The bytes must outlive it. Messages do not name the file.
class ZipArchive {
 public:
  // kRefused for what is no ZIP, has too many entries, an entry with an absolute name or with "..", or promises to inflate to
  // more than the limits allow.
  static Result<ZipArchive> open(std::string_view bytes, const IngestLimits& limits);

  ZipArchive(ZipArchive&&) noexcept;
  ZipArchive& operator=(ZipArchive&&) noexcept;
  ~ZipArchive();

  bool contains(const std::string& part) const;
  // The inflated part. kRefused when it is missing, damaged, encrypted, or inflates past a limit whatever its header says.
  Result<std::string> read(const std::string& part);

 private:
  struct Closer {
    void operator()(void* archive) const;
  };
  ZipArchive(void* archive, const IngestLimits& limits) : archive_(archive), limits_(limits) {}
  Status check_entries() const;
  Status check_size(std::string_view name, size_t inflated, size_t compressed) const;

  std::unique_ptr<void, Closer> archive_;
  IngestLimits limits_;
  size_t inflated_bytes_ = 0;  // by read() so far
};

}  // namespace glyph
