#include "support/tiny_model.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <array>
#include <limits>
#include <random>

#include "base/byte_alphabet.h"
#include "base/text_file.h"
#include "weights/config.h"
#include "weights/safetensors_writer.h"
#include "weights/tensor_list.h"

namespace glyph {
namespace {

namespace json = boost::json;

constexpr int kNumBytes = 256;
constexpr std::array kControlTokens{"<|endoftext|>",      "[gMASK]",   "<sop>",            "<|system|>",
                                    "<|user|>",           "<|assistant|>", "<|observation|>", "<|begin_of_image|>",
                                    "<|image|>",          "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>"};

int64_t id_of(std::string_view token) {
  for (size_t i = 0; i < kControlTokens.size(); ++i) {
    if (token == kControlTokens[i]) return kNumBytes + static_cast<int64_t>(i);
  }
  return 0;
}

json::object config_json(const TinyModelOptions& options) {
  const json::object text{{"hidden_size", 64},        {"intermediate_size", 96}, {"num_hidden_layers", 2},
                          {"num_attention_heads", 4}, {"num_key_value_heads", 2}, {"vocab_size", 272},
                          {"max_position_embeddings", options.window},
                          {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 10000.0}, {"partial_rotary_factor", 0.5},
                                               {"mrope_section", {2, 1, 1}}}}};
  const json::object vision{{"depth", 1}, {"hidden_size", 32}, {"num_heads", 2}, {"out_hidden_size", 64}, {"intermediate_size", 64}};
  json::object config{{"model_type", "glm4v"},
                      {"text_config", text},
                      {"vision_config", vision},
                      {"tie_word_embeddings", false},
                      {"eos_token_id", {id_of("<|endoftext|>"), id_of("<|user|>"), id_of("<|observation|>")}}};
  for (const auto& [key, token] : {std::pair{"image_token_id", "<|image|>"}, {"image_start_token_id", "<|begin_of_image|>"},
                                   {"image_end_token_id", "<|end_of_image|>"}, {"video_start_token_id", "<|begin_of_video|>"},
                                   {"video_end_token_id", "<|end_of_video|>"}, {"video_token_id", "<|image|>"}}) {
    config[key] = id_of(token);
  }
  if (!options.scripts.empty()) config["scripts"] = json::value_from(options.scripts);
  if (options.page_dpi > 0) config["page_dpi"] = options.page_dpi;
  return config;
}

json::object tokenizer_json() {
  json::object vocab;
  for (int byte = 0; byte < kNumBytes; ++byte) vocab[spelling_of_bytes(std::string(1, static_cast<char>(byte)))] = byte;
  json::array added;
  for (const char* token : kControlTokens) {
    added.push_back({{"id", id_of(token)}, {"content", token}, {"single_word", false}, {"lstrip", false}, {"rstrip", false},
                     {"normalized", false}, {"special", true}});
  }
  const json::object byte_level{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", std::move(added)},
          {"normalizer", nullptr},
          {"pre_tokenizer", byte_level},
          {"post_processor", nullptr},
          {"decoder", byte_level},
          {"model", {{"type", "BPE"}, {"dropout", nullptr}, {"unk_token", nullptr}, {"continuing_subword_prefix", nullptr},
                     {"end_of_word_suffix", nullptr}, {"fuse_unk", false}, {"byte_fallback", false}, {"vocab", std::move(vocab)},
                     {"merges", json::array{}}}}};
}

Status write_weights(const std::filesystem::path& file, const ModelConfig& config, const TinyModelOptions& options) {
  std::mt19937 random(static_cast<uint32_t>(options.seed));
  std::normal_distribution<float> normal(0.0f, 0.2f);
  SafetensorsWriter writer;
  for (const ExpectedTensor& tensor : expected_tensors(config)) {
    int64_t count = 1;
    for (const int64_t size : tensor.shape) count *= size;
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = tensor.shape.size() == 1 ? 1.0f : normal(random);
    if (options.nan_weights && tensor.name == "model.language_model.norm.weight") {
      values.assign(values.size(), std::numeric_limits<float>::quiet_NaN());
    }
    if (options.nan_token >= 0 && tensor.name == "model.language_model.embed_tokens.weight") {
      const auto width = static_cast<size_t>(tensor.shape[1]);
      std::fill_n(values.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(options.nan_token) * width), width,
                  std::numeric_limits<float>::quiet_NaN());
    }
    writer.add_f32(tensor.name, tensor.shape, values);
  }
  return writer.write(file);
}

}  // namespace

Status write_tiny_model(const std::filesystem::path& dir, const TinyModelOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  const std::string config = json::serialize(config_json(options));
  GLYPH_ASSIGN_OR_RETURN(const ModelConfig model, parse_model_config(config, "config.json"));
  GLYPH_RETURN_IF_ERROR(write_file_atomically(dir / "config.json", config));
  GLYPH_RETURN_IF_ERROR(write_file_atomically(dir / "generation_config.json", "{\"do_sample\": false}"));
  GLYPH_RETURN_IF_ERROR(write_file_atomically(dir / "tokenizer.json", json::serialize(tokenizer_json())));
  return write_weights(dir / "model.safetensors", model, options);
}

}  // namespace glyph
