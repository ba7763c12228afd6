#include "tokenize/tokenizer_json.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <unordered_map>

#include "base/byte_alphabet.h"
#include "tokenize/step_reader.h"

namespace glyph {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

constexpr size_t kMaxAddedTokens = 1 << 16;

std::string_view view(const boost::json::string& text) { return {text.data(), text.size()}; }
std::string_view view(boost::json::string_view text) { return {text.data(), text.size()}; }

const value* member(const object& json, std::string_view key) {
  const value* found = json.if_contains({key.data(), key.size()});
  return found == nullptr || found->is_null() ? nullptr : found;
}

bool flag(const object& json, std::string_view key) {
  const value* found = member(json, key);
  return found != nullptr && found->is_bool() && found->get_bool();
}

// Reads one tokenizer.json into a spec; every method refuses by Status.
class SpecReader {
 public:
  SpecReader(const object& root, std::string where) : root_(root), where_(std::move(where)) {}

  Result<TokenizerSpec> read() {
    GLYPH_RETURN_IF_ERROR(read_model());
    GLYPH_RETURN_IF_ERROR(read_added());
    GLYPH_RETURN_IF_ERROR(check_decoder());
    GLYPH_ASSIGN_OR_RETURN(auto forms, read_normal_forms(member(root_, "normalizer"), where_));
    spec_.normalizer = Normalizer(std::move(forms));
    GLYPH_ASSIGN_OR_RETURN(auto steps, read_pre_tokenizer(member(root_, "pre_tokenizer"), where_));
    spec_.pre_tokenizer = PreTokenizer(std::move(steps));
    return std::move(spec_);
  }

 private:
  template <typename... Args>
  Status refuse(fmt::format_string<Args...> text, Args&&... args) const {
    return refused(where_ + ": " + fmt::format(text, std::forward<Args>(args)...));
  }

  Status read_model() {
    const value* model = member(root_, "model");
    if (model == nullptr || !model->is_object()) return refuse("has no \"model\" object");
    const object& json = model->get_object();
    GLYPH_RETURN_IF_ERROR(check_model_kind(json));
    spec_.ignore_merges = flag(json, "ignore_merges");
    GLYPH_RETURN_IF_ERROR(read_vocabulary(json));
    GLYPH_RETURN_IF_ERROR(read_byte_ids());
    return read_merges(json);
  }

  Status check_model_kind(const object& json) const {
    const value* type = member(json, "type");  // files before 0.10 have none
    if (type != nullptr && (!type->is_string() || view(type->get_string()) != "BPE")) {
      return refuse("the model type is not BPE, the only supported one");
    }
    if (flag(json, "byte_fallback")) return refuse("\"byte_fallback\" is not supported");
    const value* dropout = member(json, "dropout");
    if (dropout != nullptr && !(dropout->is_number() && dropout->to_number<double>() == 0.0))
      return refuse("\"dropout\" is not supported");
    for (const std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const value* affix = member(json, key);
      if (affix != nullptr && !(affix->is_string() && affix->get_string().empty()))
        return refuse("\"{}\" is not supported", key);
    }
    return {};
  }

  // Puts a spelling at an id that is free.
  Status place(std::string_view spelling, int64_t id) {
    if (id < 0 || id > kMaxTokenId)
      return refuse("the token \"{:.60}\" has the id {}, outside 0 to {}", spelling, id, kMaxTokenId);
    if (spelling.size() > kMaxTokenBytes)
      return refuse("a token has {} bytes, the limit is {}", spelling.size(), kMaxTokenBytes);
    if (static_cast<size_t>(id) >= spec_.spelling.size()) {
      spec_.spelling.resize(id + 1);
      spec_.in_vocabulary.resize(id + 1);
    }
    if (!spec_.spelling[id].empty()) {
      return refuse("the id {} belongs to both \"{:.60}\" and \"{:.60}\"", id, spec_.spelling[id], spelling);
    }
    spec_.spelling[id] = spelling;
    return {};
  }

  Status read_vocabulary(const object& json) {
    const value* vocabulary = member(json, "vocab");
    if (vocabulary == nullptr || !vocabulary->is_object()) return refuse("has no \"vocab\" object");
    const object& entries = vocabulary->get_object();
    spec_.spelling.reserve(entries.size() + 1024);
    ids_.reserve(entries.size());
    for (const auto& [key, id] : entries) {
      if (!id.is_int64()) return refuse("the id of \"{:.60}\" is not a whole number", view(key));
      if (key.empty()) return refuse("has an empty token");
      GLYPH_RETURN_IF_ERROR(place(view(key), id.get_int64()));
      spec_.in_vocabulary[id.get_int64()] = true;
      ids_.emplace(view(key), static_cast<int32_t>(id.get_int64()));
    }
    return {};
  }

  Status read_byte_ids() {
    for (int byte = 0; byte < 256; ++byte) {
      const char one = static_cast<char>(byte);
      const auto found = ids_.find(spelling_of_bytes({&one, 1}));
      if (found == ids_.end())
        return refuse("the vocabulary has no token for the byte {:#04x}: this is not byte-level BPE", byte);
      spec_.byte_ids[byte] = found->second;
    }
    return {};
  }

