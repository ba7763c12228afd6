#include "server/file_body.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace glyph {

Result<FileBody> FileBody::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const std::string reason = fmt::format("{}: {}", path.filename().string(), std::strerror(errno));
    return errno == ENOENT ? not_found(reason) : internal_error(reason);
  }
  FileBody body(fd, 0);
  struct stat info{};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return internal_error(fmt::format("{}: is not a file", path.filename().string()));
  body.num_bytes_ = static_cast<uint64_t>(info.st_size);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  return body;
}

FileBody::FileBody(FileBody&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), num_bytes_(other.num_bytes_), sent_(other.sent_) {}

FileBody& FileBody::operator=(FileBody&& other) noexcept {
  std::swap(fd_, other.fd_);
  num_bytes_ = other.num_bytes_;
  sent_ = other.sent_;
  return *this;
}

FileBody::~FileBody() {
  if (fd_ >= 0) ::close(fd_);
}

std::string FileBody::next(size_t max_bytes) {
  std::string piece(static_cast<size_t>(std::min<uint64_t>(max_bytes, num_bytes_ - sent_)), '\0');
  size_t count = 0;
  while (count < piece.size()) {
    const ssize_t got = ::pread(fd_, piece.data() + count, piece.size() - count, static_cast<off_t>(sent_ + count));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    count += static_cast<size_t>(got);
  }
  piece.resize(count);
  sent_ += count;
  return piece;
}

}  // namespace glyph
