#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace glyph {

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return not_found(path.string() + ": there is no such file");
    return refused(path.string() + ": cannot be opened: " + std::strerror(errno));
  }
  struct stat info {};
  Status status;
  void* data = nullptr;
  if (::fstat(fd, &info) != 0) {
    status = internal_error(path.string() + ": cannot be read: " + std::strerror(errno));
  } else if (S_ISDIR(info.st_mode)) {
    status = refused(path.string() + ": is a directory, not a file");
  } else if (!S_ISREG(info.st_mode)) {
    status = refused(path.string() + ": is not a regular file");
  } else if (info.st_size > 0) {
    data = ::mmap(nullptr, info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) status = internal_error(path.string() + ": cannot be mapped: " + std::strerror(errno));
  }
  ::close(fd);
  if (!status.ok()) return status;
  return MappedFile(static_cast<const uint8_t*>(data), static_cast<size_t>(info.st_size));
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<uint8_t*>(data_), size_);
}

}  // namespace glyph
