// Preloaded into a server under test: while the file that GLYPH_TEST_DISK_IS_FULL names exists, its file system has no room. Folders and files
// cannot be made and regular files cannot be written, as if every call met ENOSPC; what is there can be read, renamed and removed.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>

namespace {

template <typename Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

bool full() {
  static const char* const sign = std::getenv("GLYPH_TEST_DISK_IS_FULL");
  return sign != nullptr && ::access(sign, F_OK) == 0;
}

bool no_room_for(int file) {
  struct stat status {};
  return full() && ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
}

int fail() {
  errno = ENOSPC;
  return -1;
}

bool makes_a_file(const char* path, int flags) { return (flags & (O_CREAT | O_TMPFILE)) != 0 && ::access(path, F_OK) != 0 && full(); }

}  // namespace

extern "C" {

int mkdir(const char* path, mode_t mode) noexcept {
  static const auto real = next<int (*)(const char*, mode_t)>("mkdir");
  return full() && ::access(path, F_OK) != 0 ? fail() : real(path, mode);
}

// The mode is read whether or not it was given, as it is passed in a register.
#define GLYPH_TEST_OPEN(name)                                                          \
  int name(const char* path, int flags, ...) {                                         \
    static const auto real = next<int (*)(const char*, int, ...)>(#name);              \
    va_list rest;                                                                      \
    va_start(rest, flags);                                                             \
    const mode_t mode = va_arg(rest, mode_t);                                          \
    va_end(rest);                                                                      \
    return makes_a_file(path, flags) ? fail() : real(path, flags, mode);               \
  }
GLYPH_TEST_OPEN(open)
GLYPH_TEST_OPEN(open64)
#undef GLYPH_TEST_OPEN

ssize_t write(int file, const void* bytes, size_t count) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  return no_room_for(file) ? fail() : real(file, bytes, count);
}

ssize_t writev(int file, const iovec* parts, int count) {
  static const auto real = next<ssize_t (*)(int, const iovec*, int)>("writev");
  return no_room_for(file) ? fail() : real(file, parts, count);
}

#define GLYPH_TEST_PWRITE(name, offset_type)                                                     \
  ssize_t name(int file, const void* bytes, size_t count, offset_type at) {                      \
    static const auto real = next<ssize_t (*)(int, const void*, size_t, offset_type)>(#name);    \
    return no_room_for(file) ? fail() : real(file, bytes, count, at);                            \
  }
GLYPH_TEST_PWRITE(pwrite, off_t)
GLYPH_TEST_PWRITE(pwrite64, off64_t)
#undef GLYPH_TEST_PWRITE

}  // extern "C"
