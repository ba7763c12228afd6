#include "ingest/html.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "base/utf8.h"
#include "ingest/html_entities.h"

namespace glyph {
namespace {

std::string text_of(std::string_view html) { return html_to_text(html, {}); }

TEST(Html, VisibleTextInOrder) {
  EXPECT_EQ(text_of("<html><head><title>T</title><style>p{}</style></head><body><h1>Head</h1><p>One   two\n<b>th</b>ree</p>"
                    "<p>Next<br>line</p><script>var a = '<p>no</p>';</script><div>end</div></body></html>"),
            "Head\n\nOne two three\n\nNext\nline\n\nend\n");
}

TEST(Html, AHeadWithoutAnEndEndsAtTheFirstBlock) { EXPECT_EQ(text_of("<head><title>x</title><p>hello"), "hello\n"); }

TEST(Html, HiddenElementsAreLeftOut) {
  EXPECT_EQ(text_of("a<div hidden>b<div>c</div>d</div><span style='display : none'>e</span><p hidden>f<p>g"), "a\n\ng\n");
  EXPECT_EQ(text_of("x<svg><title>no</title><text>label</text></svg><template>no</template>"), "x\nlabel\n");
}

TEST(Html, CharacterReferences) {
  EXPECT_EQ(text_of("&lt;a&gt; &amp;amp; &eacute; &#8212; &#x4E2D; &#150; &nosuch; AT&T &copy 5"), "<a> &amp; é — 中 – &nosuch; AT&T © 5\n");
  EXPECT_EQ(resolve_reference("&#0;").value, 0xFFFDu);
  EXPECT_EQ(resolve_reference("&#xD800;").value, 0xFFFDu);
  EXPECT_EQ(resolve_reference("&#99999999999;").value, 0xFFFDu);
  EXPECT_EQ(resolve_reference("&thetasym;").value, 0x3D1u);
  EXPECT_EQ(resolve_reference("&").length, 0u);
  EXPECT_EQ(resolve_reference("&#x;").length, 0u);
}

TEST(Html, Lists) {
  EXPECT_EQ(text_of("<ul><li>a<li>b<ol start=3><li>c</li><li>d</li></ol><li>e</ul>f"), "- a\n- b\n  3. c\n  4. d\n- e\n\nf\n");
  EXPECT_EQ(text_of("<dl><dt>term<dd>meaning</dl>"), "term\nmeaning\n");
}

TEST(Html, TablesAreRows) {
  EXPECT_EQ(text_of("<table><caption>Cap</caption><tr><th>Name<th>Year</tr>\n<tr><td><p>Al</p><p>pha</p></td> <td>1999</td></tr>"
                    "<tr><td></td><td>x</table>after"),
            "Cap\nName | Year\nAl pha | 1999\n | x\n\nafter\n");
  EXPECT_EQ(text_of("<table><tr><td>out<td><table><tr><td>i<td>j</table></table>"), "out | i | j\n");
}

TEST(Html, ATableThatLaysOutThePageKeepsItsLines) {
  const std::string long_text(400, 'x');
  EXPECT_EQ(text_of("<table><tr><td>menu<td><p>one</p><p>" + long_text + "</p></table>"), "menu\none\n\n" + long_text + "\n");
}

TEST(Html, PreformattedTextKeepsItsShape) {
  EXPECT_EQ(text_of("<p>x</p><pre>a\n  b &lt; c\n\nd</pre>y"), "x\n\na\n  b < c\n\nd\n\ny\n");
}

TEST(Html, BrokenMarkupIsRead) {
  EXPECT_EQ(text_of("a < b and 3<4 <!-- gone --> c <? pi ?> d <!bogus> e </> f"), "a < b and 3<4 c d e f\n");
  EXPECT_EQ(text_of("<p title='a>b' x=\"'\" disabled>text</P >more</ p>"), "text\n\nmore\n");
  EXPECT_EQ(text_of("<b"), "");
  EXPECT_EQ(text_of("</p></table></ul></td>x"), "x\n");
  EXPECT_EQ(text_of("<!-- never closed <p>x"), "");
}

TEST(Html, MetaCharset) {
  EXPECT_EQ(html_declared_charset("<head><META charset=\"GB2312\">"), "gb2312");
  EXPECT_EQ(html_declared_charset("<meta http-equiv=content-type content='text/html; charset=windows-1251'>"), "windows-1251");
  EXPECT_EQ(html_declared_charset("charset=utf-8"), "");
}

TEST(Html, PathologicalInputIsReadInTime) {
  const auto begin = std::chrono::steady_clock::now();
  const auto repeat = [](std::string_view piece, size_t bytes) {
    std::string out;
    while (out.size() < bytes) out += piece;
    return out;
  };
  for (const std::string_view piece : {"<div>", "<table><tr><td>x", "<ul><li>", "<", "&", "<a b='", "<!--", "<script>", "</", "<p hidden>",
                                       "<p a=1 a=2>", "<svg><title>", "&#", "<td>x</td>"}) {
    EXPECT_TRUE(is_valid_utf8(text_of(repeat(piece, 500'000))));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

}  // namespace
}  // namespace glyph
