// Outbox: what a connection still has to send: bytes, and the file behind them.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>

#include "server/file_body.h"

namespace glyph {

// One thread.
class Outbox {
 public:
  void push(std::string bytes);
  // Nothing may be pushed behind it.
  void push_file(std::shared_ptr<FileBody> file) { file_ = std::move(file); }

  // What is to be sent next, read from the file when all bytes before it were sent; nullptr: nothing. It stays until pop().
  const std::string* front();
  void pop();
  size_t num_bytes() const { return num_bytes_; }  // in memory
  // The file ended before its length.
  bool broken() const { return broken_; }

 private:
  std::deque<std::string> pieces_;
  size_t num_bytes_ = 0;
  std::shared_ptr<FileBody> file_;
  bool broken_ = false;
};

}  // namespace glyph
