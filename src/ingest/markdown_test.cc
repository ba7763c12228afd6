#include "ingest/markdown.h"

#include <gtest/gtest.h>

#include <chrono>

namespace glyph {
namespace {

std::string inlined(std::string_view text) { return markdown_inline(text, {}); }

TEST(MarkdownInline, EmphasisGoesWordsStay) {
  EXPECT_EQ(inlined("**bold** and *emph*, _this_ and __that__, ***both***, ~~gone~~"), "bold and emph, this and that, both, gone");
  EXPECT_EQ(inlined("snake_case_name, 2 * 3 * 4, 5*3*2, **open"), "snake_case_name, 2 * 3 * 4, 5*3*2, **open");
  EXPECT_EQ(inlined("*a **b** c*"), "a b c");
}

TEST(MarkdownInline, CodeIsKept) {
  EXPECT_EQ(inlined("`a * b` and ``x ` y`` and `open"), "a * b and x ` y and `open");
  EXPECT_EQ(inlined("` `` `"), "``");
}

TEST(MarkdownInline, Links) {
  EXPECT_EQ(inlined("[text](https://a.example/b_c \"t\") [near](./x.md) ![alt](p.png) <https://auto.example>"),
            "text (https://a.example/b_c) near alt https://auto.example");
  EXPECT_EQ(inlined("[https://a.example](https://a.example) <me@a.example>"), "https://a.example me@a.example");
  EXPECT_EQ(inlined("[not a link] and [open"), "[not a link] and [open");
  EXPECT_EQ(inlined("[![badge](b.svg)](https://ci.example) [^note]"), "badge (https://ci.example) [note]");
}

TEST(MarkdownInline, EscapesEntitiesAndTags) {
  EXPECT_EQ(inlined("\\*kept\\* &amp; &copy; <b>x</b><br>y <!-- z --> 1 < 2"), "*kept* & © x\ny  1 < 2");
}

TEST(Markdown, Blocks) {
  EXPECT_EQ(markdown_to_text("# One #\n\nText of a\nparagraph.\n\nTwo\n---\n* item\n  goes on\n+ next\n   1. sub\n\n***\n> quoted\n> more\n"),
            "One\n\nText of a paragraph.\n\nTwo\n- item goes on\n- next\n   1. sub\n\nquoted more\n");
}

TEST(Markdown, CodeBlocksAreVerbatim) {
  EXPECT_EQ(markdown_to_text("```c\nint *a; // **x**\n\n  b;\n```\nend\n\n    indented *x*\n"),
            "int *a; // **x**\n\n  b;\nend\n\n    indented *x*\n");
  EXPECT_EQ(markdown_to_text("~~~\n```\n# not a heading\n~~~~\nx"), "```\n# not a heading\nx\n");
}

TEST(Markdown, TablesAreRows) {
  EXPECT_EQ(markdown_to_text("| A | *B* |\n|---|:-:|\n| 1 | `x|y` |\n| a \\| b |\n\nafter"), "A | B\n1 | x|y\na | b\n\nafter\n");
  EXPECT_EQ(markdown_to_text("a | b\nc | d"), "a | b c | d\n") << "no ruler, no table";
}

TEST(Markdown, DefinitionsAreUsedAndDropped) {
  EXPECT_EQ(markdown_to_text("See [the site][S] and [s].\n\n[s]: <https://s.example> \"title\"\n"),
            "See the site (https://s.example) and s (https://s.example).\n");
}

TEST(Markdown, FrontMatterAndComments) {
  EXPECT_EQ(markdown_to_text("---\ntitle: A test\n---\nbody\n\n<!-- over\nlines --> tail\n"), "title: A test\n\nbody\n\ntail\n");
}

TEST(Markdown, HardBreaksAndHan) {
  EXPECT_EQ(markdown_to_text("one  \ntwo\\\nthree\n\n中文第一行\n第二行"), "one\ntwo\nthree\n\n中文第一行第二行\n");
}

TEST(Markdown, PathologicalInputIsReadInTime) {
  const auto begin = std::chrono::steady_clock::now();
  for (const std::string_view piece : {"[", "[a](", "![", "*a _b ", "`", "``x` ", "<", "<a ", "> ", "|", "- ", "\\", "a**b", "&", "[[x]]", "~~~\n"}) {
    std::string text;
    while (text.size() < 300'000) text += piece;
    markdown_to_text(text);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

}  // namespace
}  // namespace glyph
