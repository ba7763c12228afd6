#include "ingest/charset.h"

#include <gtest/gtest.h>
#include <unicode/ucnv.h>

#include <random>
#include <string>

#include "base/utf8.h"

namespace glyph {
namespace {

using std::literals::string_literals::operator""s;

// UTF-8 in another charset, by ICU.
std::string encoded(const std::string& utf8, const char* charset) {
  UErrorCode error = U_ZERO_ERROR;
  std::string out(utf8.size() * 4 + 16, '\0');
  const int32_t size = ucnv_convert(charset, "UTF-8", out.data(), static_cast<int32_t>(out.size()), utf8.data(),
                                    static_cast<int32_t>(utf8.size()), &error);
  EXPECT_TRUE(U_SUCCESS(error)) << charset;
  out.resize(static_cast<size_t>(size));
  return out;
}

const std::string kEnglish = "The quick brown fox jumps over the lazy dog.\nAnd a second line, with numbers: 1234.\n";
const std::string kChinese = "第一章 总则\n为了保护读者的合法权益，本办法规定了文件的提交、审查和保存的要求。\n";
const std::string kFrench = "Le château était situé près de la forêt, où l'été arrivait déjà. Le garçon répéta ça à sa mère, "
                            "qui n'était pas très contente d'être réveillée à cause du bruit des élèves.\n";
const std::string kRussian = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.\n";
const std::string kJapanese = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で泣いていた。\n";
const std::string kKorean = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 이성과 양심을 부여받았다.\n";

void expect_text(const std::string& bytes, const std::string& text, const std::string& encoding, bool warns) {
  const auto decoded = decode_text(bytes);
  ASSERT_TRUE(decoded.ok()) << encoding << ": " << decoded.status().message();
  EXPECT_EQ(decoded->text, text) << encoding;
  EXPECT_EQ(decoded->encoding, encoding);
  EXPECT_EQ(!decoded->warning.empty(), warns) << decoded->warning;
}

TEST(Charset, Utf8IsCertain) {
  expect_text(kEnglish, kEnglish, "UTF-8", false);
  expect_text(kChinese, kChinese, "UTF-8", false);
  expect_text("\xEF\xBB\xBF" + kFrench, kFrench, "UTF-8", false);
}

TEST(Charset, ByteOrderMarks) {
  for (const std::string& text : {kEnglish, kChinese, "😀 beyond the basic plane"s}) {
    expect_text("\xFF\xFE" + encoded(text, "UTF-16LE"), text, "UTF-16LE", false);
    expect_text("\xFE\xFF" + encoded(text, "UTF-16BE"), text, "UTF-16BE", false);
    expect_text("\xFF\xFE\0\0"s + encoded(text, "UTF-32LE"), text, "UTF-32LE", false);
    expect_text("\0\0\xFE\xFF"s + encoded(text, "UTF-32BE"), text, "UTF-32BE", false);
  }
}

TEST(Charset, WideTextWithoutAMarkIsGuessed) {
  for (const char* charset : {"UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"}) {
    expect_text(encoded(kEnglish, charset), kEnglish, charset, true);
    expect_text(encoded(kChinese, charset), kChinese, charset, true);
  }
}

TEST(Charset, EastAsia) {
  expect_text(encoded(kChinese, "GB18030"), kChinese, "GB18030", true);
  expect_text(encoded("你好，世界", "GB18030"), "你好，世界", "GB18030", true);
  expect_text(encoded(kJapanese, "Shift_JIS"), kJapanese, "Shift_JIS", true);
  expect_text(encoded(kJapanese, "EUC-JP"), kJapanese, "EUC-JP", true);
  expect_text(encoded(kKorean, "EUC-KR"), kKorean, "EUC-KR", true);
}

TEST(Charset, SingleByteCharsetsAreGuessed) {
  const auto french = decode_text(encoded(kFrench, "windows-1252"));
  ASSERT_TRUE(french.ok()) << french.status().message();
  EXPECT_EQ(french->text, kFrench) << french->encoding;
  const auto russian = decode_text(encoded(kRussian, "windows-1251"));
  ASSERT_TRUE(russian.ok()) << russian.status().message();
  EXPECT_EQ(russian->text, kRussian) << russian->encoding;
}

TEST(Charset, ADeclaredCharsetIsBelievedWhenItFits) {
  const auto text = decode_text(encoded("déjà", "windows-1252"), "iso-8859-1");
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->text, "déjà");
  EXPECT_TRUE(text->warning.empty());
  EXPECT_EQ(decode_text("déjà", "iso-8859-1")->text, "déjà") << "valid UTF-8 beats a false declaration";
}

TEST(Charset, AFewBrokenBytesAreReplacedAndCounted) {
  const auto text = decode_text(kChinese + kChinese + "\xFF" + kEnglish);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->encoding, "UTF-8");
  EXPECT_EQ(text->warning, "1 places are not valid UTF-8 and were replaced by U+FFFD");
  EXPECT_EQ(decode_text("\xFF\xFE" + encoded(kEnglish, "UTF-16LE") + "x")->warning,
            "1 places are not valid UTF-16LE and were replaced by U+FFFD");
}

TEST(Charset, BinaryDataIsRefused) {
  std::mt19937 random(1);
  for (const size_t size : {100u, 300u, 5000u, 100'000u}) {
    std::string noise(size, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    EXPECT_EQ(decode_text(noise).status().code(), StatusCode::kRefused) << size;
  }
  std::string counters;
  for (uint32_t i = 0; i < 5000; ++i) counters.append(reinterpret_cast<const char*>(&i), 4);
  EXPECT_EQ(decode_text(counters).status().message(), "it is binary data, not text");
}

TEST(Charset, EveryAnswerIsValidUtf8) {
  std::mt19937 random(2);
  const std::string texts[] = {kEnglish, encoded(kChinese, "GB18030"), encoded(kEnglish, "UTF-16LE"), encoded(kFrench, "windows-1252")};
  for (int round = 0; round < 400; ++round) {
    std::string bytes = texts[round % 4];
    for (int i = 0; i < round % 5; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    bytes.resize(random() % bytes.size());
    const auto text = decode_text(bytes);
    EXPECT_TRUE(!text.ok() || is_valid_utf8(text->text));
  }
}

}  // namespace
}  // namespace glyph
