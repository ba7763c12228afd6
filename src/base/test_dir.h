// A folder for one test: of this process alone, empty at first, gone when the process ends. For tests only.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace glyph {

// The folder TEMP/glyph_test_PID/`name`, without a name that of the running test; not created.
inline std::filesystem::path fresh_test_dir(std::string name = "") {
  struct Root {
    std::filesystem::path path = std::filesystem::path(testing::TempDir()) / ("glyph_test_" + std::to_string(::getpid()));
    ~Root() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
  };
  static const Root root;
  if (name.empty()) {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    name = std::string(info->test_suite_name()) + "." + info->name();
    for (char& c : name) c = c == '/' ? '_' : c;  // of parameterised tests
  }
  std::filesystem::create_directories(root.path);
  std::filesystem::remove_all(root.path / name);
  return root.path / name;
}

}  // namespace glyph
