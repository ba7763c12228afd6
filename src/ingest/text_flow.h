// TextFlow: text that arrives in pieces between block boundaries -> lines. Collapses white space the way a browser does.
#pragma once

#include <string>
#include <string_view>

namespace glyph {

class TextFlow {
 public:
  void text(std::string_view utf8);      // spaces collapse; a space before a line's first word is dropped
  void verbatim(std::string_view utf8);  // kept as it is
  void word(std::string_view utf8);      // a marker or separator: like verbatim, and swallows a space that follows
  void break_line();                     // the next text begins a new line
  void break_block();                    // the next text begins after a blank line
  void new_line();                       // one more '\n', also on an empty line

  bool empty() const { return out_.empty(); }
  std::string take();

 private:
  void open();

  std::string out_;
  int pending_lines_ = 0;       // '\n's owed before the next text
  bool pending_space_ = false;  // a space owed before the next text
  bool swallow_space_ = true;   // nothing on this line yet, or just a marker
};

}  // namespace glyph
