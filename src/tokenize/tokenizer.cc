#include "tokenize/tokenizer.h"

#include <mutex>
#include <unordered_map>

#include "base/byte_alphabet.h"
#include "base/text_file.h"
#include "tokenize/tokenizer_json.h"
#include "tokenize/utf8_scan.h"

namespace glyph {
namespace {

// What is known of one id.
enum TokenFlag : uint8_t { kAdded = 1, kSpecial = 2 };

// Working memory for encode calls: as many as ever ran at once, handed out one to a call.
class ScratchPool {
 public:
  std::unique_ptr<BpeScratch> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<BpeScratch>();
    std::unique_ptr<BpeScratch> scratch = std::move(free_.back());
    free_.pop_back();
    return scratch;
  }
  void give_back(std::unique_ptr<BpeScratch> scratch) {
    if (scratch->symbols.capacity() > kMaxKeptSymbols) {
      scratch->symbols = {};
      scratch->heap = {};
    }
    const std::lock_guard lock(mutex_);
    if (free_.size() < kMaxKept) free_.push_back(std::move(scratch));
  }

 private:
  static constexpr size_t kMaxKept = 64;
  static constexpr size_t kMaxKeptSymbols = 1 << 16;

  std::mutex mutex_;
  std::vector<std::unique_ptr<BpeScratch>> free_;
};

}  // namespace

struct Tokenizer::State {
  std::vector<std::string> spelling;  // by id
  std::vector<std::string> bytes;     // by id
  std::vector<uint8_t> flags;         // by id, TokenFlag
  std::unordered_map<std::string_view, int32_t> ids;
  BpeModel bpe;
  bool merges_reach_added = false;  // BPE alone could give the id of an added token
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  AddedTokenFinder raw_added;         // looked for in the text as it is
  AddedTokenFinder normalized_added;  // looked for in the normalized text
  mutable ScratchPool scratches;

  void encode_ordinary(std::string_view text, bool plain, BpeScratch& scratch,
                       std::vector<int32_t>& ids) const;
  void encode_segments(std::string_view text, BpeScratch& scratch, std::vector<int32_t>& ids) const;
  bool has_flag(int32_t id, TokenFlag flag) const {
    return id >= 0 && static_cast<size_t>(id) < flags.size() && (flags[id] & flag) != 0;
  }
};

namespace {

// Encodes each piece as it is cut off.
class EncodingSink final : public PieceSink {
 public:
  EncodingSink(const BpeModel& bpe, BpeScratch& scratch, std::vector<int32_t>& ids)
      : bpe_(bpe), scratch_(scratch), ids_(ids) {}
  void piece(std::string_view bytes) override { bpe_.encode(bytes, scratch_, ids_); }

 private:
  const BpeModel& bpe_;
  BpeScratch& scratch_;
  std::vector<int32_t>& ids_;
};

// As EncodingSink, but a piece that came out as an added token is spelled in bytes instead.
class PlainSink final : public PieceSink {
 public:
  PlainSink(const BpeModel& bpe, BpeScratch& scratch, std::vector<int32_t>& ids,
            const std::vector<uint8_t>& flags)
      : bpe_(bpe), scratch_(scratch), ids_(ids), flags_(flags) {}
  void piece(std::string_view bytes) override {
    const size_t before = ids_.size();
    bpe_.encode(bytes, scratch_, ids_);
    for (size_t i = before; i < ids_.size(); ++i) {
      if ((flags_[ids_[i]] & kAdded) != 0) return spell(bytes, before);
    }
  }

 private:
  void spell(std::string_view bytes, size_t before) {
    ids_.resize(before);
    for (const char byte : bytes) ids_.push_back(bpe_.byte_id(static_cast<uint8_t>(byte)));
  }

  const BpeModel& bpe_;
  BpeScratch& scratch_;
  std::vector<int32_t>& ids_;
  const std::vector<uint8_t>& flags_;
};

void split_added(const TokenizerSpec& spec, AddedTokenFinder* raw, AddedTokenFinder* normalized) {
  std::vector<AddedToken> raw_tokens, normalized_tokens;
  for (AddedToken token : spec.added) {
    if (token.normalized) token.content = spec.normalizer.apply(token.content);
    (token.normalized ? normalized_tokens : raw_tokens).push_back(std::move(token));
  }
  *raw = AddedTokenFinder(std::move(raw_tokens));
  *normalized = AddedTokenFinder(std::move(normalized_tokens));
}

}  // namespace

void Tokenizer::State::encode_ordinary(std::string_view text, bool plain, BpeScratch& scratch,
                                       std::vector<int32_t>& out) const {
  std::string normalized;
  if (!normalizer.is_identity()) {
    normalized = normalizer.apply(text);
    text = normalized;
  }
  if (plain && merges_reach_added) {
    PlainSink sink(bpe, scratch, out, flags);
    pre_tokenizer.split(text, sink);
  } else {
    EncodingSink sink(bpe, scratch, out);
    pre_tokenizer.split(text, sink);
  }
}

