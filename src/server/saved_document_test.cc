#include "server/saved_document.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/test_dir.h"
#include "base/text_file.h"

namespace glyph {
namespace {

TEST(SavedDocument, IsReadAsItWasWritten) {
  const auto dir = fresh_test_dir();
  std::filesystem::create_directories(dir);
  EXPECT_FALSE(load_meta(dir));
  EXPECT_FALSE(load_reading(dir));
  ASSERT_TRUE(save_meta(dir, {"a \"b\".txt", R"({"dpi":96})", 1234}).ok());
  const auto meta = load_meta(dir);
  ASSERT_TRUE(meta);
  EXPECT_EQ(meta->name, "a \"b\".txt");
  EXPECT_EQ(meta->style, R"({"dpi":96})");
  EXPECT_EQ(meta->created_at, 1234);

  SavedReading reading;
  reading.identity = "abc";
  reading.known = {{{sha256("one"), 600}, {sha256("two"), 60}}, 2500};
  reading.prompt_tokens = 668;
  reading.image_tokens = 660;
  reading.dpi = 96;
  reading.warnings = {"it is old"};
  ASSERT_TRUE(save_reading(dir, reading).ok());
  const auto again = load_reading(dir);
  ASSERT_TRUE(again);
  ASSERT_EQ(again->known.pages.size(), 2u);
  EXPECT_EQ(again->known.pages[1].key, sha256("two"));
  EXPECT_EQ(again->known.pages[1].num_tokens, 60);
  EXPECT_EQ(again->known.text_tokens, 2500);
  EXPECT_EQ(again->identity, "abc");
  EXPECT_EQ(again->prompt_tokens, 668);
  EXPECT_EQ(again->image_tokens, 660);
  EXPECT_EQ(again->dpi, 96);
  EXPECT_EQ(again->warnings, reading.warnings);
}

TEST(SavedDocument, DamageIsNoReading) {
  const auto dir = fresh_test_dir();
  std::filesystem::create_directories(dir);
  SavedReading reading;
  reading.known = {{{sha256("one"), 600}}, 2500};
  ASSERT_TRUE(save_reading(dir, reading).ok());
  const std::string text = *read_file(dir / "reading.json", 1 << 20);
  EXPECT_TRUE(parse_saved_reading(text));
  for (size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(parse_saved_reading(text.substr(0, size))) << size;
  std::string worse = text;
  worse.replace(worse.find("600"), 3, "-60");
  EXPECT_FALSE(parse_saved_reading(worse));
  worse = text;
  worse.replace(worse.find("[[\"") + 3, 1, "x");
  EXPECT_FALSE(parse_saved_reading(worse));
  EXPECT_FALSE(parse_saved_reading(std::string(1'000'000, '[')));
  EXPECT_FALSE(parse_saved_reading("{}"));
}

}  // namespace
}  // namespace glyph
