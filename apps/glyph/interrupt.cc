#include "interrupt.h"

#include <csignal>
#include <pthread.h>
#include <unistd.h>

#include "exit_code.h"

namespace glyph {
namespace {

// SIGUSR1 is how the destructor ends the thread.
sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGUSR1);
  return set;
}

}  // namespace

Interrupt::Interrupt() {
  const sigset_t set = watched_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::thread([this] { wait_for_signals(); });
  pthread_setname_np(thread_.native_handle(), "glyph-signals");
}

Interrupt::~Interrupt() {
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

void Interrupt::exit_at_once() { at_once_ = true; }

void Interrupt::wait_for_signals() {
  const sigset_t set = watched_signals();
  for (int signal = 0; sigwait(&set, &signal) == 0 && signal != SIGUSR1;) {
    if (at_once_ || source_.stop_requested()) _exit(kExitInterrupted);
    source_.request_stop();
  }
}

}  // namespace glyph
