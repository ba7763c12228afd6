// Ctrl-C and SIGTERM as a stop token, so that a command can leave cleanly: kill its helper, remove its temporary files, exit 130.
#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

namespace glyph {

// Make it in main() before any other thread starts: it blocks SIGINT and SIGTERM for the whole process and waits for them on a
// thread of its own. The first signal requests a stop, the second one ends the process with status 130.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  // For commands that have nothing to clean up and may sit in a blocking read: the first signal ends the process.
  void exit_at_once();

 private:
  void wait_for_signals();

  std::stop_source source_;
  std::atomic<bool> at_once_{false};
  std::thread thread_;
};

}  // namespace glyph
