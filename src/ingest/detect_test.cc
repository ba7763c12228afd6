#include "ingest/detect.h"

#include <gtest/gtest.h>

#include <string>

namespace glyph {
namespace {

using std::literals::string_literals::operator""s;

std::string detected(std::string_view name, std::string_view head) {
  const auto format = detect_format(name, head);
  return format.ok() ? std::string(format_name(*format)) : format.status().message();
}

TEST(Detect, ContentBeatsTheName) {
  EXPECT_EQ(detected("a.txt", "%PDF-1.7\n"), "pdf");
  EXPECT_EQ(detected("a.txt", "PK\x03\x04..."), "docx");
  EXPECT_EQ(detected("noname", "\x89PNG\r\n\x1A\n..."), "image");
  EXPECT_EQ(detected("a.txt", "\xFF\xD8\xFF\xE0"), "image");
  EXPECT_EQ(detected("a.bin", "RIFF\1\2\3\4WEBPVP8 "), "image");
  EXPECT_EQ(detected("a.txt", "\xEF\xBB\xBF \n<!DOCTYPE HTML><title>"), "html");
}

TEST(Detect, TheNameDecidesAmongTexts) {
  EXPECT_EQ(detected("README.MD", "# Title"), "markdown");
  EXPECT_EQ(detected("page.htm", "<p>no head"), "html");
  EXPECT_EQ(detected("notes", "plain words"), "txt");
  EXPECT_EQ(detected("main.cc", "int main() {}"), "txt");
  EXPECT_EQ(detected("folder.md/notes", "words"), "txt");
}

TEST(Detect, ATextAboutPdfIsAText) {
  EXPECT_EQ(detected("about.txt", "A PDF begins with %PDF-1.4 and ends with %%EOF."), "txt");
  EXPECT_EQ(detected("mailed.pdf", "some junk before\n%PDF-1.4"), "pdf");
}

TEST(Detect, AFalseNameIsRefused) {
  EXPECT_EQ(detected("a.pdf", "hello"), "it is not a PDF although its name says so: the header %PDF- is missing");
  EXPECT_EQ(detected("a.docx", "hello"), "it is not a DOCX although its name says so: it is no ZIP archive");
  EXPECT_EQ(detected("a.png", "hello"), "it is not a picture although its name says so: it has no PNG, JPEG or WebP header");
}

TEST(Detect, OtherFormatsAreNamed) {
  EXPECT_NE(detected("a.doc", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1").find("legacy or encrypted Office file"), std::string::npos);
  EXPECT_NE(detected("a.txt", "{\\rtf1\\ansi").find("RTF"), std::string::npos);
  EXPECT_NE(detected("a.gif", "GIF89a").find("GIF"), std::string::npos);
  EXPECT_NE(detected("a", "\x7F"
                          "ELF\2").find("a program"), std::string::npos);
  EXPECT_NE(detected("a.tif", "II*\0\x08"s).find("TIFF"), std::string::npos);
}

}  // namespace
}  // namespace glyph
