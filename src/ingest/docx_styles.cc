#include "ingest/docx_styles.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "ingest/xml_stream.h"

namespace glyph {
namespace {

int to_int(std::string_view text, int fallback) {
  int value = fallback;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return std::clamp(value, -1, 1'000'000);
}

class StylesHandler : public XmlHandler {
 public:
  explicit StylesHandler(std::map<std::string, ParagraphStyle>& styles) : styles_(styles) {}

  void start(std::string_view name, const XmlAttributes& attributes) override {
    const std::string_view value = attributes.get("val");
    if (name == "w:style") {
      current_ = &styles_[std::string(attributes.get("styleId"))];
    } else if (current_ == nullptr) {
      return;
    } else if (name == "w:basedOn") {
      current_->based_on = value;
    } else if (name == "w:outlineLvl") {
      current_->outline_level = to_int(value, -1);
    } else if (name == "w:name" && value == "Title") {
      current_->outline_level = 0;
    } else if (name == "w:numId") {
      current_->list = value;
    } else if (name == "w:ilvl") {
      current_->list_level = to_int(value, 0);
    }
  }
  void end(std::string_view name) override {
    if (name == "w:style") current_ = nullptr;
  }
  void text(std::string_view) override {}

 private:
  std::map<std::string, ParagraphStyle>& styles_;
  ParagraphStyle* current_ = nullptr;
};

std::string letters(int number, char first) {
  return std::string(std::min(1 + (number - 1) / 26, 20), static_cast<char>(first + (number - 1) % 26));
}

std::string roman(int number, bool upper) {
  constexpr std::pair<int, std::string_view> kParts[] = {{1000, "m"}, {900, "cm"}, {500, "d"}, {400, "cd"}, {100, "c"},
                                                         {90, "xc"},  {50, "l"},   {40, "xl"}, {10, "x"},   {9, "ix"},
                                                         {5, "v"},    {4, "iv"},   {1, "i"}};
  std::string out;
  for (const auto& [value, letters_of_value] : kParts) {
    for (; number >= value; number -= value) out += letters_of_value;
  }
  if (upper) std::transform(out.begin(), out.end(), out.begin(), [](char c) { return static_cast<char>(c - 32); });
  return out;
}

// 1 to 99 in Chinese; larger numbers stay decimal.
std::string chinese(int number) {
  static constexpr std::string_view kDigits[] = {"〇", "一", "二", "三", "四", "五", "六", "七", "八", "九"};
  if (number > 99) return fmt::format("{}", number);
  std::string out;
  if (number >= 20) out += kDigits[number / 10];
  if (number >= 10) out += "十";
  if (number % 10 != 0) out += kDigits[number % 10];
  return out;
}

}  // namespace

std::string format_list_number(int number, std::string_view format) {
  if (number < 1 || number > 9999) return fmt::format("{}", number);
  if (format == "lowerLetter") return letters(number, 'a');
  if (format == "upperLetter") return letters(number, 'A');
  if (format == "lowerRoman") return roman(number, false);
  if (format == "upperRoman") return roman(number, true);
  if (format == "decimalZero") return fmt::format("{:02}", number);
  if (format.starts_with("chineseCounting") || format == "japaneseCounting" || format == "taiwaneseCountingThousand") {
    return chinese(number);
  }
  return fmt::format("{}", number);
}

Status DocxStyles::parse(std::string_view part, std::string_view xml, int max_depth) {
  StylesHandler handler(styles_);
  return parse_xml(part, xml, max_depth, handler);
}

ParagraphStyle DocxStyles::resolve(const std::string& style_id) const {
  ParagraphStyle result;
  std::string id = style_id;
  for (int hops = 0; hops < 20; ++hops) {  // a loop of basedOn ends here
    const auto found = styles_.find(id);
    if (found == styles_.end()) break;
    const ParagraphStyle& style = found->second;
    if (result.outline_level < 0) result.outline_level = style.outline_level;
    if (result.list.empty()) result.list = style.list;
    if (result.list_level < 0) result.list_level = style.list_level;
    id = style.based_on;
  }
  return result;
}

class NumberingHandler : public XmlHandler {
 public:
  explicit NumberingHandler(DocxNumbering& numbering) : numbering_(numbering) {}

