#include "fresh_dir.h"

#include <gtest/gtest.h>

#include <fstream>

namespace glyph {
namespace {

namespace fs = std::filesystem;

bool is_page(const std::string& name) { return name.starts_with("page"); }

class FreshDirTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  static void write(const fs::path& path) { std::ofstream(path) << "x"; }
  size_t count(const fs::path& dir) const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(dir), fs::directory_iterator()));
  }
  fs::path root_;
};

TEST_F(FreshDirTest, AppearsOnlyWithCommit) {
  auto dir = FreshDir::create(root_ / "a" / "out", is_page);
  ASSERT_TRUE(dir.ok());
  write(dir->path() / "page1");
  EXPECT_FALSE(fs::exists(root_ / "a"));
  ASSERT_TRUE(dir->commit().ok());
  EXPECT_TRUE(fs::exists(root_ / "a" / "out" / "page1"));
  EXPECT_EQ(count(root_), 1u);
}

TEST_F(FreshDirTest, LeavesNothingWithoutCommit) {
  {
    auto dir = FreshDir::create(root_ / "out/", is_page);
    ASSERT_TRUE(dir.ok());
    write(dir->path() / "page1");
  }
  EXPECT_EQ(count(root_), 0u);
}

TEST_F(FreshDirTest, ReplacesItsOwnKind) {
  fs::create_directory(root_ / "out");
  write(root_ / "out" / "page1");
  write(root_ / "out" / "page2");
  auto dir = FreshDir::create(root_ / "out", is_page);
  ASSERT_TRUE(dir.ok());
  write(dir->path() / "page1");
  ASSERT_TRUE(dir->commit().ok());
  EXPECT_EQ(count(root_ / "out"), 1u);
  EXPECT_EQ(count(root_), 1u);
}

TEST_F(FreshDirTest, DoesNotTouchOtherFolders) {
  fs::create_directory(root_ / "out");
  write(root_ / "out" / "thesis");
  EXPECT_EQ(FreshDir::create(root_ / "out", is_page).status().code(), StatusCode::kUsage);
  EXPECT_EQ(FreshDir::create(root_ / "out" / "thesis", is_page).status().code(), StatusCode::kUsage);
  EXPECT_TRUE(fs::exists(root_ / "out" / "thesis"));
  EXPECT_EQ(count(root_), 1u);
}

}  // namespace
}  // namespace glyph
