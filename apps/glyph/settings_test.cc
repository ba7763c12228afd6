#include "settings.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace glyph {
namespace {

class SettingsTest : public testing::Test {
 protected:
  void SetUp() override {
    ::unsetenv("GLYPH_MAX_TOKENS");
    ::unsetenv("GLYPH_CONFIG");
    ::setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
  }
};

TEST_F(SettingsTest, FlagBeatsEnvironmentBeatsFile) {
  ::setenv("GLYPH_MAX_TOKENS", "20", 1);
  Settings settings;
  ASSERT_TRUE(settings.load_file("max-tokens = 10\nseed = 7\n", "c").ok());
  EXPECT_EQ(*settings.integer("max-tokens", 1, 1, 100), 10);
  ASSERT_TRUE(settings.load_environment_and_file().ok());
  EXPECT_EQ(*settings.integer("max-tokens", 1, 1, 100), 20);
  settings.set_flag("max-tokens", "30");
  EXPECT_EQ(*settings.integer("max-tokens", 1, 1, 100), 30);
  EXPECT_EQ(*settings.integer("seed", 0, 0, 100), 7);
  EXPECT_EQ(*settings.integer("top-k", 5, 0, 100), 5);
}

TEST_F(SettingsTest, AnEmptyVariableIsNotSet) {
  ::setenv("GLYPH_MAX_TOKENS", "", 1);
  Settings settings;
  ASSERT_TRUE(settings.load_environment_and_file().ok());
  EXPECT_FALSE(settings.has("max-tokens"));
}

TEST_F(SettingsTest, FileErrorsNameLineAndKey) {
  for (const auto& [text, message] : {std::pair{"# ok\n\nmodle = x\n", "c line 3: there is no setting 'modle'"},
                                      std::pair{"model\n", "c line 1: expected name = value"},
                                      std::pair{"seed=1\nseed=2", "c line 2: 'seed' is set twice"}}) {
    Settings settings;
    const Status status = settings.load_file(text, "c");
    EXPECT_EQ(status.code(), StatusCode::kUsage);
    EXPECT_EQ(status.message(), message);
  }
}

TEST_F(SettingsTest, ANamedFileMustExist) {
  Settings settings;
  settings.set_flag("config", "/nonexistent/glyph.conf");
  EXPECT_EQ(settings.load_environment_and_file().code(), StatusCode::kUsage);
}

TEST_F(SettingsTest, NumbersOutsideTheirRangeAreRefused) {
  for (const char* text : {"0", "101", "1.5", "", "ten", "99999999999999999999", " 5", "5x"}) {
    Settings settings;
    settings.set_flag("max-tokens", text);
    const Result<int64_t> value = settings.integer("max-tokens", 1, 1, 100);
    ASSERT_FALSE(value.ok()) << text;
    EXPECT_EQ(value.status().code(), StatusCode::kUsage);
    EXPECT_EQ(value.status().message(), std::string("--max-tokens: '") + text + "' is not a whole number from 1 to 100");
  }
  for (const char* text : {"nan", "inf", "-0.1", "2.5", "x"}) {
    Settings settings;
    settings.set_flag("top-p", text);
    EXPECT_FALSE(settings.number("top-p", 1, 0, 1).ok()) << text;
  }
}

TEST_F(SettingsTest, Switches) {
  Settings settings;
  settings.set_flag("log-json", "yes");
  EXPECT_TRUE(*settings.boolean("log-json", false));
  settings.set_flag("log-json", "off");
  EXPECT_FALSE(*settings.boolean("log-json", true));
  settings.set_flag("log-json", "perhaps");
  EXPECT_FALSE(settings.boolean("log-json", true).ok());
}

TEST_F(SettingsTest, EnvironmentNames) { EXPECT_EQ(environment_name("limit-file-mib"), "GLYPH_LIMIT_FILE_MIB"); }

}  // namespace
}  // namespace glyph
