#include "tokenize/pattern.h"

#include <fmt/format.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/check.h"

namespace glyph {
namespace {

constexpr size_t kMaxPatternBytes = 64 << 10;
constexpr size_t kJitStackBytes = 1 << 20;
constexpr uint32_t kMatchLimit = 100'000'000;  // steps of one match

std::string error_text(int code) {
  PCRE2_UCHAR8 buffer[256];
  if (pcre2_get_error_message(code, buffer, sizeof(buffer)) < 0) return "unknown error";
  return reinterpret_cast<const char*>(buffer);
}

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

using CodePtr = std::unique_ptr<pcre2_code, Deleter<pcre2_code_free>>;
using MatchDataPtr = std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data_free>>;
using MatchContextPtr = std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context_free>>;
using JitStackPtr = std::unique_ptr<pcre2_jit_stack, Deleter<pcre2_jit_stack_free>>;

}  // namespace

struct Pattern::Code {
  CodePtr code;
};

Result<Pattern> Pattern::compile(std::string_view pattern) {
  if (pattern.size() > kMaxPatternBytes) {
    return refused(
        fmt::format("the pattern has {} bytes, the limit is {}", pattern.size(), kMaxPatternBytes));
  }
  GLYPH_ASSIGN_OR_RETURN(const std::string translated, translate_pattern(pattern));
  int error = 0;
  PCRE2_SIZE offset = 0;
  CodePtr code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                             PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr));
  if (code == nullptr)
    return refused(fmt::format("the pattern \"{:.200}\" is not valid: {}", pattern, error_text(error)));
  uint32_t may_be_empty = 0;
  pcre2_pattern_info(code.get(), PCRE2_INFO_MATCHEMPTY, &may_be_empty);
  if (may_be_empty != 0)
    return refused(fmt::format("the pattern \"{:.200}\" matches the empty string", pattern));
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // without JIT it runs interpreted
  return Pattern(std::make_shared<const Code>(Code{std::move(code)}));
}

namespace {

// What a match needs besides pattern and text. One a thread: a result is read before the next match begins.
struct MatchMemory {
  MatchDataPtr data{pcre2_match_data_create(1, nullptr)};
  MatchContextPtr context{pcre2_match_context_create(nullptr)};
  JitStackPtr stack{pcre2_jit_stack_create(32 << 10, kJitStackBytes, nullptr)};

  MatchMemory() {
    GLYPH_CHECK(data != nullptr && context != nullptr && stack != nullptr);
    pcre2_set_match_limit(context.get(), kMatchLimit);
    pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
  }
};

}  // namespace

std::optional<Pattern::Search::Match> Pattern::Search::next() {
  if (at_ >= text_.size()) return std::nullopt;
  thread_local const MatchMemory memory;
  const int count =
      pcre2_match(pattern_.code_->code.get(), reinterpret_cast<PCRE2_SPTR>(text_.data()), text_.size(), at_,
                  PCRE2_NO_UTF_CHECK, memory.data.get(), memory.context.get());
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(memory.data.get());
  // An empty or backward match is refused at compile time; this is a second line of defence.
  if (count < 0 || bounds[1] <= bounds[0] || bounds[0] < at_) {
    at_ = text_.size();
    return std::nullopt;
  }
  at_ = bounds[1];
  return Match{bounds[0], bounds[1]};
}

}  // namespace glyph
