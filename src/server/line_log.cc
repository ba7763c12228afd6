#include "server/line_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/mapped_file.h"

namespace glyph {

Result<LineLog> LineLog::open(const std::filesystem::path& path, const std::function<void(std::string_view line)>& on_line) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return internal_error(fmt::format("{}: {}", path.string(), std::strerror(errno)));
  LineLog log(fd, 0);
  GLYPH_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  for (size_t end = 0; (end = text.find('\n', log.size_)) != std::string_view::npos; log.size_ = end + 1) {
    on_line(text.substr(log.size_, end - log.size_));
  }
  if (::ftruncate(fd, static_cast<off_t>(log.size_)) != 0) return internal_error(fmt::format("{}: {}", path.string(), std::strerror(errno)));
  return log;
}

LineLog::LineLog(LineLog&& other) noexcept : fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}

LineLog::~LineLog() {
  if (fd_ >= 0) ::close(fd_);
}

Status LineLog::append(std::string_view line) {
  size_t written = 0;
  while (written < line.size()) {
    const ssize_t count = ::pwrite(fd_, line.data() + written, line.size() - written, static_cast<off_t>(size_ + written));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int error = errno;
      if (::ftruncate(fd_, static_cast<off_t>(size_)) != 0) return internal_error("a line cannot be taken back");
      return exhausted(fmt::format("a line of {} bytes cannot be written: {}", line.size(), std::strerror(error)));
    }
    written += static_cast<size_t>(count);
  }
  size_ += line.size();
  return {};
}

}  // namespace glyph
