#include "server/request_body.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>

namespace glyph {

// Goes with its last owner.
struct RequestBody::File {
  std::filesystem::path path;
  int fd = -1;

  ~File() {
    if (fd >= 0) ::close(fd);
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
};

int RequestBody::to_file(const std::filesystem::path& dir) {
  auto file = std::make_shared<File>();
  std::string path = (dir / "upload-XXXXXX").string();
  file->fd = ::mkstemp(path.data());
  if (file->fd < 0) return errno;
  file->path = path;
  file_ = std::move(file);
  return 0;
}

bool RequestBody::append(HttpRequest& request, std::string_view bytes) {
  num_bytes_ += bytes.size();
  if (file_ == nullptr) {
    request.body.append(bytes);
    return true;
  }
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_->fd, bytes.data(), bytes.size());
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

void RequestBody::finish(HttpRequest& request) {
  if (file_ != nullptr) {
    request.body_file = file_->path;
    request.body_file_guard = std::move(file_);
  }
  clear();
}

void RequestBody::clear() {
  file_ = nullptr;
  num_bytes_ = 0;
}

}  // namespace glyph