  void start(std::string_view name, const XmlAttributes& attributes) override {
    const std::string_view value = attributes.get("val");
    if (name == "w:abstractNum") {
      abstract_ = &numbering_.abstract_[std::string(attributes.get("abstractNumId"))];
    } else if (name == "w:num") {
      list_ = attributes.get("numId");
    } else if (name == "w:abstractNumId" && !list_.empty()) {
      numbering_.lists_[list_] = value;
    } else if (name == "w:lvlOverride" || name == "w:lvl") {
      level_number_ = to_int(attributes.get("ilvl"), 0);
      const bool known = level_number_ >= 0 && level_number_ < kListLevels;
      level_ = abstract_ != nullptr && known ? &abstract_->levels[level_number_] : nullptr;
    } else if (name == "w:startOverride" && !list_.empty()) {
      numbering_.restarts_[list_][level_number_] = to_int(value, 1);
    } else if (level_ != nullptr && name == "w:numFmt") {
      level_->format = value;
    } else if (level_ != nullptr && name == "w:lvlText") {
      level_->text = value;
    } else if (level_ != nullptr && name == "w:start") {
      level_->start = to_int(value, 1);
    }
  }
  void end(std::string_view name) override {
    if (name == "w:abstractNum") abstract_ = nullptr;
    if (name == "w:num") list_.clear();
    if (name == "w:lvl") level_ = nullptr;
  }
  void text(std::string_view) override {}

 private:
  DocxNumbering& numbering_;
  DocxNumbering::AbstractList* abstract_ = nullptr;
  ListLevel* level_ = nullptr;
  std::string list_;
  int level_number_ = 0;
};

Status DocxNumbering::parse(std::string_view part, std::string_view xml, int max_depth) {
  NumberingHandler handler(*this);
  return parse_xml(part, xml, max_depth, handler);
}

std::string DocxNumbering::next_marker(const std::string& list, int level) {
  const auto found = lists_.find(list);
  if (found == lists_.end() || level < 0 || level >= kListLevels) return "";
  const auto abstract = abstract_.find(found->second);
  if (abstract == abstract_.end()) return "";
  AbstractList& counted = abstract->second;
  const auto restart = restarts_.find(list);
  if (restart != restarts_.end()) {
    for (const auto& [at, first] : restart->second) {
      if (at < 0 || at >= kListLevels) continue;
      counted.counters[at] = first - 1;
      counted.started[at] = true;
    }
    restarts_.erase(restart);
  }
  const auto ensure_started = [&](int at) {
    if (!counted.started[at]) counted.counters[at] = counted.levels[at].start - 1;
    counted.started[at] = true;
  };
  ensure_started(level);
  ++counted.counters[level];
  for (int deeper = level + 1; deeper < kListLevels; ++deeper) counted.started[deeper] = false;

  const ListLevel& style = counted.levels[level];
  if (style.format == "none") return "";
  if (style.format == "bullet" || style.format.empty()) return "-";
  std::string marker;
  for (size_t i = 0; i < style.text.size(); ++i) {
    const int at = style.text[i] == '%' && i + 1 < style.text.size() ? style.text[i + 1] - '1' : -1;
    if (at < 0 || at >= kListLevels) {
      marker += style.text[i];
      continue;
    }
    if (!counted.started[at]) {
      ensure_started(at);
      if (at < level) ++counted.counters[at];  // a level that was skipped counts as begun
    }
    marker += format_list_number(counted.counters[at], at == level ? style.format : counted.levels[at].format);
    ++i;
  }
  return marker;
}

}  // namespace glyph
