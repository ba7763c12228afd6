#include "tokenize/step_reader.h"

#include <fmt/format.h>

#include <optional>

namespace glyph {
namespace {

using boost::json::object;
using boost::json::value;

constexpr size_t kMaxSteps = 32;

const value* member(const object& json, std::string_view key) {
  const value* found = json.if_contains({key.data(), key.size()});
  return found == nullptr || found->is_null() ? nullptr : found;
}

std::string text_of(const object& json, std::string_view key) {
  const value* found = member(json, key);
  if (found == nullptr || !found->is_string()) return {};
  return {found->get_string().data(), found->get_string().size()};
}

bool flag(const object& json, std::string_view key, bool fallback) {
  const value* found = member(json, key);
  return found != nullptr && found->is_bool() ? found->get_bool() : fallback;
}

// The members of a "Sequence" (under `key`), or the one step itself.
Result<std::vector<const object*>> flatten(const value& json, std::string_view key, const std::string& what) {
  std::vector<const object*> steps;
  std::vector<const value*> waiting{&json};
  while (!waiting.empty()) {
    const value* next = waiting.back();
    waiting.pop_back();
    if (!next->is_object()) return refused(fmt::format("{} is not an object", what));
    const object& step = next->get_object();
    if (text_of(step, "type") != "Sequence") {
      steps.push_back(&step);
    } else {
      const value* list = member(step, key);
      if (list == nullptr || !list->is_array())
        return refused(fmt::format("{}: a Sequence has no \"{}\" list", what, key));
      for (auto it = list->get_array().end(); it != list->get_array().begin();) waiting.push_back(&*--it);
    }
    if (steps.size() + waiting.size() > kMaxSteps)
      return refused(fmt::format("{} has more than {} steps", what, kMaxSteps));
  }
  return steps;
}

std::optional<SplitBehavior> behavior_named(std::string_view name) {
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  return std::nullopt;
}

Result<PreTokenizerStep> read_split(const object& json, const std::string& what) {
  const std::optional<SplitBehavior> behavior = behavior_named(text_of(json, "behavior"));
  if (!behavior)
    return refused(
        fmt::format("{}: Split has the unknown behavior \"{:.40}\"", what, text_of(json, "behavior")));
  const bool invert = flag(json, "invert", false);
  const value* pattern = member(json, "pattern");
  if (pattern == nullptr || !pattern->is_object())
    return refused(fmt::format("{}: Split has no pattern", what));
  const std::string regex = text_of(pattern->get_object(), "Regex");
  const std::string literal = text_of(pattern->get_object(), "String");
  if (regex.empty() == literal.empty())
    return refused(fmt::format("{}: Split has neither a Regex nor a String, or an empty one", what));
  if (!literal.empty()) return PreTokenizerStep(SplitStep{literal, *behavior, invert});
  const std::optional<GptPattern> known = recognize_gpt_pattern(regex);
  // The known patterns match everything, so that inverted Removed is Isolated too.
  if (known && *behavior == SplitBehavior::kIsolated) return PreTokenizerStep(GptStep{*known});
  if (known && *behavior == SplitBehavior::kRemoved && invert) return PreTokenizerStep(GptStep{*known});
  Result<Pattern> compiled = Pattern::compile(regex);
  if (!compiled.ok()) return refused(fmt::format("{}: {}", what, compiled.status().message()));
  return PreTokenizerStep(SplitStep{*std::move(compiled), *behavior, invert});
}

void add_byte_level(const object& json, std::vector<PreTokenizerStep>& steps) {
  if (flag(json, "add_prefix_space", true)) steps.emplace_back(PrefixSpaceStep{});
  if (flag(json, "use_regex", true)) steps.emplace_back(GptStep{GptPattern::kGpt2});
}

}  // namespace

Result<std::vector<NormalForm>> read_normal_forms(const value* json, const std::string& where) {
  std::vector<NormalForm> forms;
  if (json == nullptr) return forms;
  GLYPH_ASSIGN_OR_RETURN(const auto steps, flatten(*json, "normalizers", where + ": normalizer"));
  for (const object* step : steps) {
    const std::string type = text_of(*step, "type");
    if (type == "NFC") {
      forms.push_back(NormalForm::kNfc);
    } else if (type == "NFD") {
      forms.push_back(NormalForm::kNfd);
    } else if (type == "NFKC") {
      forms.push_back(NormalForm::kNfkc);
    } else if (type == "NFKD") {
      forms.push_back(NormalForm::kNfkd);
    } else {
      return refused(fmt::format("{}: the normalizer \"{:.40}\" is not supported", where, type));
    }
  }
  return forms;
}

Result<std::vector<PreTokenizerStep>> read_pre_tokenizer(const value* json, const std::string& where) {
  const std::string what = where + ": pre_tokenizer";
  if (json == nullptr) return refused(fmt::format("{} is null; a byte-level one is needed", what));
  GLYPH_ASSIGN_OR_RETURN(const auto objects, flatten(*json, "pretokenizers", what));
  std::vector<PreTokenizerStep> steps;
  for (size_t i = 0; i < objects.size(); ++i) {
    const object& step = *objects[i];
    const std::string type = text_of(step, "type");
    const bool is_last = i + 1 == objects.size();
    if ((type == "ByteLevel") != is_last)
      return refused(fmt::format("{}: ByteLevel must be its last step, and only that", what));
    if (type == "ByteLevel") {
      add_byte_level(step, steps);
    } else if (type == "Split") {
      GLYPH_ASSIGN_OR_RETURN(PreTokenizerStep split, read_split(step, what));
      steps.push_back(std::move(split));
    } else if (type == "Digits") {
      steps.emplace_back(DigitsStep{flag(step, "individual_digits", false)});
    } else {
      return refused(fmt::format("{}: the type \"{:.40}\" is not supported", what, type));
    }
  }
  if (objects.empty()) return refused(fmt::format("{} is empty; a byte-level one is needed", what));
  return steps;
}

}  // namespace glyph
