#include "ladder/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "ops/weight.h"

namespace glyph {
namespace {

using Question = LadderRow::Question;

constexpr double kGroupScale = 2.0 / 64;  // bytes of a bf16 scale for 64 weights

const std::vector<LadderRow>& all_rows() {
  // A scale for 64 weights adds a quarter of a bit to each.
  static const std::vector<LadderRow> rows{
      {.key = "fp32", .label = "fp32 plain", .precision = "fp32", .weight_bytes = 4},
      {.key = "fp16", .label = "+ half precision, fp16", .precision = "fp16"},
      {.key = "bf16", .label = "+ half precision, bf16", .precision = "bf16", .picture = true},
      {.key = "compiled", .label = "+ compiled vision", .precision = "bf16", .compiled = true},
      {.key = "first", .label = "+ cached document, first question", .precision = "bf16", .compiled = true, .question = Question::kFirst},
      {.key = "later", .label = "  later question", .precision = "bf16", .compiled = true, .question = Question::kLater},
      {.key = "draft", .label = "+ drafting, an answer that quotes", .precision = "bf16", .compiled = true, .question = Question::kQuoted},
      {.key = "fp8", .label = "+ fp8", .precision = "fp8", .compiled = true, .weight_bytes = 1, .picture = true},
      {.key = "fp8-later", .label = "  fp8, later question", .precision = "fp8", .compiled = true, .weight_bytes = 1, .question = Question::kLater},
      {.key = "fp8-draft", .label = "  fp8, drafting, an answer that quotes", .precision = "fp8", .compiled = true, .weight_bytes = 1,
       .question = Question::kQuoted},
      {.key = "everything", .label = "everything on, an answer that quotes", .precision = "fp8", .compiled = true, .weight_bytes = 1,
       .question = Question::kFirstQuoted},
      {.key = "fp8-kv", .label = "+ fp8 KV", .precision = "fp8", .compiled = true, .weight_bytes = 1, .kv_precision = "fp8"},
      {.key = "fp8-kv-later", .label = "  fp8 KV, later question", .precision = "fp8", .compiled = true, .weight_bytes = 1,
       .question = Question::kLater, .kv_precision = "fp8"},
      {.key = "int8", .label = "8-bit weights", .precision = "int8", .weight_bytes = 1 + kGroupScale},
      {.key = "int4", .label = "4-bit weights", .precision = "int4", .weight_bytes = 0.5 + kGroupScale},
      {.key = "int4-later", .label = "  4-bit weights, later question", .precision = "int4", .weight_bytes = 0.5 + kGroupScale,
       .question = Question::kLater},
  };
  return rows;
}

std::set<std::string> split(std::string_view keys) {
  std::set<std::string> names;
  while (!keys.empty()) {
    const size_t comma = keys.find(',');
    if (comma != 0) names.emplace(keys.substr(0, comma));
    keys = comma == std::string_view::npos ? std::string_view() : keys.substr(comma + 1);
  }
  return names;
}

}  // namespace

std::vector<LadderRow> ladder_rows(const Device& device) {
  std::vector<LadderRow> rows;
  for (const LadderRow& row : all_rows()) {
    const Result<Precision> precision = parse_precision(row.precision);
    if (precision.ok() && check_precision(device, *precision).ok()) rows.push_back(row);
  }
  return rows;
}

Result<std::vector<LadderRow>> choose_rows(std::vector<LadderRow> rows, std::string_view keys) {
  if (keys.empty() || keys == "all") return rows;
  const std::set<std::string> wanted = split(keys);
  for (const std::string& key : wanted) {
    const auto found = std::find_if(rows.begin(), rows.end(), [&](const LadderRow& row) { return row.key == key; });
    if (found != rows.end()) continue;
    std::string known;
    for (const LadderRow& row : rows) known += (known.empty() ? "" : ", ") + row.key;
    return usage_error(fmt::format("ladder: there is no row \"{:.100}\" here; there are {}", key, known));
  }
  std::erase_if(rows, [&](const LadderRow& row) { return !wanted.contains(row.key); });
  return rows;
}

}  // namespace glyph
