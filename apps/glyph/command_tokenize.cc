// glyph tokenize: text on stdin -> one line of JSON with its ids; --decode: ids on stdin -> text.
#include <boost/json.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "command.h"
#include "json_text.h"
#include "model_dir.h"
#include "output.h"
#include "tokenize/tokenizer.h"

namespace glyph {
namespace {

namespace json = boost::json;

constexpr size_t kMaxInputBytes = size_t{1} << 30;

struct TokenizeArguments {
  bool decode = false;
  bool plain = false;
};

Result<std::string> read_stdin() {
  std::string text;
  std::vector<char> buffer(size_t{1} << 16);
  while (const size_t count = std::fread(buffer.data(), 1, buffer.size(), stdin)) {
    if (text.size() + count > kMaxInputBytes) {
      return refused(fmt::format("stdin: has more than {} bytes, which is the limit", kMaxInputBytes));
    }
    text.append(buffer.data(), count);
  }
  if (std::ferror(stdin) != 0) return internal_error("stdin: cannot be read");
  return text;
}

Result<std::vector<int32_t>> parse_ids(const std::string& text, const Tokenizer& tokenizer) {
  json::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_array()) return refused("stdin: is not a JSON array of token ids");
  std::vector<int32_t> ids;
  for (const json::value& item : value.get_array()) {
    if (!item.is_int64() || item.get_int64() < 0 || item.get_int64() >= tokenizer.vocab_size()) {
      return refused(fmt::format("stdin: {} is not an id from 0 to {}", json_text(item), tokenizer.vocab_size() - 1));
    }
    ids.push_back(static_cast<int32_t>(item.get_int64()));
  }
  return ids;
}

std::string ids_line(const std::vector<int32_t>& ids) {
  std::string line = "[";
  for (const int32_t id : ids) {
    if (line.size() > 1) line += ',';
    line += std::to_string(id);
  }
  return line + "]\n";
}

Result<int> run_tokenize(Context& context, const TokenizeArguments& arguments) {
  context.interrupt.exit_at_once();
  GLYPH_ASSIGN_OR_RETURN(const std::filesystem::path dir, find_model_dir(context.settings));
  GLYPH_ASSIGN_OR_RETURN(const Tokenizer tokenizer, Tokenizer::load(dir));
  GLYPH_ASSIGN_OR_RETURN(const std::string text, read_stdin());
  if (!arguments.decode) {
    GLYPH_RETURN_IF_ERROR(write_stdout(ids_line(arguments.plain ? tokenizer.encode_plain(text) : tokenizer.encode(text))));
    return 0;
  }
  GLYPH_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, parse_ids(text, tokenizer));
  GLYPH_RETURN_IF_ERROR(write_stdout(tokenizer.decode(ids, false)));
  return 0;
}

}  // namespace

Command tokenize_command() {
  auto given = std::make_shared<TokenizeArguments>();
  return {"tokenize", "Text on stdin to token ids, one line of JSON; or back.",
          [given](Arguments& arguments) {
            arguments.flag(given->decode, {"--decode", "a JSON array of ids on stdin to text", ""});
            arguments.flag(given->plain, {"--plain", "as a user's text in a prompt: nothing becomes a control token", ""});
            arguments.settings({"model"});
          },
          [given](Context& context) { return run_tokenize(context, *given); }};
}

}  // namespace glyph
