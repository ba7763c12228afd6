// The walls of glyph-extract, as its self-check and the process table see them.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "ingest/extract_client.h"

namespace glyph {
namespace {

namespace fs = std::filesystem;

IngestOptions options() {
  IngestOptions options;
  options.helper = GLYPH_EXTRACT_PATH;
  return options;
}

TEST(Sandbox, TheSelfCheckTriesEveryWall) {
  const auto report = check_extract_helper(options());
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_TRUE(report->no_new_privileges);
  EXPECT_TRUE(report->limits);
  EXPECT_TRUE(report->seccomp);
  EXPECT_EQ(report->landlock, report->landlock_abi > 0);
  EXPECT_FALSE(report->poppler.empty());
}

TEST(Sandbox, ASelfCheckWithoutAHelperIsAnError) {
  IngestOptions lost = options();
  lost.helper = "/bin/true";
  EXPECT_EQ(check_extract_helper(lost).status().code(), StatusCode::kInternal);
}

// Process ids of running helpers whose parent is `parent`.
std::vector<pid_t> helpers_of(pid_t parent) {
  std::vector<pid_t> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    std::ifstream stat(entry.path() / "stat");
    std::string pid, name, state, ppid;
    if (!(stat >> pid >> name >> state >> ppid) || ppid != std::to_string(parent)) continue;
    if (name.find("glyph-extract") != std::string::npos && state != "Z") found.push_back(std::stoi(pid));
  }
  return found;
}

// False for a process that has ended, also while nobody has waited for it.
bool is_running(pid_t wanted) {
  std::ifstream stat("/proc/" + std::to_string(wanted) + "/stat");
  std::string pid, name, state;
  return (stat >> pid >> name >> state) && state != "Z" && state != "X";
}

template <typename Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 100; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

TEST(Sandbox, TheHelperDiesWithAKilledParent) {
  const pid_t parent = ::fork();
  if (parent == 0) {
    static_cast<void>(read_document(fs::path(GLYPH_SOURCE_DIR) / "tests/ingest/data/slow.pdf", options()));
    ::_exit(0);
  }
  std::vector<pid_t> helpers;
  ASSERT_TRUE(eventually([&] { return !(helpers = helpers_of(parent)).empty(); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // past its start
  ASSERT_TRUE(is_running(helpers[0]));
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  EXPECT_TRUE(eventually([&] { return !is_running(helpers[0]); }));
}

TEST(Sandbox, NothingIsLeftAfterARefusal) {
  IngestOptions impatient = options();
  impatient.limits.helper_seconds = 0.2;
  EXPECT_EQ(read_document(fs::path(GLYPH_SOURCE_DIR) / "tests/ingest/data/slow.pdf", impatient).status().code(), StatusCode::kDeadline);
  EXPECT_TRUE(helpers_of(::getpid()).empty());
}

}  // namespace
}  // namespace glyph
