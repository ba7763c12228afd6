#include "engine/writing.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace glyph {
namespace {

constexpr size_t kMaxQuotedBytes = size_t{8} << 20;  // a longer text is not looked through for quotes

}  // namespace

std::string text_blocks(const Document& document) {
  std::string text;
  for (const Block& block : document.blocks) {
    if (block.kind == Block::Kind::kText) text += block.text;
  }
  return text;
}

DraftIndexPtr make_draft_index(const Tokenizer& tokenizer, const std::string& text) {
  if (text.size() > kMaxQuotedBytes) return nullptr;
  return std::make_shared<const DraftIndex>(tokenizer.encode_plain(text));
}

Writing::Writing(const Tokenizer& tokenizer, const AnsweringOptions& options, std::span<const int32_t> prompt,
                 const AskListener& listener, std::function<void()> on_token)
    : answering_(tokenizer, options, prompt, listener), on_token_(std::move(on_token)) {}

std::vector<int32_t> Writing::next_tokens(std::span<const DraftIndexPtr> texts, size_t max_drafted) const {
  const int64_t room = std::max<int64_t>(0, answering_.tokens_left() - 1);
  std::vector<int32_t> ids{next_token_};
  const std::vector<int32_t> drafted = draft(texts, written_, std::min(max_drafted, static_cast<size_t>(room)));
  ids.insert(ids.end(), drafted.begin(), drafted.end());
  return ids;
}

Status Writing::take_logits(const ops::LogitsRow& logits) {
  GLYPH_ASSIGN_OR_RETURN(const std::optional<int32_t> token, answering_.step(logits));
  if (token) {
    next_token_ = *token;
    if (written_.size() >= 2 * DraftIndex::kMaxMatch) written_.erase(written_.begin(), written_.end() - DraftIndex::kMaxMatch);
    written_.push_back(*token);
  }
  if (on_token_) on_token_();
  return {};
}

Result<size_t> Writing::take_decoded(std::span<const int32_t> decoded, const Logits& logits, int64_t first_row, KvCache& cache) {
  const std::span<const int32_t> drafted = decoded.subspan(1);
  size_t taken = 0;
  for (;; ++taken) {
    GLYPH_RETURN_IF_ERROR(take_logits(logits.row(first_row + static_cast<int64_t>(taken))));
    if (done() || taken == drafted.size() || next_token_ != drafted[taken]) break;
  }
  const auto wrong = static_cast<int64_t>(drafted.size() - taken);
  cache.truncate(cache.num_tokens() - wrong, cache.next_position() - wrong);
  return taken;
}

}  // namespace glyph
