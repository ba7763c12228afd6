// Whole files through the door of ingest and the helper.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "ingest/ingest.h"

namespace glyph {
namespace {

namespace fs = std::filesystem;

const fs::path kData = fs::path(GLYPH_SOURCE_DIR) / "tests/ingest/data";

IngestOptions options() {
  IngestOptions options;
  options.helper = GLYPH_EXTRACT_PATH;
  return options;
}

Document read(const std::string& name, const IngestOptions& with = options()) {
  auto document = read_document(kData / name, with);
  EXPECT_TRUE(document.ok()) << document.status().message();
  return document.ok() ? *document : Document{};
}

TEST(ReadDocument, PagesOfAPdfAreSeparatedByABlankLine) {
  const Document document = read("plain.pdf");
  EXPECT_EQ(document.name, "plain.pdf");
  EXPECT_EQ(document.format, "pdf");
  EXPECT_TRUE(document.warnings.empty());
  EXPECT_EQ(document.text(), "This is page number 1 of the report.\n\nThis is page number 2 of the report.\n\n"
                             "This is page number 3 of the report.\n");
}

TEST(ReadDocument, AnOwnerPasswordDoesNotMatter) { EXPECT_EQ(read("owner_only.pdf").text(), read("plain.pdf").text()); }

std::string bytes_of(const std::string& name) {
  std::ifstream file(kData / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ReadDocument, ADamagedPageIsReportedAndTheRestIsRead) {
  std::string bytes = bytes_of("plain.pdf");
  const size_t stream = bytes.find("stream\n");
  ASSERT_NE(stream, std::string::npos);
  for (size_t i = stream + 10; i < stream + 40; ++i) bytes[i] = 'z';
  const auto document = read_bytes("plain.pdf", bytes, options());
  ASSERT_TRUE(document.ok()) << document.status().message();
  EXPECT_NE(document->text().find("This is page number 3 of the report."), std::string::npos);
  EXPECT_EQ(document->warnings,
            std::vector<std::string>{"plain.pdf: the PDF is damaged in places, so some of its text may be missing or wrong"});
}

TEST(ReadDocument, EveryTruncationOfAPdfIsRefused) {
  const std::string bytes = bytes_of("two_columns.pdf");
  for (size_t size = 20; size + 30 < bytes.size(); size += bytes.size() / 12) {
    const auto document = read_bytes("cut.pdf", std::string_view(bytes).substr(0, size), options());
    EXPECT_EQ(document.status().code(), StatusCode::kRefused) << size;
    EXPECT_EQ(document.status().message().find("cut.pdf: the PDF is truncated"), 0u) << document.status().message();
  }
}

TEST(ReadDocument, AnyNumberOfHelpersGivesTheSameDocument) {
  const std::string expected = read("paragraphs.pdf").text();
  IngestOptions many = options();
  many.num_helpers = 5;
  std::string bytes = bytes_of("paragraphs.pdf");
  // Bytes between the last object and the cross-reference table are ignored; they make the file large enough to be split.
  const size_t xref = bytes.rfind("\nxref");
  ASSERT_NE(xref, std::string::npos);
  const size_t number = bytes.rfind("startxref") + 10;
  const std::string padding = "\n%" + std::string(100'000, 'x');
  bytes.replace(number, bytes.find('\n', number) - number, std::to_string(xref + 1 + padding.size()));
  bytes.insert(xref, padding);
  const auto document = read_bytes("paragraphs.pdf", bytes, many);
  ASSERT_TRUE(document.ok()) << document.status().message();
  EXPECT_EQ(document->text(), expected);
}

TEST(ReadDocument, ParagraphsLigaturesHyphensAndLists) {
  EXPECT_EQ(read("paragraphs.pdf").text(),
            "Annual Report\n"
            "\n"
            "The office of the first director was moved to the harbour because the floor of the old house was broken and the "
            "insurance did not pay for a well-known weakness in it at all.\n"
            "A second paragraph begins with an indented line and it fills the line before it ends.\n"
            "\n"
            "1. The first point of the list runs on to a second line so it hangs under its number.\n"
            "2. The second point is short.\n"
            "\n"
            "The last page stands alone.\n");
}

TEST(ReadDocument, ColumnsAreReadInOrder) {
  const std::string text = read("two_columns.pdf").text();
  size_t last = 0;
  for (int section = 1; section <= 2; ++section) {
    for (int paragraph = 1; paragraph <= 4; ++paragraph) {
      const std::string mark = "S" + std::to_string(section) + "P" + std::to_string(paragraph);
      const size_t begin = text.find(mark + "BEGIN");
      const size_t end = text.find(mark + "END");
      ASSERT_NE(end, std::string::npos) << mark;
      EXPECT_LT(last, begin) << mark;
      EXPECT_EQ(text.substr(begin, end - begin).find('\n'), std::string::npos) << "the lines of " << mark << " are joined";
      last = end;
    }
  }
  EXPECT_NE(text.find("Name | Year | Amount\nAlpha | 1999 | 12.5\nGamma ray | 2010 | 1,000\n"), std::string::npos) << text;
  EXPECT_LT(text.find("A Study of Two Columns"), text.find("S1P1BEGIN"));
  EXPECT_LT(last, text.find("Page 1"));
}

TEST(ReadDocument, ChineseWithoutAnEmbeddedFont) {
  EXPECT_EQ(read("chinese.pdf").text(), "第一章 总则\n为了保护读者的合法权益，本办法规定了文件的提交、审查和保存的要求，并适用于所有的部门。\n");
}

TEST(ReadDocument, AScannedPageBecomesAPicture) {
  const Document document = read("scan.pdf");
  ASSERT_EQ(document.blocks.size(), 3u);
  EXPECT_EQ(document.blocks[0].kind, Block::Kind::kImage);
  EXPECT_EQ(document.blocks[1].text, "Page 2\n");
  EXPECT_EQ(document.blocks[2].kind, Block::Kind::kImage);
  const Image& image = document.blocks[0].image;
  EXPECT_EQ(image.width, 595);
  EXPECT_EQ(image.height, 842);
  EXPECT_EQ(image.channels, 1);
  // The first bar lies 40 to 54 of 594 pixels down, 40 to 380 of 420 across.
  const auto at = [&](int x, int y) { return image.pixels[static_cast<size_t>(y) * image.width + x]; };
  EXPECT_LT(at(300, 66), 50);
  EXPECT_GT(at(300, 20), 200);
  EXPECT_GT(at(10, 66), 200);
}

TEST(ReadDocument, APictureFileBecomesAPictureBlock) {
  const Document document = read("picture.png");
  EXPECT_EQ(document.format, "image");
  ASSERT_EQ(document.blocks.size(), 1u);
  const Image& image = document.blocks[0].image;
  EXPECT_EQ(image.width, 40);
  EXPECT_EQ(image.height, 30);
  ASSERT_EQ(image.channels, 3);
  const size_t red = (10 * 40 + 10) * 3;
  EXPECT_EQ(image.pixels[red], 200);
  EXPECT_EQ(image.pixels[red + 1], 10);
  IngestOptions small = options();
  small.limits.image_side = 39;
  EXPECT_EQ(read_document(kData / "picture.png", small).status().code(), StatusCode::kRefused);
}

TEST(ReadDocument, DocxThroughTheHelper) {
  const Document document = read("small.docx");
  EXPECT_EQ(document.format, "docx");
  EXPECT_EQ(document.text(), "Hello from a small file.\n");
  EXPECT_NE(read("features.docx").text().find("Schools | old, 300; new, 450\n"), std::string::npos);
}

TEST(ReadDocument, ProgressIsReported) {
  IngestOptions watched = options();
  size_t read_last = 0, total_last = 0;
  watched.on_progress = [&](size_t pages, size_t total) { read_last = pages, total_last = total; };
  read("plain.pdf", watched);
  EXPECT_EQ(read_last, 3u);
  EXPECT_EQ(total_last, 3u);
}

TEST(ReadBytes, DetectsWithoutAFile) {
  const auto text = read_bytes("C:\\notes\\a.txt", "\xC4\xE3\xBA\xC3\xA3\xAC\xCA\xC0\xBD\xE7\r\n", options());
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(text->name, "a.txt");
  EXPECT_EQ(text->encoding, "GB18030");
  EXPECT_EQ(text->text(), "你好，世界\n");
  ASSERT_EQ(text->warnings.size(), 1u);
  EXPECT_EQ(text->warnings[0], "a.txt: it is not UTF-8; its charset was taken to be GB18030");
  const auto html = read_bytes("page", "<!doctype html><meta charset=windows-1252><p>d\xE9j\xE0", options());
  ASSERT_TRUE(html.ok()) << html.status().message();
  EXPECT_EQ(html->format, "html");
  EXPECT_EQ(html->text(), "déjà\n");
}

TEST(ReadDocuments, SeveralFilesCarryTheirNames) {
  const fs::path paths[] = {kData / "small.docx", kData / "plain.pdf", kData / "chinese.pdf"};
  const auto document = read_documents(paths, options());
  ASSERT_TRUE(document.ok()) << document.status().message();
  EXPECT_EQ(document->name, "small.docx");
  EXPECT_EQ(document->format, "mixed");
  const std::string text = document->text();
  EXPECT_EQ(text.find("small.docx\n\nHello from a small file.\n\n"), 0u) << text;
  EXPECT_NE(text.find("\nplain.pdf\n\nThis is page number 1"), std::string::npos) << text;
  EXPECT_LT(text.find("plain.pdf"), text.find("chinese.pdf"));
}

TEST(ReadDocuments, OneFileHasNoHeading) {
  const fs::path paths[] = {kData / "small.docx"};
  EXPECT_EQ(read_documents(paths, options())->text(), "Hello from a small file.\n");
  EXPECT_EQ(read_documents({}, options()).status().code(), StatusCode::kUsage);
}

TEST(ReadDocuments, TheFirstFailureIsReturned) {
  const fs::path paths[] = {kData / "small.docx", kData / "encrypted.pdf", kData / "garbage.pdf"};
  const auto document = read_documents(paths, options());
  EXPECT_EQ(document.status().message(), (kData / "encrypted.pdf").string() + ": the PDF is encrypted and needs a password");
}

}  // namespace
}  // namespace glyph
