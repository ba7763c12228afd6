#include "base/text_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/mapped_file.h"

namespace glyph {
namespace {

// Right after the call that failed. kExhausted: there is no room.
Status write_failed(const std::filesystem::path& path, const char* what) {
  const int error = errno;
  std::string message = fmt::format("{}: cannot be {}: {}", path.string(), what, std::strerror(error));
  return error == ENOSPC || error == EDQUOT || error == EFBIG ? exhausted(std::move(message)) : internal_error(std::move(message));
}

Status write_all(int fd, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return write_failed(path, "written");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(fd) != 0) return write_failed(path, "synced");
  return {};
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path, size_t max_bytes) {
  GLYPH_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  const auto bytes = file.bytes();
  if (bytes.size() > max_bytes) {
    return refused(fmt::format("{}: has {} bytes, the limit is {}", path.string(), bytes.size(), max_bytes));
  }
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Status write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  std::string temporary = path.string() + ".XXXXXX";
  const int fd = ::mkstemp(temporary.data());
  if (fd < 0) return write_failed(path, "created");
  Status status = write_all(fd, bytes, path);
  ::fchmod(fd, 0644);
  ::close(fd);
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = write_failed(path, "renamed into place");
  }
  if (!status.ok()) ::unlink(temporary.c_str());
  return status;
}

}  // namespace glyph
