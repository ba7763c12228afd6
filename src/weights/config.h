// What a Hugging Face model directory says about a Glm4v model: config.json, generation_config.json,
// preprocessor_config.json.
//
// Names and defaults are those of transformers' Glm4vConfig, Glm4vVisionConfig, Glm4vTextConfig and
// Glm4vImageProcessor. A value this program cannot compute with (another hidden_act, another model_type, a
// scaled rotary embedding) is refused with a sentence that names file, key and value; so is a size outside
// the stated range, so that products of sizes never overflow 64 bits.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "glyph/status.h"

namespace glyph {

// The encoder of pages. Defaults are those of GLM-4.1V-9B.
struct VisionConfig {
  int64_t depth = 24;  // blocks
  int64_t hidden_size = 1536;
  int64_t num_heads = 12;
  int64_t in_channels = 3;
  int64_t image_size = 336;         // pixels; the position table has (image_size / patch_size)^2 rows
  int64_t patch_size = 14;          // pixels
  int64_t temporal_patch_size = 2;  // frames; a page is repeated this often
  int64_t spatial_merge_size = 2;   // patches a side that become one image token
  int64_t out_hidden_size =
      4096;  // width of a feature, and of the SwiGLU inside a block (reference: Glm4VisionMlp)
  int64_t intermediate_size = 13696;  // SwiGLU of the merger
  bool attention_bias = false;        // bias of the fused qkv projection
  float rms_norm_eps = 1e-5f;
  double rope_theta = 10000.0;  // axial 2-D rotary embedding

  int64_t head_dim() const { return hidden_size / num_heads; }
  int64_t patch_dim() const { return in_channels * temporal_patch_size * patch_size * patch_size; }
  int64_t positions_per_side() const { return image_size / patch_size; }
  int64_t pixels_per_token_side() const { return patch_size * spatial_merge_size; }
};

// The language model. Defaults are those of GLM-4.1V-9B.
struct TextConfig {
  int64_t vocab_size = 151552;
  int64_t hidden_size = 4096;
  int64_t intermediate_size = 13696;
  int64_t num_layers = 40;
  int64_t num_heads = 32;
  int64_t num_kv_heads = 2;
  int64_t max_position_embeddings = 32768;  // context window in tokens
  float rms_norm_eps = 1e-5f;
  double rope_theta = 10000.0;
  double partial_rotary_factor = 1.0;               // share of head_dim that rotates; the 9B says 0.5
  std::array<int64_t, 3> mrope_section{8, 12, 12};  // time, height, width; sums to rotary_dim() / 2

  int64_t head_dim() const { return hidden_size / num_heads; }
  int64_t rotary_dim() const {
    return static_cast<int64_t>(static_cast<double>(head_dim()) * partial_rotary_factor);
  }
};

struct ModelConfig {
  VisionConfig vision;
  TextConfig text;
  int32_t image_token_id = 151343;  // the placeholder one feature replaces
  int32_t video_token_id = 151344;
  int32_t image_start_token_id = 151339;
  int32_t image_end_token_id = 151340;
  int32_t video_start_token_id = 151341;
  int32_t video_end_token_id = 151342;
  bool tie_word_embeddings = false;    // the head is the embedding table; there is no lm_head.weight
  std::vector<int32_t> eos_token_ids;  // as config.json has them; generation_config.json comes first
  std::vector<std::string>
      scripts;  // own key: Unicode scripts the model reads ("Latin", "Han"); empty = not said
  std::optional<double> page_dpi;  // own key: dots an inch at which it reads pages best
};

// How to generate unless the request says otherwise. Absent keys have the library's defaults.
struct GenerationConfig {
  std::vector<int32_t> stop_ids;  // eos_token_id, one number or a list
  bool do_sample = false;         // false: greedy, whatever temperature, top_k and top_p say
  double temperature = 1.0;
  int64_t top_k = 50;  // 0: off
  double top_p = 1.0;
  double repetition_penalty = 1.0;
  std::optional<int64_t> max_new_tokens;
};

// How pixels become patches. Defaults are those of Glm4vImageProcessor.
struct PreprocessorConfig {
  int64_t patch_size = 14;
  int64_t temporal_patch_size = 2;
  int64_t merge_size = 2;
  int64_t min_pixels = 112 * 112;        // size.shortest_edge; pixels counted over temporal_patch_size frames
  int64_t max_pixels = 28 * 28 * 15000;  // size.longest_edge; likewise
  double rescale_factor = 1.0 / 255.0;
  std::array<double, 3> image_mean{0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> image_std{0.26862954, 0.26130258, 0.27577711};
};

// Each reads one file of `dir`. Errors: kNotFound (no config.json), kRefused (damaged, unsupported or out of
// range).
Result<ModelConfig> load_model_config(const std::filesystem::path& dir);
// Without generation_config.json: the defaults, with the stop ids of config.json.
Result<GenerationConfig> load_generation_config(const std::filesystem::path& dir, const ModelConfig& model);
// Reads preprocessor_config.json, or "image_processor" of processor_config.json, or gives the defaults. The
// sizes must agree with the vision model's.
Result<PreprocessorConfig> load_preprocessor_config(const std::filesystem::path& dir,
                                                    const ModelConfig& model);

// The same from text; `where` names the source in messages.
Result<ModelConfig> parse_model_config(std::string_view json, const std::string& where);
Result<GenerationConfig> parse_generation_config(std::string_view json, const std::string& where,
                                                 const ModelConfig& model);
Result<PreprocessorConfig> parse_preprocessor_config(std::string_view json, const std::string& where,
                                                     const ModelConfig& model);

}  // namespace glyph
