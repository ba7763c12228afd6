#include "ingest/docx.h"

#include <gtest/gtest.h>

#include "base/text_file.h"
#include "ingest/docx_body.h"
#include "ingest/docx_styles.h"
#include "ingest/xml_stream.h"
#include "ingest/zip_archive.h"

namespace glyph {
namespace {

std::string fixture(const std::string& name) {
  auto bytes = read_file(std::string(GLYPH_SOURCE_DIR) + "/tests/ingest/data/" + name, 1 << 20);
  EXPECT_TRUE(bytes.ok()) << bytes.status().message();
  return bytes.ok() ? *bytes : "";
}

TEST(Docx, EveryFeatureAsAReaderWantsIt) {
  const auto docx = read_docx(fixture("features.docx"), {});
  ASSERT_TRUE(docx.ok()) << docx.status().message();
  EXPECT_EQ(docx->text,
            "Budget of 2031\n"
            "An opening paragraph.\n"
            "- apples\n"
            "- pears\n"
            "1. first step\n"
            "2. second step\n"
            "\n"
            "Numbers\n"
            "Name | Amount\n"
            "Roads | 1,200\n"
            "Schools | old, 300; new, 450\n"
            "\n"
            "Changed: inserted.\n"
            "The value rose[1] and a link, seven\n"
            "after a break\n"
            "Beside the box.\n"
            "Text in a box.\n"
            "A joined paragraph.\n"
            "\n"
            "[1] Measured at noon.\n");
}

TEST(Docx, RefusalsNameWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"zip_bomb.docx", "the part word/document.xml inflates from 19610 to 20000184 bytes or more, the limit is 100 times"},
      {"entity_bomb.docx", "the part word/document.xml declares a document type, which may hide an entity bomb"},
      {"missing_part.docx", "the part word/document.xml is missing"},
      {"no_types.docx", "it is a ZIP archive but no DOCX: the part [Content_Types].xml is missing"},
      {"dotdot.docx", "the archive has an entry with the forbidden path '../evil.xml'"},
      {"dotdot_relation.docx", "a relationship has the forbidden path '../../etc/passwd.xml'"},
      {"deep.docx", "the part word/document.xml nests elements deeper than the limit of 256"},
      {"truncated.docx", "the ZIP archive is damaged or truncated"},
  };
  for (const auto& [name, message] : cases) {
    const auto docx = read_docx(fixture(name), {});
    EXPECT_EQ(docx.status().code(), StatusCode::kRefused) << name;
    EXPECT_EQ(docx.status().message(), message) << name;
  }
}

TEST(Docx, ABombThatLiesAboutItsSizeIsStoppedWhileItInflates) {
  const auto docx = read_docx(fixture("lying_bomb.docx"), {});
  EXPECT_EQ(docx.status().code(), StatusCode::kRefused);
  EXPECT_NE(docx.status().message().find("the limit is 100 times"), std::string::npos) << docx.status().message();
}

TEST(Docx, LimitsAreTheCallers) {
  IngestLimits few_entries;
  few_entries.zip_entries = 2;
  EXPECT_EQ(read_docx(fixture("small.docx"), few_entries).status().message(), "the archive has 3 entries, the limit is 2");
  IngestLimits small;
  small.inflated_bytes = 100;
  EXPECT_EQ(read_docx(fixture("small.docx"), small).status().code(), StatusCode::kRefused);
  IngestLimits generous;
  generous.inflate_ratio = 2000;
  const auto bomb = read_docx(fixture("zip_bomb.docx"), generous);
  EXPECT_TRUE(bomb.ok()) << bomb.status().message();
}

TEST(Docx, EveryTruncationIsAnErrorAndNoCrash) {
  const std::string whole = fixture("features.docx");
  for (size_t size = 0; size < whole.size(); size += 97) EXPECT_FALSE(read_docx(whole.substr(0, size), {}).ok()) << size;
}

// Cells, boxes and notes inside paragraph properties, nested ones too: they open nothing, so they must close nothing.
TEST(DocxBody, WhatPropertiesHoldOpensAndClosesNothing) {
  for (const std::string element : {"tc", "txbxContent", "footnote", "tbl", "p"}) {
    const std::string xml =
        "<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body><w:p><w:pPr><w:" + element +
        "><w:pPr/></w:" + element + "></w:pPr><w:r><w:t>kept</w:t></w:r></w:p></w:body></w:document>";
    DocxStyles styles;
    DocxNumbering numbering;
    DocxBody body(styles, numbering);
    ASSERT_TRUE(parse_xml("document.xml", xml, 64, body).ok()) << element;
    EXPECT_EQ(body.body_text(), "kept\n") << element;
  }
}

TEST(ListNumbers, FormatsOfWord) {
  EXPECT_EQ(format_list_number(3, "decimal"), "3");
  EXPECT_EQ(format_list_number(28, "lowerLetter"), "bb");
  EXPECT_EQ(format_list_number(4, "upperLetter"), "D");
  EXPECT_EQ(format_list_number(1994, "upperRoman"), "MCMXCIV");
  EXPECT_EQ(format_list_number(9, "lowerRoman"), "ix");
  EXPECT_EQ(format_list_number(7, "decimalZero"), "07");
  EXPECT_EQ(format_list_number(23, "chineseCounting"), "二十三");
  EXPECT_EQ(format_list_number(0, "lowerLetter"), "0");
}

constexpr std::string_view kNumbering = R"xml(<w:numbering xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">
<w:abstractNum w:abstractNumId="5">
 <w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
 <w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl>
</w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="5"/></w:num>
<w:num w:numId="2"><w:abstractNumId w:val="5"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/></w:lvlOverride></w:num>
</w:numbering>)xml";

TEST(Numbering, LevelsCountAndRestart) {
  DocxNumbering numbering;
  ASSERT_TRUE(numbering.parse("numbering.xml", kNumbering, 64).ok());
  EXPECT_EQ(numbering.next_marker("1", 0), "1.");
  EXPECT_EQ(numbering.next_marker("1", 1), "1.a)");
  EXPECT_EQ(numbering.next_marker("1", 1), "1.b)");
  EXPECT_EQ(numbering.next_marker("1", 0), "2.");
  EXPECT_EQ(numbering.next_marker("1", 1), "2.a)");
  EXPECT_EQ(numbering.next_marker("2", 0), "7.");
  EXPECT_EQ(numbering.next_marker("2", 0), "8.");
  EXPECT_EQ(numbering.next_marker("9", 0), "");
  EXPECT_EQ(numbering.next_marker("1", 99), "");
}

TEST(Styles, ALoopOfBasedOnEnds) {
  DocxStyles styles;
  ASSERT_TRUE(styles.parse("styles.xml", R"(<w:styles xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main">
    <w:style w:styleId="A"><w:basedOn w:val="B"/></w:style>
    <w:style w:styleId="B"><w:basedOn w:val="A"/><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style></w:styles>)", 64).ok());
  EXPECT_EQ(styles.resolve("A").outline_level, 2);
  EXPECT_EQ(styles.resolve("unknown").outline_level, -1);
}

}  // namespace
}  // namespace glyph
