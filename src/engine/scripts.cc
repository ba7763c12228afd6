#include "engine/scripts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include <algorithm>
#include <array>

#include "base/utf8.h"

namespace glyph {
namespace {

constexpr double kWarnShare = 0.1;
constexpr size_t kMaxNamed = 3;
constexpr size_t kMaxScannedBytes = size_t{4} << 20;  // more than any context window holds

UScriptCode script_of(uint32_t code_point) {
  if (!u_isalpha(static_cast<UChar32>(code_point))) return USCRIPT_COMMON;
  UErrorCode error = U_ZERO_ERROR;
  const UScriptCode script = uscript_getScript(static_cast<UChar32>(code_point), &error);
  return U_FAILURE(error) ? USCRIPT_COMMON : script;
}

bool counts(UScriptCode script) { return script > USCRIPT_INHERITED && script < USCRIPT_CODE_LIMIT && script != USCRIPT_UNKNOWN; }

bool is_readable(const std::string& script, std::span<const std::string> readable) {
  return std::find(readable.begin(), readable.end(), script) != readable.end();
}

}  // namespace

std::vector<ScriptCount> count_scripts(std::string_view text) {
  std::array<size_t, USCRIPT_CODE_LIMIT> letters{};
  for (size_t offset = 0; offset < text.size();) {
    const CodePoint point = decode_utf8(text, offset);
    offset += point.length;
    const UScriptCode script = script_of(point.value);
    if (counts(script)) ++letters[static_cast<size_t>(script)];
  }
  std::vector<ScriptCount> found;
  for (size_t i = 0; i < letters.size(); ++i) {
    if (letters[i] > 0) found.push_back({uscript_getName(static_cast<UScriptCode>(i)), letters[i]});
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.letters > b.letters; });
  return found;
}

std::optional<std::string> unread_scripts_warning(std::string_view what, std::string_view text,
                                                  std::span<const std::string> readable) {
  if (readable.empty()) return std::nullopt;
  size_t total = 0, unread = 0;
  std::vector<std::string> names;
  for (const ScriptCount& count : count_scripts(text.substr(0, kMaxScannedBytes))) {
    total += count.letters;
    if (is_readable(count.script, readable)) continue;
    unread += count.letters;
    if (names.size() < kMaxNamed) names.push_back(count.script);
  }
  const double share = total == 0 ? 0 : static_cast<double>(unread) / static_cast<double>(total);
  if (share < kWarnShare) return std::nullopt;
  return fmt::format("{}: {:.0f} % of the letters are {}, which this model does not read (it reads {}); do not trust its answer", what,
                     share * 100, fmt::join(names, ", "), fmt::join(readable, ", "));
}

}  // namespace glyph
