#include "ingest/docx_package.h"

#include <fmt/format.h>

#include <vector>

#include "ingest/plain_text.h"
#include "ingest/xml_stream.h"

namespace glyph {
namespace {

std::string folder_of(const std::string& part) {
  const size_t slash = part.rfind('/');
  return slash == std::string::npos ? "" : part.substr(0, slash + 1);
}

std::string last_word(std::string_view type) {
  const size_t slash = type.rfind('/');
  return std::string(slash == std::string_view::npos ? type : type.substr(slash + 1));
}

// A target relative to a folder, as the name of a part; kRefused when it leaves the package.
Result<std::string> resolve_target(const std::string& folder, std::string_view target) {
  const std::string path = target.starts_with('/') ? std::string(target.substr(1)) : folder + std::string(target);
  std::vector<std::string> steps;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string step = path.substr(begin, end - begin);
    begin = end + 1;
    if (step == "..") {
      if (steps.empty()) {
        return refused(fmt::format("a relationship has the forbidden path '{}'", clean_text(target.substr(0, 100))));
      }
      steps.pop_back();
    } else if (!step.empty() && step != ".") {
      steps.push_back(step);
    }
  }
  return fmt::format("{}", fmt::join(steps, "/"));
}

class RelationshipHandler : public XmlHandler {
 public:
  explicit RelationshipHandler(std::string folder) : folder_(std::move(folder)) {}

  void start(std::string_view name, const XmlAttributes& attributes) override {
    if (name != "r:Relationship" || attributes.get("TargetMode") == "External" || !status.ok()) return;
    auto target = resolve_target(folder_, attributes.get("Target"));
    if (!target) {
      status = target.status();
    } else {
      parts.emplace(last_word(attributes.get("Type")), *std::move(target));
    }
  }
  void end(std::string_view) override {}
  void text(std::string_view) override {}

  std::map<std::string, std::string> parts;
  Status status;

 private:
  std::string folder_;
};

}  // namespace

Result<std::map<std::string, std::string>> DocxPackage::relationships(const std::string& part, int max_depth) {
  const std::string folder = folder_of(part);
  const std::string rels = folder + "_rels/" + part.substr(folder.size()) + ".rels";
  RelationshipHandler handler(folder);
  if (!archive_.contains(rels)) return handler.parts;
  GLYPH_ASSIGN_OR_RETURN(const std::string xml, archive_.read(rels));
  GLYPH_RETURN_IF_ERROR(parse_xml(rels, xml, max_depth, handler));
  GLYPH_RETURN_IF_ERROR(handler.status);
  return handler.parts;
}

Result<DocxPackage> DocxPackage::open(std::string_view bytes, const IngestLimits& limits) {
  GLYPH_ASSIGN_OR_RETURN(ZipArchive archive, ZipArchive::open(bytes, limits));
  if (!archive.contains("[Content_Types].xml")) {
    return refused("it is a ZIP archive but no DOCX: the part [Content_Types].xml is missing");
  }
  if (archive.contains("xl/workbook.xml")) return refused("it is a spreadsheet, which this program does not read");
  if (archive.contains("ppt/presentation.xml")) return refused("it is a presentation, which this program does not read");
  DocxPackage package(std::move(archive));
  GLYPH_ASSIGN_OR_RETURN(const auto root, package.relationships("", limits.nesting));
  const auto document = root.find("officeDocument");
  package.document_part_ = document == root.end() ? "word/document.xml" : document->second;
  if (!package.contains(package.document_part_)) {
    return refused(fmt::format("the part {} is missing", clean_text(package.document_part_.substr(0, 100))));
  }
  GLYPH_ASSIGN_OR_RETURN(package.related_, package.relationships(package.document_part_, limits.nesting));
  return package;
}

std::string DocxPackage::related(std::string_view type) const {
  const auto found = related_.find(std::string(type));
  return found == related_.end() ? "" : found->second;
}

}  // namespace glyph
