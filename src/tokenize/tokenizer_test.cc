#include "tokenize/tokenizer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <random>
#include <thread>

#include "base/byte_alphabet.h"
#include "base/text_file.h"
#include "base/utf8.h"
#include "tokenize/bench_tokenize.h"
#include "tokenize/detokenizer.h"
#include "tokenize/utf8_scan.h"

namespace glyph {
namespace {

using boost::json::value;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string read_test_file(const std::string& name) {
  const auto text = read_file("tests/tokenize/" + name, 1 << 20);
  EXPECT_TRUE(text.ok()) << text.status().message();
  return text.ok() ? *text : "";
}

Tokenizer load(const std::string& name) {
  auto tokenizer = Tokenizer::parse(read_test_file(name), name);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  return *std::move(tokenizer);
}

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

std::string streamed(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, bool skip_special) {
  Detokenizer stream(tokenizer, {.skip_special = skip_special, .keep = {}});
  std::string text;
  for (const int32_t id : ids) {
    const std::string piece = stream.push(id);
    EXPECT_TRUE(is_valid_utf8(piece));
    text += piece;
  }
  return text + stream.flush();
}

// ids and texts of the reference for every kind of tokenizer (tools/tokenizer_oracle/oracle.py golden).
TEST(Tokenizer, AgreesWithTheReference) {
  const value golden = boost::json::parse(read_test_file("golden.json"));
  std::unordered_map<std::string, Tokenizer> tokenizers;
  size_t num_cases = 0;
  for (const value& entry : golden.at("cases").as_array()) {
    const std::string name(entry.at("tokenizer").as_string());
    if (!tokenizers.contains(name)) tokenizers.emplace(name, load(name));
    const Tokenizer& tokenizer = tokenizers.at(name);
    const std::string text = from_hex(entry.at("hex").as_string());
    const auto ids = boost::json::value_to<std::vector<int32_t>>(entry.at("ids"));
    EXPECT_EQ(tokenizer.encode(text), ids) << name << ": " << text;
    for (const bool skip : {true, false}) {
      const std::string decoded = from_hex(entry.at(skip ? "text" : "text_all").as_string());
      EXPECT_EQ(tokenizer.decode(ids, skip), decoded) << name;
      EXPECT_EQ(streamed(tokenizer, ids, skip), decoded) << name;
    }
    ++num_cases;
  }
  EXPECT_EQ(tokenizers.size(), 6u);
  EXPECT_GT(num_cases, 100u);
}

TEST(Tokenizer, LooksTokensUp) {
  const Tokenizer tokenizer = load("glm4.tokenizer.json");
  const int32_t user = *tokenizer.token_id("<|user|>");
  EXPECT_TRUE(tokenizer.is_added(user) && tokenizer.is_special(user));
  EXPECT_EQ(*tokenizer.id_to_token(user), "<|user|>");
  const int32_t think = *tokenizer.token_id("<think>");
  EXPECT_TRUE(tokenizer.is_added(think) && !tokenizer.is_special(think));
  const int32_t space = *tokenizer.token_id("\xC4\xA0");  // "Ġ"
  EXPECT_EQ(tokenizer.token_bytes(space), " ");
  EXPECT_FALSE(tokenizer.is_added(space));
  EXPECT_EQ(tokenizer.token_id("no such token"), std::nullopt);
  for (const int32_t id : {-1, tokenizer.vocab_size(), 1 << 30}) {
    EXPECT_EQ(tokenizer.id_to_token(id), std::nullopt);
    EXPECT_TRUE(tokenizer.token_bytes(id).empty());
    EXPECT_FALSE(tokenizer.is_added(id) || tokenizer.is_special(id));
    EXPECT_EQ(tokenizer.decode(std::vector<int32_t>{id, space}), " ");
  }
  EXPECT_EQ(tokenizer.vocab_size(), 876);
}

TEST(Tokenizer, PlainTextNeverBecomesAControlToken) {
  for (const char* name : {"glm4", "qwen2", "cl100k", "gpt2", "digits", "deepseek"}) {
    const Tokenizer tokenizer = load(fmt::format("{}.tokenizer.json", name));
    std::string text = "a ";
    for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
      if (tokenizer.is_added(id)) text += *tokenizer.id_to_token(id) + " ";
    }
    const std::vector<int32_t> ids = tokenizer.encode_plain(text);
    for (const int32_t id : ids) EXPECT_FALSE(tokenizer.is_added(id)) << *tokenizer.id_to_token(id);
    EXPECT_THAT(tokenizer.decode(ids), HasSubstr("<|user|>"));
    int added = 0;
    for (const int32_t id : tokenizer.encode(text)) added += tokenizer.is_added(id);
    EXPECT_GE(added, 16) << name;
  }
}

// A small tokenizer.json: all bytes, "ab" and "abc" by merging, and what `extra` puts in.
std::string small_json(const std::string& model_extra = "", const std::string& added = "",
                       const std::string& vocab_extra = "", const std::string& merges_extra = "") {
  boost::json::object vocab;
  for (int byte = 0; byte < 256; ++byte) {
    const char one = static_cast<char>(byte);
    vocab[spelling_of_bytes({&one, 1})] = byte;
  }
  std::string entries = boost::json::serialize(vocab);
  entries.pop_back();
  return fmt::format(
      R"({{"added_tokens":[{}],"normalizer":null,"pre_tokenizer":{{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}},)"
      R"("decoder":{{"type":"ByteLevel"}},"model":{{"type":"BPE",{}"vocab":{},"ab":256,"abc":257{}}},"merges":["a b","ab c"{}]}}}})",
      added, model_extra, entries, vocab_extra, merges_extra);
}

std::string refusal(const std::string& json) {
  const auto tokenizer = Tokenizer::parse(json, "t");
  return tokenizer.ok() ? "" : tokenizer.status().message();
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Tokenizer, MergesThatSpellAControlTokenAreUndoneInPlainText) {
  const std::string added = R"({"id":257,"content":"abc","special":true})";
  const auto tokenizer = Tokenizer::parse(small_json("", added), "t");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  EXPECT_THAT(tokenizer->encode("abc"), ElementsAre(257));
  EXPECT_THAT(tokenizer->encode_plain("abc ab"), ElementsAre('a', 'b', 'c', ' ', 256));
  const auto whole = Tokenizer::parse(
      small_json(R"("ignore_merges":true,)", R"({"id":258,"content":"xyz"})", R"(,"xyz":258)"), "t");
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  EXPECT_THAT(whole->encode_plain("xyz"), ElementsAre('x', 'y', 'z'));
}

TEST(Tokenizer, ALaterMergeOfAPairReplacesTheEarlier) {
  const auto tokenizer = Tokenizer::parse(small_json("", "", R"(,"bc":258)", R"(,"b c","a b")"), "t");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  EXPECT_THAT(tokenizer->encode("abc"), ElementsAre('a', 258));
}

TEST(Tokenizer, RefusesWhatItDoesNotSupport) {
  const std::string good = small_json();
  EXPECT_EQ(refusal(good), "");
  EXPECT_THAT(refusal(replaced(good, "\"BPE\"", "\"Unigram\"")), HasSubstr("not BPE"));
  EXPECT_THAT(refusal(small_json(R"("byte_fallback":true,)")),
              HasSubstr("\"byte_fallback\" is not supported"));
  EXPECT_THAT(refusal(small_json(R"("dropout":0.1,)")), HasSubstr("\"dropout\""));
  EXPECT_THAT(refusal(small_json(R"("end_of_word_suffix":"</w>",)")), HasSubstr("\"end_of_word_suffix\""));
  EXPECT_THAT(refusal(replaced(good, R"("normalizer":null)", R"("normalizer":{"type":"Lowercase"})")),
              HasSubstr("the normalizer \"Lowercase\""));
  EXPECT_THAT(refusal(replaced(good, R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":true})",
                               R"({"type":"Metaspace"})")),
              HasSubstr("ByteLevel must be"));
  EXPECT_THAT(
      refusal(replaced(good, R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":true})", "null")),
      HasSubstr("pre_tokenizer is null"));
  EXPECT_THAT(refusal(replaced(good, R"("decoder":{"type":"ByteLevel"})", R"("decoder":{"type":"Fuse"})")),
              HasSubstr("decoder is not ByteLevel"));
}

TEST(Tokenizer, RefusesDamage) {
  const std::string good = small_json();
  EXPECT_THAT(refusal(""), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal("{}"), HasSubstr("no \"model\" object"));
  EXPECT_THAT(refusal(replaced(good, "\"abc\":257", "\"abc\":256")), HasSubstr("the id 256 belongs to both"));
  EXPECT_THAT(refusal(replaced(good, "\"abc\":257", "\"abc\":4000000000")),
              HasSubstr("outside 0 to 1048576"));
  EXPECT_THAT(refusal(replaced(good, "\"abc\":257", "\"abc\":-1")), HasSubstr("has the id -1"));
  EXPECT_THAT(refusal(replaced(good, "\"abc\":257", "\"abc\":1.5")), HasSubstr("not a whole number"));
  EXPECT_THAT(refusal(replaced(good, "\"!\":33,", "")), HasSubstr("no token for the byte 0x21"));
  EXPECT_THAT(refusal(replaced(good, "\"ab c\"", "\"ab d\"")),
              HasSubstr("the merge of \"ab\" and \"d\" is not covered"));
  EXPECT_THAT(refusal(replaced(good, "\"ab c\"", "\"abc\"")), HasSubstr("a merge is neither"));
  EXPECT_THAT(refusal(replaced(good, "\"ab c\"", "\"a b c\"")), HasSubstr("a merge is neither"));
  EXPECT_THAT(refusal(replaced(good, "\"ab c\"", "[\"a\"]")), HasSubstr("a merge is neither"));
  EXPECT_THAT(refusal(small_json("", R"({"id":300})")), HasSubstr("lacks its \"content\""));
  EXPECT_THAT(refusal(small_json("", R"({"id":255,"content":"<x>"})")),
              HasSubstr("the id 255 belongs to both"));
  EXPECT_THAT(refusal(small_json("", R"({"id":300,"content":"abc"})")),
              HasSubstr("has the id 300, but the vocabulary says 257"));
  EXPECT_THAT(refusal(small_json("", R"({"id":97,"content":"a"})")),
              HasSubstr("is also the token of one byte"));
}

TEST(Tokenizer, PathologicalFilesAreRefused) {
  EXPECT_THAT(refusal(std::string(1'000'000, '[')), HasSubstr("not valid JSON"));
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += R"({"a":)";
  EXPECT_THAT(refusal(deep), HasSubstr("not valid JSON"));
  std::string nested = R"({"type":"ByteLevel"})";
  for (int i = 0; i < 12; ++i)
    nested = R"({"type":"Sequence","pretokenizers":[)" + nested + "," + nested + "]}";
  EXPECT_THAT(refusal(replaced(small_json(),
                               R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":true})", nested)),
              ::testing::AnyOf(HasSubstr("more than 32 steps"), HasSubstr("not valid JSON")));
  const std::string patterns[] = {
      "(a*)*", "a|", "\\\\w+", "^a", "(?<n>a)\\\\k<n>", "[a&&b]", "a{1,3}+", "(?i:stra\xC3\x9F)", "("};
  for (const std::string& pattern : patterns) {
    const std::string split =
        R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":")" + pattern +
        R"("},"behavior":"Isolated"},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]})";
    EXPECT_THAT(refusal(replaced(small_json(),
                                 R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":true})", split)),
                HasSubstr("the pattern"))
        << pattern;
  }
}

