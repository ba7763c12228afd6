// HelperProcess: one running glyph-extract, with its stdout and stderr as pipes. Killed and reaped when the object goes.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "glyph/status.h"

namespace glyph {

// A file descriptor that is closed when the object goes.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OwnedFd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

// How a process ended.
struct ProcessEnd {
  int exit_code = 0;  // when signal is 0
  int signal = 0;     // that killed it
};

// Used by the thread that started it: the helper asks the kernel to be killed when that thread ends.
class HelperProcess {
 public:
  // Starts `program` with `arguments`, `input_fd` as its stdin, an almost empty environment, in a process group of its own (so
  // that Ctrl-C reaches only the parent). The caller keeps `input_fd`. kInternal when it cannot be started.
  static Result<HelperProcess> start(const std::filesystem::path& program, std::span<const std::string> arguments, int input_fd);

  HelperProcess(HelperProcess&& other) noexcept;
  HelperProcess& operator=(HelperProcess&& other) noexcept;
  ~HelperProcess();

  OwnedFd& output() { return output_; }  // its stdout, non-blocking
  OwnedFd& errors() { return errors_; }  // its stderr, non-blocking
  void kill();
  ProcessEnd wait();  // blocks until it has ended; once only

 private:
  HelperProcess(pid_t pid, OwnedFd output, OwnedFd errors)
      : pid_(pid), output_(std::move(output)), errors_(std::move(errors)) {}

  pid_t pid_ = -1;  // -1: waited for
  OwnedFd output_;
  OwnedFd errors_;
};

}  // namespace glyph
