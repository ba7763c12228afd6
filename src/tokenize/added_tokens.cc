#include "tokenize/added_tokens.h"

#include <algorithm>

#include "base/utf8.h"
#include "tokenize/char_class.h"

namespace glyph {
namespace {

uint8_t first_byte(const AddedToken& token) { return static_cast<uint8_t>(token.content.front()); }

// Where the character before `end` begins.
size_t previous(std::string_view text, size_t end) {
  do --end;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80);
  return end;
}

bool word_before(std::string_view text, size_t at) {
  return at > 0 && is_word_character(decode_utf8(text, previous(text, at)).value);
}

bool word_after(std::string_view text, size_t at) {
  return at < text.size() && is_word_character(decode_utf8(text, at).value);
}

size_t skip_space_left(std::string_view text, size_t at, size_t limit) {
  while (at > limit) {
    const size_t begin = previous(text, at);
    if (!is_white_space(decode_utf8(text, begin).value)) break;
    at = begin;
  }
  return at;
}

size_t skip_space_right(std::string_view text, size_t at) {
  while (at < text.size()) {
    const CodePoint point = decode_utf8(text, at);
    if (!is_white_space(point.value)) break;
    at += point.length;
  }
  return at;
}

}  // namespace

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::erase_if(tokens_, [](const AddedToken& token) { return token.content.empty(); });
  std::sort(tokens_.begin(), tokens_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  for (int byte = 0; byte <= 256; ++byte) {
    const auto bound = std::find_if(tokens_.begin(), tokens_.end(),
                                    [&](const AddedToken& t) { return first_byte(t) >= byte; });
    first_[byte] = static_cast<uint32_t>(bound - tokens_.begin());
  }
}

const AddedToken* AddedTokenFinder::longest_at(std::string_view text, size_t at) const {
  const auto byte = static_cast<uint8_t>(text[at]);
  auto low = tokens_.begin() + first_[byte];
  auto high = tokens_.begin() + first_[byte + 1];
  const AddedToken* best = nullptr;
  // Narrows the tokens whose first `length` bytes stand at `at`; the one of exactly that length comes first
  // among them.
  for (size_t length = 1; low != high; ++length) {
    if (low->content.size() == length) {
      best = &*low;
      ++low;
    }
    if (at + length >= text.size()) break;
    const auto next = static_cast<uint8_t>(text[at + length]);
    const auto byte_of = [&](const AddedToken& t) { return static_cast<uint8_t>(t.content[length]); };
    low = std::partition_point(low, high, [&](const AddedToken& t) { return byte_of(t) < next; });
    high = std::partition_point(low, high, [&](const AddedToken& t) { return byte_of(t) <= next; });
  }
  return best;
}

void AddedTokenFinder::split(std::string_view text, std::vector<Segment>& segments) const {
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    const auto byte = static_cast<uint8_t>(text[at]);
    const AddedToken* token = first_[byte] == first_[byte + 1] ? nullptr : longest_at(text, at);
    if (token == nullptr) {
      ++at;
      continue;
    }
    size_t begin = at, end = at + token->content.size();
    at = end;
    if (token->single_word && (word_before(text, begin) || word_after(text, end))) continue;
    if (token->lstrip) begin = std::max(skip_space_left(text, begin, 0), done);
    if (token->rstrip) end = skip_space_right(text, end);
    if (done < begin) segments.push_back({text.substr(done, begin - done), -1});
    segments.push_back({text.substr(begin, end - begin), token->id});
    done = end;
  }
  if (done < text.size()) segments.push_back({text.substr(done), -1});
}

}  // namespace glyph