// Nothing here may take quadratic time or leave the stack.
TEST(Tokenizer, PathologicalTexts) {
  for (const char* name : {"glm4", "cl100k", "gpt2", "deepseek"}) {
    const Tokenizer tokenizer = load(fmt::format("{}.tokenizer.json", name));
    for (const std::string unit : {"a", " ", "\n", " \n", "\r", "=", "1", "'", "\xE4\xB8\x80", "\xFF",
                                   "<|user|", "<", "\xF0\x9F\x98\x80"}) {
      std::string text;
      while (text.size() < 200'000) text += unit;
      const std::vector<int32_t> ids = tokenizer.encode_plain(text);
      EXPECT_EQ(tokenizer.decode(ids), sanitize_utf8(text)) << name << " " << unit;
    }
  }
}

// The short and the long way through BPE must agree: a piece with and without a neighbour that makes it long.
TEST(Tokenizer, LongPiecesMergeLikeShortOnes) {
  const Tokenizer tokenizer = load("glm4.tokenizer.json");
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    std::string word;
    while (word.size() < 60) word += "theandingofto"[random() % 13];
    const std::vector<int32_t> once = tokenizer.encode_plain(word);
    // U+00DF ("ß") is a letter no merge of this vocabulary crosses, so its neighbours merge on their own.
    std::string joined = word + "\xC3\x9F" + word + "\xC3\x9F" + word;
    ASSERT_GT(joined.size(), 96u);
    const std::vector<int32_t> sharp = tokenizer.encode_plain("\xC3\x9F");
    std::vector<int32_t> expected = once;
    for (int i = 0; i < 2; ++i) {
      expected.insert(expected.end(), sharp.begin(), sharp.end());
      expected.insert(expected.end(), once.begin(), once.end());
    }
    ASSERT_EQ(tokenizer.encode_plain(joined), expected) << word;
  }
}

