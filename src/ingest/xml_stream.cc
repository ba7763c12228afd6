#include "ingest/xml_stream.h"

#include <expat.h>
#include <fmt/format.h>

#include <memory>

namespace glyph {
namespace {

constexpr char kSeparator = '|';  // between namespace and local name, as expat reports them

struct Namespace {
  std::string_view uri;
  std::string_view prefix;
};

constexpr Namespace kNamespaces[] = {
    {"http://schemas.openxmlformats.org/wordprocessingml/2006/main", "w:"},
    {"http://purl.oclc.org/ooxml/wordprocessingml/main", "w:"},
    {"http://schemas.openxmlformats.org/officeDocument/2006/math", "m:"},
    {"http://purl.oclc.org/ooxml/officeDocument/math", "m:"},
    {"http://schemas.openxmlformats.org/markup-compatibility/2006", "mc:"},
    {"http://schemas.openxmlformats.org/package/2006/relationships", "r:"},
};

std::string_view local_name(std::string_view name) {
  const size_t at = name.rfind(kSeparator);
  return at == std::string_view::npos ? name : name.substr(at + 1);
}

std::string short_name(std::string_view name) {
  const size_t at = name.rfind(kSeparator);
  if (at == std::string_view::npos) return std::string(name);
  const std::string_view uri = name.substr(0, at);
  for (const Namespace& known : kNamespaces) {
    if (known.uri == uri) return std::string(known.prefix).append(local_name(name));
  }
  return ":" + std::string(local_name(name));
}

struct Parse {
  XML_Parser parser;
  XmlHandler& handler;
  int max_depth;
  int depth = 0;
  bool too_deep = false;
  bool has_doctype = false;
};

void on_start(void* data, const char* name, const char** attributes) {
  Parse& parse = *static_cast<Parse*>(data);
  if (++parse.depth > parse.max_depth) {
    parse.too_deep = true;
    XML_StopParser(parse.parser, XML_FALSE);
    return;
  }
  parse.handler.start(short_name(name), XmlAttributes(attributes));
}

void on_end(void* data, const char* name) {
  Parse& parse = *static_cast<Parse*>(data);
  --parse.depth;
  if (!parse.too_deep) parse.handler.end(short_name(name));
}

void on_text(void* data, const char* text, int length) {
  static_cast<Parse*>(data)->handler.text({text, static_cast<size_t>(length)});
}

void on_doctype(void* data, const char*, const char*, const char*, int) {
  Parse& parse = *static_cast<Parse*>(data);
  parse.has_doctype = true;
  XML_StopParser(parse.parser, XML_FALSE);
}

}  // namespace

std::string_view XmlAttributes::get(std::string_view wanted) const {
  for (const char** pair = pairs_; *pair != nullptr; pair += 2) {
    if (local_name(pair[0]) == wanted) return pair[1];
  }
  return "";
}

Status parse_xml(std::string_view part, std::string_view xml, int max_depth, XmlHandler& handler) {
  const std::unique_ptr<XML_ParserStruct, void (*)(XML_Parser)> parser(XML_ParserCreateNS(nullptr, kSeparator), XML_ParserFree);
  if (parser == nullptr) return internal_error("no memory for an XML parser");
  Parse parse{parser.get(), handler, max_depth};
  XML_SetUserData(parser.get(), &parse);
  XML_SetElementHandler(parser.get(), on_start, on_end);
  XML_SetCharacterDataHandler(parser.get(), on_text);
  XML_SetStartDoctypeDeclHandler(parser.get(), on_doctype);
  constexpr size_t kChunk = size_t{1} << 20;
  for (size_t begin = 0;; begin += kChunk) {
    const std::string_view chunk = xml.substr(std::min(begin, xml.size()), kChunk);
    const bool is_last = begin + kChunk >= xml.size();
    if (XML_Parse(parser.get(), chunk.data(), static_cast<int>(chunk.size()), is_last) == XML_STATUS_OK) {
      if (is_last) return {};
      continue;
    }
    if (parse.has_doctype) return refused(fmt::format("the part {} declares a document type, which may hide an entity bomb", part));
    if (parse.too_deep) return refused(fmt::format("the part {} nests elements deeper than the limit of {}", part, max_depth));
    return refused(fmt::format("the part {} is damaged: {} in line {}", part, XML_ErrorString(XML_GetErrorCode(parser.get())),
                               XML_GetCurrentLineNumber(parser.get())));
  }
}

}  // namespace glyph
