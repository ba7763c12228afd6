#include "weights/stand_in.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <set>

#include "base/byte_alphabet.h"

namespace glyph {
namespace {

namespace json = boost::json;

constexpr int32_t kNumBytes = 256;
constexpr int64_t kWindowTokens = int64_t{1} << 18;
constexpr int64_t kMaxPixels = 36'000'000;
constexpr std::array kControlTokens{"<|endoftext|>", "[gMASK]",       "<sop>",           "<|system|>",
                                    "<|user|>",      "<|assistant|>", "<|observation|>"};

json::object added_token(std::string_view content, int32_t id) {
  return {{"id", id},          {"content", content}, {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false},  {"special", true}};
}

// The control tokens and their ids; kRefused when there are not enough.
Result<json::array> control_tokens(const ModelConfig& config) {
  std::set<int32_t> taken(config.eos_token_ids.begin(), config.eos_token_ids.end());
  json::array tokens;
  for (const auto& [content, id] : {std::pair{"<|begin_of_image|>", config.image_start_token_id},
                                    {"<|image|>", config.image_token_id},
                                    {"<|end_of_image|>", config.image_end_token_id}}) {
    if (id < kNumBytes || id >= config.text.vocab_size) {
      return refused(fmt::format("random weights: {} has id {}; a tokenizer of bytes needs it between {} and {}",
                                 content, id, kNumBytes, config.text.vocab_size - 1));
    }
    taken.insert(id);
    tokens.push_back(added_token(content, id));
  }
  int64_t next = config.text.vocab_size - 1;
  for (const char* content : kControlTokens) {
    while (taken.contains(static_cast<int32_t>(next))) --next;
    if (next < kNumBytes) {
      return refused(fmt::format("random weights: a vocabulary of {} is too small for a tokenizer of bytes",
                                 config.text.vocab_size));
    }
    tokens.push_back(added_token(content, static_cast<int32_t>(next--)));
  }
  return tokens;
}

}  // namespace

ModelConfig stand_in_config() {
  ModelConfig config;
  config.text.partial_rotary_factor = 0.5;
  config.text.max_position_embeddings = kWindowTokens;
  config.eos_token_ids = {151329, 151336, 151338, 151348};
  return config;
}

GenerationConfig stand_in_generation(const ModelConfig& config) {
  GenerationConfig generation;
  generation.stop_ids = config.eos_token_ids;
  return generation;
}

PreprocessorConfig stand_in_preprocessor(const ModelConfig& config) {
  PreprocessorConfig preprocessor;
  preprocessor.patch_size = config.vision.patch_size;
  preprocessor.temporal_patch_size = config.vision.temporal_patch_size;
  preprocessor.merge_size = config.vision.spatial_merge_size;
  preprocessor.max_pixels = kMaxPixels * config.vision.temporal_patch_size;
  return preprocessor;
}

Result<std::string> stand_in_tokenizer_json(const ModelConfig& config) {
  GLYPH_ASSIGN_OR_RETURN(json::array added, control_tokens(config));
  json::object vocab;
  for (int32_t byte = 0; byte < kNumBytes; ++byte) vocab[spelling_of_bytes(std::string(1, static_cast<char>(byte)))] = byte;
  const json::object byte_level{
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  const json::object model{{"type", "BPE"}, {"vocab", std::move(vocab)}, {"merges", json::array{}}};
  return json::serialize(json::object{{"version", "1.0"},
                                      {"added_tokens", std::move(added)},
                                      {"normalizer", nullptr},
                                      {"pre_tokenizer", byte_level},
                                      {"post_processor", nullptr},
                                      {"decoder", byte_level},
                                      {"model", model}});
}

}  // namespace glyph
