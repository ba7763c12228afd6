// The GLM-4.1V chat prompt, built in code: ids, and which of them are placeholders for page features.
//
// The published chat template of GLM-4.1V-9B-Thinking, rendered with a generation prompt, is
//   [gMASK]<sop>
//   <|system|>\n{text}
//   <|user|>\n{<|begin_of_image|><|image|><|end_of_image|> a page}{text}
//   <|assistant|>\n{text}              a turn of the history
//   <|assistant|>\n                    where the model goes on
// with no other white space; the processor then repeats <|image|> once for each feature of the page. Text of
// every role is encoded as plain text: a user cannot forge a control token.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "glyph/status.h"
#include "tokenize/tokenizer.h"

namespace glyph {

enum class Role { kSystem, kUser, kAssistant };

struct Turn {
  Role role = Role::kUser;
  std::vector<int64_t> page_tokens;  // features of each page shown before the text; user turns only
  std::string text;
};

// The placeholders of one page: ids[begin] .. ids[begin + count - 1] are the image token.
struct PageSpan {
  int64_t begin = 0;
  int64_t count = 0;
};

// Named apart from language/prompt.h's Prompt, which also knows features and positions.
struct ChatPrompt {
  std::vector<int32_t> ids;
  std::vector<PageSpan> pages;  // in order, over all turns
};

// The control tokens of the prompt, by id.
struct ControlTokens {
  int32_t gmask = 0;           // [gMASK]
  int32_t sop = 0;             // <sop>
  int32_t system = 0;          // <|system|>
  int32_t user = 0;            // <|user|>
  int32_t assistant = 0;       // <|assistant|>
  int32_t begin_of_image = 0;  // <|begin_of_image|>
  int32_t image = 0;           // <|image|>
  int32_t end_of_image = 0;    // <|end_of_image|>
};

// kRefused naming the token the tokenizer lacks.
Result<ControlTokens> find_control_tokens(const Tokenizer& tokenizer);

constexpr int64_t kMaxPromptTokens = int64_t{1} << 28;

// kUsage: no turns, the last turn is the assistant's, pages outside a user turn, a page without features.
// kExhausted: longer than kMaxPromptTokens.
Result<ChatPrompt> build_prompt(const Tokenizer& tokenizer, const ControlTokens& control,
                                const std::vector<Turn>& turns);

// The common case: pages, then a question.
Result<ChatPrompt> build_prompt(const Tokenizer& tokenizer, const ControlTokens& control,
                                std::vector<int64_t> page_tokens, std::string question);

// Does the directory's chat template render what build_prompt does? ok when it is the published one (white
// space at line ends and empty lines aside) or there is none; kRefused with a sentence when it differs, which
// a caller may report and go on.
Status check_chat_template(const std::filesystem::path& dir);
// The same for the text of a template.
Status check_chat_template_text(std::string_view text, const std::string& where);

}  // namespace glyph