  // The two halves of a merge: "a b" or ["a", "b"].
  Status merge_halves(const value& merge, std::string_view* left, std::string_view* right) const {
    if (merge.is_string()) {
      const std::string_view text = view(merge.get_string());
      const size_t space = text.find(' ');
      if (space != std::string_view::npos && text.find(' ', space + 1) == std::string_view::npos) {
        *left = text.substr(0, space);
        *right = text.substr(space + 1);
        return {};
      }
    } else if (merge.is_array() && merge.get_array().size() == 2 && merge.get_array()[0].is_string() &&
               merge.get_array()[1].is_string()) {
      *left = view(merge.get_array()[0].get_string());
      *right = view(merge.get_array()[1].get_string());
      return {};
    }
    return refuse("a merge is neither \"a b\" nor [\"a\", \"b\"]");
  }

  Status read_merges(const object& json) {
    const value* merges = member(json, "merges");
    if (merges == nullptr || !merges->is_array()) return refuse("has no \"merges\" list");
    spec_.merges.reserve(merges->get_array().size());
    std::string joined;
    for (const value& entry : merges->get_array()) {
      std::string_view left, right;
      GLYPH_RETURN_IF_ERROR(merge_halves(entry, &left, &right));
      joined.assign(left).append(right);
      const auto left_id = ids_.find(left), right_id = ids_.find(right),
                 result = ids_.find(std::string_view(joined));
      if (left_id == ids_.end() || right_id == ids_.end() || result == ids_.end()) {
        return refuse("the merge of \"{:.60}\" and \"{:.60}\" is not covered by the vocabulary", left, right);
      }
      spec_.merges.push_back({left_id->second, right_id->second, result->second});
    }
    return {};
  }

  Status read_added() {
    const value* added = member(root_, "added_tokens");
    if (added == nullptr) return {};
    if (!added->is_array()) return refuse("\"added_tokens\" is not a list");
    if (added->get_array().size() > kMaxAddedTokens) {
      return refuse("has {} added tokens, the limit is {}", added->get_array().size(), kMaxAddedTokens);
    }
    for (const value& entry : added->get_array()) GLYPH_RETURN_IF_ERROR(read_added_token(entry));
    return {};
  }

  Status read_added_token(const value& entry) {
    if (!entry.is_object()) return refuse("an added token is not an object");
    const object& json = entry.get_object();
    const value* content = member(json, "content");
    const value* id = member(json, "id");
    if (content == nullptr || !content->is_string() || content->get_string().empty() || id == nullptr ||
        !id->is_int64()) {
      return refuse("an added token lacks its \"content\" or its \"id\"");
    }
    AddedToken token;
    token.content = view(content->get_string());
    token.special = flag(json, "special");
    token.normalized = flag(json, "normalized");
    token.single_word = flag(json, "single_word");
    token.lstrip = flag(json, "lstrip");
    token.rstrip = flag(json, "rstrip");
    const auto known = ids_.find(token.content);
    if (known != ids_.end() && known->second != id->get_int64()) {
      return refuse("the added token \"{:.60}\" has the id {}, but the vocabulary says {}", token.content,
                    id->get_int64(), known->second);
    }
    if (known == ids_.end()) GLYPH_RETURN_IF_ERROR(place(token.content, id->get_int64()));
    token.id = static_cast<int32_t>(id->get_int64());
    for (const int32_t byte_id : spec_.byte_ids) {
      if (byte_id == token.id)
        return refuse("the added token \"{:.60}\" is also the token of one byte", token.content);
    }
    ids_.emplace(view(content->get_string()), token.id);
    spec_.added.push_back(std::move(token));
    return {};
  }

  Status check_decoder() const {
    const value* decoder = member(root_, "decoder");
    const value* type =
        decoder != nullptr && decoder->is_object() ? member(decoder->get_object(), "type") : nullptr;
    if (type != nullptr && type->is_string() && view(type->get_string()) == "ByteLevel") return {};
    return refuse("the decoder is not ByteLevel, the only supported one");
  }

  const object& root_;
  std::string where_;
  TokenizerSpec spec_;
  std::unordered_map<std::string_view, int32_t> ids_;  // keys live in root_
};

}  // namespace

Result<TokenizerSpec> parse_tokenizer_json(std::string_view json, const std::string& where) {
  if (json.size() > kMaxTokenizerBytes) {
    return refused(fmt::format("{}: has {} bytes, the limit is {}", where, json.size(), kMaxTokenizerBytes));
  }
  boost::json::monotonic_resource arena;
  boost::json::parse_options options;
  options.max_depth = 32;
  boost::system::error_code error;
  const value root = boost::json::parse({json.data(), json.size()}, error, &arena, options);
  if (error) return refused(fmt::format("{}: is not valid JSON: {}", where, error.message()));
  if (!root.is_object()) return refused(fmt::format("{}: the top level is not a JSON object", where));
  return SpecReader(root.get_object(), where).read();
}

}  // namespace glyph
