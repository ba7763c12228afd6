// HtmlTokenizer: HTML as a stream of text, start tags and end tags.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace glyph {

struct HtmlAttribute {
  std::string name;   // lower case
  std::string value;  // character references resolved
};

struct HtmlToken {
  enum class Kind { kText, kStart, kEnd, kFinished };
  Kind kind = Kind::kFinished;
  std::string text;                       // kText: character references resolved
  std::string name;                       // kStart, kEnd: lower case
  std::vector<HtmlAttribute> attributes;  // kStart; at most 64
  bool is_self_closing = false;

  std::string_view attribute(std::string_view wanted) const;
  bool has_attribute(std::string_view wanted) const;
};

// Comments, declarations and processing instructions are skipped; the content of script, style, textarea, title and other
// raw-text elements is one text token. The text must outlive the object.
class HtmlTokenizer {
 public:
  explicit HtmlTokenizer(std::string_view html) : html_(html) {}
  HtmlToken next();

 private:
  HtmlToken text_until(size_t end, bool resolve);
  HtmlToken tag();
  void read_attributes(HtmlToken& token);
  std::string attribute_value();
  bool skip_markup();  // a comment, declaration or processing instruction at the current place
  void skip_spaces();
  char at(size_t i) const { return i < html_.size() ? html_[i] : '\0'; }

  std::string_view html_;
  size_t i_ = 0;
  std::string raw_;  // the raw-text element we are in
};

// Appends `text` with its character references (&amp; &#8212; &#x2014;) resolved.
void append_resolved(std::string& out, std::string_view text);

}  // namespace glyph
