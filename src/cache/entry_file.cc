#include "cache/entry_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text_file.h"
#include "cache/checksum.h"

namespace glyph {
namespace fs = std::filesystem;
namespace {

class OpenFile {
 public:
  explicit OpenFile(const fs::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// Read, not mapped: a file that shrinks meanwhile is an error then, not a signal.
Status read_all(int fd, std::span<uint8_t> bytes, uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t count = ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return internal_error(fmt::format("cannot be read: {}", std::strerror(errno)));
    if (count == 0) return refused("is cut off");
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return {};
}

Result<EntryHeader> read_header(const OpenFile& file) {
  if (file.fd() < 0) {
    return errno == ENOENT ? not_found("is not there") : internal_error(fmt::format("cannot be opened: {}", std::strerror(errno)));
  }
  struct stat info{};
  if (::fstat(file.fd(), &info) != 0) return internal_error(fmt::format("cannot be read: {}", std::strerror(errno)));
  if (!S_ISREG(info.st_mode)) return refused("is not a file");
  std::array<uint8_t, kEntryHeaderBytes> bytes{};
  GLYPH_RETURN_IF_ERROR(read_all(file.fd(), bytes, 0));
  GLYPH_ASSIGN_OR_RETURN(const EntryHeader header, parse_entry_header(bytes));
  const uint64_t expected = kEntryHeaderBytes + header.payload_bytes;
  if (static_cast<uint64_t>(info.st_size) != expected) return refused(fmt::format("has {} bytes instead of {}", info.st_size, expected));
  return header;
}

}  // namespace

EntryBuffer::EntryBuffer(const EntryHeader& header)
    : header_(header), bytes_(std::make_unique_for_overwrite<uint8_t[]>(kEntryHeaderBytes + header.payload_bytes)) {}

Status write_entry(const fs::path& path, EntryBuffer& entry) {
  entry.header_.payload_checksum = checksum64(entry.payload());
  const auto header = to_bytes(entry.header_);
  std::memcpy(entry.bytes_.get(), header.data(), header.size());
  return write_file_atomically(path, {reinterpret_cast<const char*>(entry.bytes_.get()), entry.num_bytes()});
}

Result<EntryHeader> read_entry_header(const fs::path& path) { return read_header(OpenFile(path)); }

Result<EntryBuffer> read_entry(const fs::path& path) {
  const OpenFile file(path);
  GLYPH_ASSIGN_OR_RETURN(const EntryHeader header, read_header(file));
  EntryBuffer entry(header);
  GLYPH_RETURN_IF_ERROR(read_all(file.fd(), entry.payload(), kEntryHeaderBytes));
  if (checksum64(entry.payload()) != header.payload_checksum) return refused("is damaged");
  return entry;
}

}  // namespace glyph
