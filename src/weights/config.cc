#include "weights/config.h"

#include <fmt/format.h>

#include <limits>

#include "base/text_file.h"
#include "weights/config_reader.h"
#include "weights/json_file.h"

namespace glyph {
namespace {

using boost::json::object;

// Far above any published model, and small enough that hidden * vocabulary * 8 bytes stays below 2^63.
constexpr int64_t kMaxWidth = 1 << 20;
constexpr int64_t kMaxVocabulary = 1 << 24;
constexpr int64_t kMaxLayers = 4096;
constexpr int64_t kMaxContext = int64_t{1} << 30;
constexpr size_t kMaxConfigBytes = 16 << 20;

// The rotary parameters, in transformers 5's place ("rope_parameters") or the older one ("rope_scaling"
// beside "rope_theta").
struct Rope {
  std::string type = "default";
  double theta = 10000.0;
  double partial_factor = 1.0;
  std::array<int64_t, 3> section{8, 12, 12};
};

// Reference: RotaryEmbeddingConfigMixin.convert_rope_params_to_dict; the inner dictionary wins over the keys
// beside it.
Rope read_rope(ConfigReader& outer) {
  Rope rope;
  rope.theta = outer.number("rope_theta", rope.theta, 1.0, 1e12);
  rope.partial_factor = outer.number("partial_rotary_factor", rope.partial_factor, 0.0, 1.0);
  const bool old_spelling = outer.has("rope_scaling");
  const std::string_view key = old_spelling ? "rope_scaling" : "rope_parameters";
  const object* inner = outer.child(key);
  if (inner == nullptr) return rope;
  ConfigReader reader(fmt::format("{}: {}", outer.where(), key), *inner);
  rope.type = reader.string("rope_type", reader.string("type", "default"));
  rope.theta = reader.number("rope_theta", rope.theta, 1.0, 1e12);
  rope.partial_factor = reader.number("partial_rotary_factor", rope.partial_factor, 0.0, 1.0);
  reader.integers("mrope_section", rope.section, 0, kMaxWidth);
  if (!reader.status().ok()) outer.fail(key, "is not usable: " + reader.status().message());
  return rope;
}

void check_multiple(ConfigReader& reader, std::string_view key, int64_t value, std::string_view divisor_key,
                    int64_t divisor) {
  if (value % divisor != 0)
    reader.fail(key, fmt::format("is {}, not a multiple of \"{}\" {}", value, divisor_key, divisor));
}

Result<VisionConfig> read_vision(const std::string& where, const object& json) {
  ConfigReader reader(where, json);
  VisionConfig vision;
  reader.require_text("hidden_act", "silu", "silu");
  vision.depth = reader.integer("depth", vision.depth, 1, kMaxLayers);
  vision.hidden_size = reader.integer("hidden_size", vision.hidden_size, 4, kMaxWidth);
  vision.num_heads = reader.integer(reader.has("num_heads") ? "num_heads" : "num_attention_heads",
                                    vision.num_heads, 1, kMaxWidth);
  vision.in_channels = reader.integer("in_channels", vision.in_channels, 1, 16);
  vision.image_size = reader.integer("image_size", vision.image_size, 1, 1 << 16);
  vision.patch_size = reader.integer("patch_size", vision.patch_size, 1, 1024);
  vision.temporal_patch_size = reader.integer("temporal_patch_size", vision.temporal_patch_size, 1, 64);
  vision.spatial_merge_size = reader.integer("spatial_merge_size", vision.spatial_merge_size, 1, 64);
  vision.out_hidden_size = reader.integer("out_hidden_size", vision.out_hidden_size, 1, kMaxWidth);
  vision.intermediate_size = reader.integer("intermediate_size", vision.intermediate_size, 1, kMaxWidth);
  vision.attention_bias = reader.boolean("attention_bias", vision.attention_bias);
  vision.rms_norm_eps = static_cast<float>(reader.number("rms_norm_eps", vision.rms_norm_eps, 0.0, 1.0));
  const Rope rope = read_rope(reader);
  vision.rope_theta = rope.theta;
  if (rope.type != "axial" && rope.type != "default")
    reader.fail("rope_type", fmt::format("is \"{:.60}\"; only \"axial\" is supported", rope.type));
  check_multiple(reader, "hidden_size", vision.hidden_size, "num_heads", vision.num_heads);
  if (vision.head_dim() % 4 != 0)
    reader.fail("hidden_size", fmt::format("gives heads of {}, not a multiple of 4", vision.head_dim()));
  if (vision.image_size < vision.patch_size)
    reader.fail("image_size",
                fmt::format("is {}, below \"patch_size\" {}", vision.image_size, vision.patch_size));
  if (!reader.status().ok()) return reader.status();
  return vision;
}

void check_rotary(ConfigReader& reader, const TextConfig& text, const Rope& rope) {
  if (rope.type != "default")
    reader.fail("rope_type", fmt::format("is \"{:.60}\"; only \"default\" is supported", rope.type));
  if (text.rotary_dim() < 2 || text.rotary_dim() % 2 != 0) {
    reader.fail(
        "partial_rotary_factor",
        fmt::format("is {}, which rotates {} of {} numbers a head; an even count of at least 2 is needed",
                    text.partial_rotary_factor, text.rotary_dim(), text.head_dim()));
  }
  const int64_t sum = rope.section[0] + rope.section[1] + rope.section[2];
  if (sum != text.rotary_dim() / 2) {
    reader.fail("mrope_section", fmt::format("sums to {}, not to half of the {} rotated numbers a head", sum,
                                             text.rotary_dim()));
  }
}

Result<TextConfig> read_text(const std::string& where, const object& json) {
  ConfigReader reader(where, json);
  TextConfig text;
  reader.require_text("hidden_act", "silu", "silu");
  text.vocab_size = reader.integer("vocab_size", text.vocab_size, 1, kMaxVocabulary);
  text.hidden_size = reader.integer("hidden_size", text.hidden_size, 2, kMaxWidth);
  text.intermediate_size = reader.integer("intermediate_size", text.intermediate_size, 1, kMaxWidth);
  text.num_layers = reader.integer("num_hidden_layers", text.num_layers, 1, kMaxLayers);
  text.num_heads = reader.integer("num_attention_heads", text.num_heads, 1, kMaxWidth);
  const bool kv_is_null = json.contains("num_key_value_heads") && !reader.has("num_key_value_heads");
  text.num_kv_heads =
      reader.integer("num_key_value_heads", kv_is_null ? text.num_heads : text.num_kv_heads, 1, kMaxWidth);
  text.max_position_embeddings =
      reader.integer("max_position_embeddings", text.max_position_embeddings, 1, kMaxContext);
  text.rms_norm_eps = static_cast<float>(reader.number("rms_norm_eps", text.rms_norm_eps, 0.0, 1.0));
  const Rope rope = read_rope(reader);
  text.rope_theta = rope.theta;
  text.partial_rotary_factor = rope.partial_factor;
  text.mrope_section = rope.section;
  check_multiple(reader, "hidden_size", text.hidden_size, "num_attention_heads", text.num_heads);
  check_multiple(reader, "num_attention_heads", text.num_heads, "num_key_value_heads", text.num_kv_heads);
  const int64_t head_dim = reader.integer("head_dim", text.head_dim(), 1, kMaxWidth);
  if (head_dim != text.head_dim()) {
    reader.fail("head_dim", fmt::format("is {}; only hidden_size / num_attention_heads = {} is supported",
                                        head_dim, text.head_dim()));
  }
  check_rotary(reader, text, rope);
  if (!reader.status().ok()) return reader.status();
  return text;
}

// The keys of the top level that are not a sub-configuration.
Status read_top_level(const std::string& where, const object& json, const object& text_json,
                      ModelConfig* model) {
  ConfigReader reader(where, json);
  ConfigReader text(where + ": text_config", text_json);
  constexpr int64_t kMaxId = std::numeric_limits<int32_t>::max();
  const auto id = [&](std::string_view key, int32_t fallback) {
    return static_cast<int32_t>(reader.integer(key, fallback, 0, kMaxId));
  };
  model->image_token_id = id("image_token_id", model->image_token_id);
  model->video_token_id = id("video_token_id", model->video_token_id);
  model->image_start_token_id = id("image_start_token_id", model->image_start_token_id);
  model->image_end_token_id = id("image_end_token_id", model->image_end_token_id);
  model->video_start_token_id = id("video_start_token_id", model->video_start_token_id);
  model->video_end_token_id = id("video_end_token_id", model->video_end_token_id);
  // Saves from before transformers 5 have the tying flag and the stop ids inside text_config.
  model->tie_word_embeddings =
      reader.boolean("tie_word_embeddings", false) || text.boolean("tie_word_embeddings", false);
  model->eos_token_ids = reader.token_ids("eos_token_id");
  if (model->eos_token_ids.empty()) model->eos_token_ids = text.token_ids("eos_token_id");
  model->scripts = reader.strings("scripts", 64, 64);
  if (reader.has("page_dpi")) model->page_dpi = reader.number("page_dpi", 72, 18, 600);
  GLYPH_RETURN_IF_ERROR(text.status());
  return reader.status();
}

Status check_together(const std::string& where, const ModelConfig& model) {
  if (model.vision.out_hidden_size != model.text.hidden_size) {
    return refused(
        fmt::format("{}: vision_config \"out_hidden_size\" is {}, but text_config \"hidden_size\" is {}",
                    where, model.vision.out_hidden_size, model.text.hidden_size));
  }
  if (model.image_token_id >= model.text.vocab_size) {
    return refused(fmt::format("{}: \"image_token_id\" is {}, outside the vocabulary of {}", where,
                               model.image_token_id, model.text.vocab_size));
  }
  return {};
}

Status check_agrees(const std::string& where, std::string_view key, int64_t value, int64_t expected) {
  if (value == expected) return {};
  return refused(fmt::format("{}: \"{}\" is {}, but the vision model in config.json has {}", where, key,
                             value, expected));
}

Result<PreprocessorConfig> read_preprocessor(const object& json, const std::string& where,
                                             const ModelConfig& model) {
  ConfigReader reader(where, json);
  PreprocessorConfig config;
  for (const std::string_view step : {"do_resize", "do_rescale", "do_normalize"})
    reader.require_flag(step, true, true);
  if (reader.integer("resample", 3, 0, 100) != 3)
    reader.fail("resample", "is not 3 (bicubic), the only supported filter");
  config.patch_size = reader.integer("patch_size", model.vision.patch_size, 1, 1024);
  config.temporal_patch_size = reader.integer("temporal_patch_size", model.vision.temporal_patch_size, 1, 64);
  config.merge_size = reader.integer("merge_size", model.vision.spatial_merge_size, 1, 64);
  constexpr int64_t kMaxPixels = int64_t{1} << 40;
  config.min_pixels = reader.integer("min_pixels", config.min_pixels, 1, kMaxPixels);
  config.max_pixels = reader.integer("max_pixels", config.max_pixels, 1, kMaxPixels);
  if (const object* size = reader.child("size"); size != nullptr) {
    ConfigReader sizes(where + ": size", *size);
    config.min_pixels = sizes.integer("shortest_edge", config.min_pixels, 1, kMaxPixels);
    config.max_pixels = sizes.integer("longest_edge", config.max_pixels, 1, kMaxPixels);
    GLYPH_RETURN_IF_ERROR(sizes.status());
  }
  if (config.min_pixels > config.max_pixels) {
    reader.fail("size", fmt::format("has a shortest_edge of {} above its longest_edge of {}",
                                    config.min_pixels, config.max_pixels));
  }
  config.rescale_factor = reader.number("rescale_factor", config.rescale_factor, 1e-12, 1e12);
  reader.numbers("image_mean", config.image_mean, -1e6, 1e6);
  reader.numbers("image_std", config.image_std, 1e-9, 1e6);
  GLYPH_RETURN_IF_ERROR(reader.status());
  GLYPH_RETURN_IF_ERROR(check_agrees(where, "patch_size", config.patch_size, model.vision.patch_size));
  GLYPH_RETURN_IF_ERROR(check_agrees(where, "temporal_patch_size", config.temporal_patch_size,
                                     model.vision.temporal_patch_size));
  GLYPH_RETURN_IF_ERROR(
      check_agrees(where, "merge_size", config.merge_size, model.vision.spatial_merge_size));
  return config;
}

}  // namespace

Result<ModelConfig> parse_model_config(std::string_view json, const std::string& where) {
  GLYPH_ASSIGN_OR_RETURN(const object root, parse_json_object(json, where));
  ConfigReader reader(where, root);
  reader.require_text("model_type", "glm4v", "");
  const object none;
  const object* vision = reader.child("vision_config");
  const object* text =
      reader.child("text_config");  // the first published files have its keys at the top level
  GLYPH_RETURN_IF_ERROR(reader.status());
  if (vision == nullptr) vision = &none;
  const std::string text_where = text == nullptr ? where : where + ": text_config";
  if (text == nullptr) text = &root;
  ModelConfig model;
  GLYPH_ASSIGN_OR_RETURN(model.vision, read_vision(where + ": vision_config", *vision));
  GLYPH_ASSIGN_OR_RETURN(model.text, read_text(text_where, *text));
  GLYPH_RETURN_IF_ERROR(read_top_level(where, root, *text, &model));
  GLYPH_RETURN_IF_ERROR(check_together(where, model));
  return model;
}

Result<GenerationConfig> parse_generation_config(std::string_view json, const std::string& where,
                                                 const ModelConfig& model) {
  GLYPH_ASSIGN_OR_RETURN(const object root, parse_json_object(json, where));
  ConfigReader reader(where, root);
  GenerationConfig config;
  config.stop_ids = reader.token_ids("eos_token_id");
  if (config.stop_ids.empty()) config.stop_ids = model.eos_token_ids;
  config.do_sample = reader.boolean("do_sample", config.do_sample);
  config.temperature = reader.number("temperature", config.temperature, 0.0, 1e6);
  config.top_k = reader.integer("top_k", config.top_k, 0, std::numeric_limits<int32_t>::max());
  config.top_p = reader.number("top_p", config.top_p, 0.0, 1.0);
  config.repetition_penalty = reader.number("repetition_penalty", config.repetition_penalty, 1e-6, 1e6);
  if (reader.has("max_new_tokens"))
    config.max_new_tokens = reader.integer("max_new_tokens", 1, 1, kMaxContext);
  if (!reader.status().ok()) return reader.status();
  return config;
}

Result<PreprocessorConfig> parse_preprocessor_config(std::string_view json, const std::string& where,
                                                     const ModelConfig& model) {
  GLYPH_ASSIGN_OR_RETURN(const object root, parse_json_object(json, where));
  return read_preprocessor(root, where, model);
}

Result<ModelConfig> load_model_config(const std::filesystem::path& dir) {
  const std::filesystem::path path = dir / "config.json";
  GLYPH_ASSIGN_OR_RETURN(const std::string json, read_file(path, kMaxConfigBytes));
  return parse_model_config(json, path.string());
}

Result<GenerationConfig> load_generation_config(const std::filesystem::path& dir, const ModelConfig& model) {
  const std::filesystem::path path = dir / "generation_config.json";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return parse_generation_config("{}", path.string(), model);
  GLYPH_ASSIGN_OR_RETURN(const std::string json, read_file(path, kMaxConfigBytes));
  return parse_generation_config(json, path.string(), model);
}

Result<PreprocessorConfig> load_preprocessor_config(const std::filesystem::path& dir,
                                                    const ModelConfig& model) {
  const std::filesystem::path own = dir / "preprocessor_config.json";
  const std::filesystem::path combined = dir / "processor_config.json";
  std::error_code ignored;
  if (std::filesystem::exists(own, ignored)) {
    GLYPH_ASSIGN_OR_RETURN(const object root, read_json_object(own, kMaxConfigBytes));
    return read_preprocessor(root, own.string(), model);
  }
  if (std::filesystem::exists(combined, ignored)) {
    GLYPH_ASSIGN_OR_RETURN(const object root, read_json_object(combined, kMaxConfigBytes));
    ConfigReader reader(combined.string(), root);
    const object* inner = reader.child("image_processor");
    GLYPH_RETURN_IF_ERROR(reader.status());
    if (inner != nullptr) return read_preprocessor(*inner, combined.string() + ": image_processor", model);
  }
  return read_preprocessor({}, own.string(), model);
}

}  // namespace glyph
