// LineLog: a file of lines that grows, and that a crash can only shorten to whole lines.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string_view>

#include "glyph/status.h"

namespace glyph {

// One thread at a time.
class LineLog {
 public:
  // Opens or creates the file, calls with each whole line that is there (without its end) and cuts off what follows the last one.
  static Result<LineLog> open(const std::filesystem::path& path, const std::function<void(std::string_view line)>& on_line);
  LineLog(LineLog&& other) noexcept;
  LineLog& operator=(LineLog&&) = delete;
  ~LineLog();

  // `line` ends with '\n'. kExhausted: no room on the disk; the file is then as before.
  Status append(std::string_view line);

 private:
  LineLog(int fd, size_t size) : fd_(fd), size_(size) {}

  int fd_;
  size_t size_;
};

}  // namespace glyph
