#include "ingest/helper_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace glyph {
namespace {

struct Pipe {
  OwnedFd read;
  OwnedFd write;
};

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return internal_error(fmt::format("no pipe for glyph-extract: {}", std::strerror(errno)));
  Pipe pipe{OwnedFd(fds[0]), OwnedFd(fds[1])};
  ::fcntl(fds[0], F_SETFL, O_NONBLOCK);
  ::fcntl(fds[0], F_SETPIPE_SZ, 1 << 20);  // fewer switches between the two processes; refusal is harmless
  return pipe;
}

// posix_spawn's two attribute objects, destroyed together.
class SpawnSetup {
 public:
  SpawnSetup(int input, int output, int errors) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
    posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

void OwnedFd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<HelperProcess> HelperProcess::start(const std::filesystem::path& program, std::span<const std::string> arguments,
                                           int input_fd) {
  GLYPH_ASSIGN_OR_RETURN(Pipe output, make_pipe());
  GLYPH_ASSIGN_OR_RETURN(Pipe errors, make_pipe());
  const SpawnSetup setup(input_fd, output.write.get(), errors.write.get());

  const std::string program_name = program.string();
  std::vector<char*> argv{const_cast<char*>(program_name.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  char locale[] = "LC_ALL=C.UTF-8";
  char* environment[] = {locale, nullptr};

  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, program_name.c_str(), setup.actions(), setup.attributes(), argv.data(), environment);
  if (error != 0) return internal_error(fmt::format("{} cannot be started: {}", program_name, std::strerror(error)));
  return HelperProcess(pid, std::move(output.read), std::move(errors.read));
}

HelperProcess::HelperProcess(HelperProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), output_(std::move(other.output_)), errors_(std::move(other.errors_)) {}

HelperProcess& HelperProcess::operator=(HelperProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(output_, other.output_);
  std::swap(errors_, other.errors_);
  return *this;
}

HelperProcess::~HelperProcess() {
  if (pid_ < 0) return;
  kill();
  wait();
}

void HelperProcess::kill() {
  if (pid_ >= 0) ::kill(pid_, SIGKILL);
}

ProcessEnd HelperProcess::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  if (WIFSIGNALED(status)) return {.exit_code = 0, .signal = WTERMSIG(status)};
  return {.exit_code = WEXITSTATUS(status), .signal = 0};
}

}  // namespace glyph
