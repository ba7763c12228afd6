#include "ingest/helper_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace glyph {
namespace {

std::string read_all(OwnedFd& fd) {
  std::string all;
  char bytes[256];
  pollfd polled{fd.get(), POLLIN, 0};
  while (::poll(&polled, 1, 5000) > 0) {
    const ssize_t count = ::read(fd.get(), bytes, sizeof bytes);
    if (count <= 0) break;
    all.append(bytes, static_cast<size_t>(count));
  }
  return all;
}

Result<HelperProcess> shell(const std::string& script, int input) {
  const std::vector<std::string> arguments{"-c", script};
  return HelperProcess::start("/bin/sh", arguments, input);
}

TEST(HelperProcess, GetsItsInputAndAnEmptyEnvironment) {
  const OwnedFd input(::open("/dev/null", O_RDONLY));
  auto process = shell("cat; echo out; echo err >&2; echo $HOME-$LC_ALL; ls /proc/self/fd | wc -l; exit 7", input.get());
  ASSERT_TRUE(process.ok()) << process.status().message();
  EXPECT_EQ(read_all(process->output()), "out\n-C.UTF-8\n4\n") << "0, 1, 2 and the folder that ls reads";
  EXPECT_EQ(read_all(process->errors()), "err\n");
  const ProcessEnd end = process->wait();
  EXPECT_EQ(end.exit_code, 7);
  EXPECT_EQ(end.signal, 0);
}

TEST(HelperProcess, DiesWithItsObject) {
  const OwnedFd input(::open("/dev/null", O_RDONLY));
  pid_t pid = 0;
  {
    auto process = shell("echo $$; sleep 60", input.get());
    ASSERT_TRUE(process.ok());
    char line[32] = {};
    pollfd polled{process->output().get(), POLLIN, 0};
    ASSERT_GT(::poll(&polled, 1, 5000), 0);
    ASSERT_GT(::read(process->output().get(), line, sizeof line - 1), 0);
    pid = std::stoi(line);
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(HelperProcess, AMissingProgramIsAnError) {
  const OwnedFd input(::open("/dev/null", O_RDONLY));
  const auto process = HelperProcess::start("/nonexistent/glyph-extract", {}, input.get());
  EXPECT_EQ(process.status().code(), StatusCode::kInternal);
}

TEST(HelperProcess, AKilledProcessNamesItsSignal) {
  const OwnedFd input(::open("/dev/null", O_RDONLY));
  auto process = shell("sleep 60", input.get());
  ASSERT_TRUE(process.ok());
  process->kill();
  EXPECT_EQ(process->wait().signal, SIGKILL);
}

}  // namespace
}  // namespace glyph