void Tokenizer::State::encode_segments(std::string_view text, BpeScratch& scratch,
                                       std::vector<int32_t>& out) const {
  std::vector<Segment> outer, inner;
  raw_added.split(text, outer);
  for (const Segment& segment : outer) {
    if (segment.id >= 0) {
      out.push_back(segment.id);
      continue;
    }
    if (normalized_added.empty()) {
      encode_ordinary(segment.text, false, scratch, out);
      continue;
    }
    const std::string normalized = normalizer.apply(segment.text);
    inner.clear();
    normalized_added.split(normalized, inner);
    EncodingSink sink(bpe, scratch, out);
    for (const Segment& part : inner) {
      if (part.id >= 0) {
        out.push_back(part.id);
      } else {
        pre_tokenizer.split(part.text, sink);
      }
    }
  }
}

Tokenizer::Tokenizer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::load(const std::filesystem::path& dir) {
  const std::filesystem::path path = dir / "tokenizer.json";
  GLYPH_ASSIGN_OR_RETURN(const std::string json, read_file(path, kMaxTokenizerBytes));
  return parse(json, path.string());
}

Result<Tokenizer> Tokenizer::parse(std::string_view json, const std::string& where) {
  GLYPH_ASSIGN_OR_RETURN(TokenizerSpec spec, parse_tokenizer_json(json, where));
  auto state = std::make_unique<State>();
  split_added(spec, &state->raw_added, &state->normalized_added);
  state->spelling = std::move(spec.spelling);
  state->flags.resize(state->spelling.size());
  for (const AddedToken& token : spec.added) state->flags[token.id] = kAdded | (token.special ? kSpecial : 0);
  BpeModel::WholePieces whole;
  state->bytes.reserve(state->spelling.size());
  for (size_t id = 0; id < state->spelling.size(); ++id) {
    const std::string& spelling = state->spelling[id];
    std::optional<std::string> bytes = bytes_of_spelling(spelling);
    const bool byte_level = bytes.has_value();
    state->bytes.push_back(byte_level ? *std::move(bytes) : spelling);
    if (spelling.empty()) continue;
    state->ids.emplace(spelling, static_cast<int32_t>(id));
    if (!spec.ignore_merges || !byte_level || !spec.in_vocabulary[id]) continue;
    whole.emplace(state->bytes[id], static_cast<int32_t>(id));
    state->merges_reach_added |= (state->flags[id] & kAdded) != 0;
  }
  for (const BpeMerge& merge : spec.merges)
    state->merges_reach_added |= (state->flags[merge.result] & kAdded) != 0;
  state->bpe = BpeModel(spec.byte_ids, spec.merges, std::move(whole));
  state->normalizer = std::move(spec.normalizer);
  state->pre_tokenizer = std::move(spec.pre_tokenizer);
  return Tokenizer(std::move(state));
}

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
  std::string repaired;
  std::vector<int32_t> ids;
  std::unique_ptr<BpeScratch> scratch = state_->scratches.take();
  state_->encode_segments(repair_utf8(text, repaired), *scratch, ids);
  state_->scratches.give_back(std::move(scratch));
  return ids;
}

std::vector<int32_t> Tokenizer::encode_plain(std::string_view text) const {
  std::vector<int32_t> ids;
  append_plain(text, ids);
  return ids;
}

void Tokenizer::append_plain(std::string_view text, std::vector<int32_t>& ids) const {
  std::string repaired;
  std::unique_ptr<BpeScratch> scratch = state_->scratches.take();
  state_->encode_ordinary(repair_utf8(text, repaired), true, *scratch, ids);
  state_->scratches.give_back(std::move(scratch));
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string bytes;
  for (const int32_t id : ids) {
    if (!(skip_special && is_special(id))) bytes += token_bytes(id);
  }
  std::string repaired;
  if (repair_utf8(bytes, repaired).data() == bytes.data()) return bytes;
  return repaired;
}

std::string_view Tokenizer::token_bytes(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) >= state_->bytes.size()) return {};
  return state_->bytes[id];
}

std::optional<int32_t> Tokenizer::token_id(std::string_view token) const {
  const auto found = state_->ids.find(token);
  if (found == state_->ids.end()) return std::nullopt;
  return found->second;
}

std::optional<std::string> Tokenizer::id_to_token(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) >= state_->spelling.size() || state_->spelling[id].empty())
    return std::nullopt;
  return state_->spelling[id];
}

bool Tokenizer::is_added(int32_t id) const { return state_->has_flag(id, kAdded); }
bool Tokenizer::is_special(int32_t id) const { return state_->has_flag(id, kSpecial); }
int32_t Tokenizer::vocab_size() const { return static_cast<int32_t>(state_->spelling.size()); }

}  // namespace glyph
