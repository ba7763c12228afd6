#include "tokenize/prompt.h"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>

#include "base/hash.h"
#include "base/text_file.h"

namespace glyph {
namespace {

constexpr size_t kMaxTemplateBytes = 4 << 20;

// SHA-256 of the published template of GLM-4.1V-9B-Thinking in the form normalized() gives.
constexpr std::string_view kPublishedTemplate =
    "b015fc5b619697658424d2e40e6332eaa666d1b777fdbf552c784bf0df8858d2";
// The same of glyph-mini's template (training/export.py), which renders the same prompt in fewer words.
constexpr std::string_view kGlyphMiniTemplate =
    "cdb0486c51069264d1555df9cbb348150536fa18b7358363448315d189f088bd";

// Collects text until a control token comes: text between two of them is encoded at once, as the reference
// does.
class PromptBuilder {
 public:
  PromptBuilder(const Tokenizer& tokenizer, const ControlTokens& control)
      : tokenizer_(tokenizer), control_(control) {
    add(control_.gmask);
    add(control_.sop);
  }

  void add(int32_t id) {
    end_text();
    prompt_.ids.push_back(id);
  }
  void add(std::string_view text) { text_ += text; }

  void add_page(int64_t num_tokens) {
    add(control_.begin_of_image);
    prompt_.pages.push_back({std::ssize(prompt_.ids), num_tokens});
    prompt_.ids.insert(prompt_.ids.end(), static_cast<size_t>(num_tokens), control_.image);
    add(control_.end_of_image);
  }

  ChatPrompt finish() && {
    end_text();
    return std::move(prompt_);
  }

 private:
  void end_text() {
    if (!text_.empty()) tokenizer_.append_plain(text_, prompt_.ids);
    text_.clear();
  }

  const Tokenizer& tokenizer_;
  const ControlTokens& control_;
  std::string text_;
  ChatPrompt prompt_;
};

Status check_turns(const std::vector<Turn>& turns) {
  if (turns.empty()) return usage_error("the conversation has no turns");
  if (turns.back().role == Role::kAssistant)
    return usage_error("the last turn of the conversation is the assistant's");
  int64_t total = 0;
  for (const Turn& turn : turns) {
    if (turn.role != Role::kUser && !turn.page_tokens.empty())
      return usage_error("pages may stand in a user's turn only");
    for (const int64_t count : turn.page_tokens) {
      if (count < 1) return usage_error(fmt::format("a page has {} features", count));
      // A first bound, so that no placeholder is written for a prompt that cannot be.
      if (count > kMaxPromptTokens - total)
        return exhausted(fmt::format("the pages take more than {} tokens", kMaxPromptTokens));
      total += count;
    }
  }
  return {};
}

int32_t role_token(const ControlTokens& control, Role role) {
  switch (role) {
    case Role::kSystem:
      return control.system;
    case Role::kUser:
      return control.user;
    case Role::kAssistant:
      return control.assistant;
  }
  return control.user;
}

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view kSpace = " \t\r\v\f";
  const size_t first = line.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(kSpace) - first + 1);
}

// Lines without the white space around them, empty ones left out.
std::string normalized(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    if (!out.empty()) out += '\n';
    out += line;
  }
  return out;
}

// The "chat_template" of a JSON file; empty when the file or the key is missing.
Result<std::string> template_in(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::string();
  GLYPH_ASSIGN_OR_RETURN(const std::string text, read_file(path, kMaxTemplateBytes));
  boost::system::error_code error;
  const boost::json::value json = boost::json::parse(text, error);
  if (error) return refused(fmt::format("{}: is not valid JSON: {}", path.string(), error.message()));
  const boost::json::value* found =
      json.is_object() ? json.get_object().if_contains("chat_template") : nullptr;
  if (found == nullptr || !found->is_string()) return std::string();
  return std::string(found->get_string());
}

}  // namespace

Result<ControlTokens> find_control_tokens(const Tokenizer& tokenizer) {
  ControlTokens control;
  const std::array<std::pair<const char*, int32_t*>, 8> wanted = {
      {{"[gMASK]", &control.gmask},
       {"<sop>", &control.sop},
       {"<|system|>", &control.system},
       {"<|user|>", &control.user},
       {"<|assistant|>", &control.assistant},
       {"<|begin_of_image|>", &control.begin_of_image},
       {"<|image|>", &control.image},
       {"<|end_of_image|>", &control.end_of_image}}};
  for (const auto& [name, id] : wanted) {
    const std::optional<int32_t> found = tokenizer.token_id(name);
    if (!found || !tokenizer.is_added(*found))
      return refused(fmt::format("the tokenizer has no control token {}", name));
    *id = *found;
  }
  return control;
}

Result<ChatPrompt> build_prompt(const Tokenizer& tokenizer, const ControlTokens& control,
                                const std::vector<Turn>& turns) {
  GLYPH_RETURN_IF_ERROR(check_turns(turns));
  PromptBuilder builder(tokenizer, control);
  for (const Turn& turn : turns) {
    builder.add(role_token(control, turn.role));
    builder.add("\n");
    for (const int64_t num_tokens : turn.page_tokens) builder.add_page(num_tokens);
    builder.add(turn.text);
  }
  builder.add(control.assistant);
  builder.add("\n");
  ChatPrompt prompt = std::move(builder).finish();
  if (std::ssize(prompt.ids) > kMaxPromptTokens) {
    return exhausted(
        fmt::format("the prompt has {} tokens, the limit is {}", prompt.ids.size(), kMaxPromptTokens));
  }
  return prompt;
}

Result<ChatPrompt> build_prompt(const Tokenizer& tokenizer, const ControlTokens& control,
                                std::vector<int64_t> page_tokens, std::string question) {
  std::vector<Turn> turns(1);
  turns[0].page_tokens = std::move(page_tokens);
  turns[0].text = std::move(question);
  return build_prompt(tokenizer, control, turns);
}

Status check_chat_template_text(std::string_view text, const std::string& where) {
  const std::string hash = hex(sha256(normalized(text)));
  if (hash == kPublishedTemplate || hash == kGlyphMiniTemplate) return {};
  return refused(fmt::format(
      "{}: the chat template is not the published one of GLM-4.1V (its normal form has the SHA-256 {}); "
      "the built-in prompt may not be what this model was trained with",
      where, hash));
}

Status check_chat_template(const std::filesystem::path& dir) {
  std::error_code ignored;
  const std::filesystem::path own = dir / "chat_template.jinja";
  if (std::filesystem::exists(own, ignored)) {
    GLYPH_ASSIGN_OR_RETURN(const std::string text, read_file(own, kMaxTemplateBytes));
    return check_chat_template_text(text, own.string());
  }
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    GLYPH_ASSIGN_OR_RETURN(const std::string text, template_in(dir / name));
    if (!text.empty()) return check_chat_template_text(text, (dir / name).string());
  }
  return {};
}

}  // namespace glyph