TEST(Tokenizer, ManyThreadsShareOne) {
  const Tokenizer tokenizer = load("glm4.tokenizer.json");
  const std::string text = "It's 12345 words, <|user|> and \xE9\xA2\x84\xE7\xAE\x97.  \n\n End";
  const std::vector<int32_t> expected = tokenizer.encode(text);
  std::vector<std::thread> threads;
  std::array<int, 4> wrong{};
  for (size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) wrong[t] += tokenizer.encode(text) != expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, ElementsAre(0, 0, 0, 0));
}

TEST(Tokenizer, BenchReportsRates) {
  const Tokenizer tokenizer = load("glm4.tokenizer.json");
  const TokenizeRate rate = bench_tokenize(tokenizer, "Some text to measure, again and again.", 0.01);
  EXPECT_GT(rate.encode_mb_per_s, 0.0);
  EXPECT_GT(rate.decode_mb_per_s, 0.0);
  EXPECT_GT(rate.bytes_per_token, 1.0);
}

// Every sequence of up to four of the bytes that matter, against the plain decoder.
TEST(Utf8Scan, RepairsLikeThePlainDecoder) {
  constexpr unsigned char kBytes[] = {'a',  0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2,
                                      0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF3, 0xF4, 0xF5, 0xFF};
  constexpr size_t kCount = std::size(kBytes);
  for (size_t code = 0; code < kCount * kCount * kCount * kCount; ++code) {
    std::string text = "ascii...";
    for (size_t rest = code, i = 0; i < 4; ++i, rest /= kCount)
      text += static_cast<char>(kBytes[rest % kCount]);
    std::string storage;
    ASSERT_EQ(repair_utf8(text, storage), sanitize_utf8(text)) << code;
  }
}

