// parse_xml: a part of a DOCX as a stream of elements. Uses expat; stops at a document type declaration, so that no entity is
// ever declared.
#pragma once

#include <string>
#include <string_view>

#include "glyph/status.h"

namespace glyph {

// The attributes of one element; valid during XmlHandler::start only.
class XmlAttributes {
 public:
  explicit XmlAttributes(const char** pairs) : pairs_(pairs) {}
  // The value of an attribute by its local name, whatever its namespace; "" when absent.
  std::string_view get(std::string_view local_name) const;

 private:
  const char** pairs_;  // name, value, name, value, ..., null
};

// Element names come as "w:p": the prefix stands for the namespace, whatever prefix the file uses. "w" WordprocessingML, "m"
// Office math, "mc" markup compatibility, "r" package relationships, "" everything else.
class XmlHandler {
 public:
  virtual ~XmlHandler() = default;
  virtual void start(std::string_view name, const XmlAttributes& attributes) = 0;
  virtual void end(std::string_view name) = 0;
  virtual void text(std::string_view utf8) = 0;
};

// kRefused, naming `part`: not well-formed, a DOCTYPE, elements nested deeper than `max_depth`.
Status parse_xml(std::string_view part, std::string_view xml, int max_depth, XmlHandler& handler);

}  // namespace glyph