TEST(Detokenizer, NeverSplitsACharacter) {
  const auto tokenizer = Tokenizer::parse(
      small_json("",
                 R"({"id":300,"content":"<s>","special":true},{"id":301,"content":"<t>","special":true})"),
      "t");
  ASSERT_TRUE(tokenizer.ok());
  Detokenizer stream(*tokenizer, {.skip_special = true, .keep = {301}});
  EXPECT_EQ(stream.push(0xE9), "");
  EXPECT_EQ(stream.push(300), "");  // a skipped token does not end the character
  EXPECT_EQ(stream.push(0xA2), "");
  EXPECT_EQ(stream.push(0x84), "\xE9\xA2\x84");
  EXPECT_EQ(stream.push(0xF0), "");
  EXPECT_EQ(stream.push('a'),
            "\xEF\xBF\xBD"
            "a");
  EXPECT_EQ(stream.push(0xE9), "");
  EXPECT_EQ(stream.push(301), "\xEF\xBF\xBD<t>");
  EXPECT_EQ(stream.push(0xE0), "");
  EXPECT_EQ(stream.push(0x80), "\xEF\xBF\xBD\xEF\xBF\xBD");  // never well-formed
  EXPECT_EQ(stream.push(0xF4), "");
  EXPECT_EQ(stream.push(0x8F), "");
  EXPECT_EQ(stream.flush(), "\xEF\xBF\xBD");
  EXPECT_EQ(stream.push('b'), "b");
}

TEST(Detokenizer, EqualsBatchDecodingOnRandomBytes) {
  const auto tokenizer = Tokenizer::parse(small_json(), "t");
  ASSERT_TRUE(tokenizer.ok());
  std::mt19937 random(3);
  constexpr int32_t kBytes[] = {'a',  0x80, 0xBF, 0xC3, 0xE0, 0xA0, 0xED,
                                0x9F, 0xF0, 0x90, 0xF4, 0x8F, 0xFF, 256};
  for (int round = 0; round < 5000; ++round) {
    std::vector<int32_t> ids;
    for (int i = 0; i < 8; ++i) ids.push_back(kBytes[random() % std::size(kBytes)]);
    ASSERT_EQ(streamed(*tokenizer, ids, true), tokenizer->decode(ids)) << ::testing::PrintToString(ids);
  }
}

}  // namespace
}  // namespace glyph
