#include "weights/config.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/text_file.h"

namespace glyph {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// As transformers 5 saves it.
constexpr const char* kNew =
    R"({"model_type":"glm4v","image_token_id":59280,"eos_token_id":null,"scripts":["Latin","Han"],"page_dpi":96,
 "text_config":{"hidden_act":"silu","hidden_size":48,"intermediate_size":80,"num_attention_heads":4,"num_hidden_layers":1,
  "num_key_value_heads":2,"vocab_size":60000,"pad_token_id":null,"rms_norm_eps":1e-6,"max_position_embeddings":4096,
  "rope_parameters":{"mrope_section":[1,1,1],"partial_rotary_factor":0.5,"rope_theta":500.0,"rope_type":"default"}},
 "vision_config":{"depth":2,"hidden_size":32,"num_heads":2,"out_hidden_size":48,"intermediate_size":64,"image_size":56,
  "rope_parameters":{"rope_theta":10000.0,"rope_type":"axial"}}})";

// As it was published first: text keys at the top level, the older rotary spelling.
constexpr const char* kOld =
    R"({"architectures":["Glm4vForConditionalGeneration"],"model_type":"glm4v","hidden_act":"silu",
 "hidden_size":4096,"num_attention_heads":32,"num_key_value_heads":2,"partial_rotary_factor":0.5,"rope_theta":10000.0,
 "rope_scaling":{"type":"default","mrope_section":[8,12,12]},"eos_token_id":[151329,151336],"tie_word_embeddings":false,
 "vision_config":{"model_type":"glm4v","hidden_size":1536,"num_heads":12,"depth":24,"out_hidden_size":4096}})";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string refusal(const std::string& json) {
  const auto config = parse_model_config(json, "config.json");
  return config.ok() ? "" : config.status().message();
}

TEST(ModelConfig, ReadsTheNewSpelling) {
  const auto config = parse_model_config(kNew, "config.json");
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->text.vocab_size, 60000);
  EXPECT_EQ(config->text.rope_theta, 500.0);
  EXPECT_EQ(config->text.rotary_dim(), 6);
  EXPECT_THAT(config->text.mrope_section, ElementsAre(1, 1, 1));
  EXPECT_FLOAT_EQ(config->text.rms_norm_eps, 1e-6f);
  EXPECT_EQ(config->text.max_position_embeddings, 4096);
  EXPECT_EQ(config->vision.depth, 2);
  EXPECT_EQ(config->vision.patch_dim(), 1176);
  EXPECT_EQ(config->image_token_id, 59280);
  EXPECT_EQ(config->video_token_id, 151344);
  EXPECT_FALSE(config->tie_word_embeddings);
  EXPECT_THAT(config->scripts, ElementsAre("Latin", "Han"));
  EXPECT_EQ(config->page_dpi, 96);
}

TEST(ModelConfig, ReadsTheOldSpelling) {
  const auto config = parse_model_config(kOld, "config.json");
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->text.num_layers, 40);
  EXPECT_EQ(config->text.rotary_dim(), 64);
  EXPECT_EQ(config->text.partial_rotary_factor, 0.5);
  EXPECT_EQ(config->vision.head_dim(), 128);
  EXPECT_THAT(config->eos_token_ids, ElementsAre(151329, 151336));
}

TEST(ModelConfig, TyingMayStandInTheTextConfig) {
  EXPECT_TRUE(
      parse_model_config(replaced(kNew, R"("pad_token_id":null)", R"("tie_word_embeddings":true)"), "c")
          ->tie_word_embeddings);
}

TEST(ModelConfig, NullKeyValueHeadsMeanAllHeads) {
  EXPECT_EQ(
      parse_model_config(replaced(kNew, R"("num_key_value_heads":2)", R"("num_key_value_heads":null)"), "c")
          ->text.num_kv_heads,
      4);
}

TEST(ModelConfig, RefusesWhatItCannotCompute) {
  EXPECT_THAT(refusal(replaced(kNew, "\"glm4v\"", "\"qwen2_vl\"")),
              HasSubstr("\"model_type\" is \"qwen2_vl\"; only \"glm4v\" is supported"));
  EXPECT_THAT(refusal(replaced(kNew, "\"silu\"", "\"gelu\"")),
              HasSubstr("text_config: \"hidden_act\" is \"gelu\""));
  EXPECT_THAT(refusal(replaced(kNew, "\"axial\"", "\"yarn\"")),
              HasSubstr("vision_config: \"rope_type\" is \"yarn\""));
  EXPECT_THAT(refusal(replaced(kNew, R"("rope_type":"default")", R"("rope_type":"yarn")")),
              HasSubstr("\"rope_type\" is \"yarn\""));
  EXPECT_THAT(refusal(replaced(kNew, "[1,1,1]", "[1,1,2]")), HasSubstr("\"mrope_section\" sums to 4"));
  EXPECT_THAT(refusal(replaced(kNew, "[1,1,1]", "[1,1]")), HasSubstr("not a list of 3 numbers"));
  EXPECT_THAT(refusal(replaced(kNew, "0.5", "0.1")), HasSubstr("\"partial_rotary_factor\" is 0.1"));
  EXPECT_THAT(refusal(replaced(kNew, R"("num_attention_heads":4)", R"("num_attention_heads":5)")),
              HasSubstr("not a multiple"));
  EXPECT_THAT(refusal(replaced(kNew, R"("hidden_size":48)", R"("hidden_size":48,"head_dim":64)")),
              HasSubstr("\"head_dim\" is 64"));
  EXPECT_THAT(refusal(replaced(kNew, R"("out_hidden_size":48)", R"("out_hidden_size":64)")),
              HasSubstr("\"out_hidden_size\" is 64, but"));
  EXPECT_THAT(refusal(replaced(kNew, "59280", "60000")),
              HasSubstr("\"image_token_id\" is 60000, outside the vocabulary of 60000"));
}

TEST(ModelConfig, RefusesValuesOutOfRange) {
  EXPECT_THAT(refusal(replaced(kNew, R"("depth":2)", R"("depth":0)")),
              HasSubstr("\"depth\" is 0, outside 1 to 4096"));
  EXPECT_THAT(refusal(replaced(kNew, R"("depth":2)", R"("depth":99999999999999999999)")),
              HasSubstr("\"depth\" is"));
  EXPECT_THAT(refusal(replaced(kNew, R"("depth":2)", R"("depth":18446744073709551615)")),
              HasSubstr("\"depth\" is 18446744073709551615, outside"));
  EXPECT_THAT(refusal(replaced(kNew, R"("depth":2)", R"("depth":"2")")), HasSubstr("not a whole number"));
  EXPECT_THAT(refusal(replaced(kNew, R"("depth":2)", R"("depth":2.5)")), HasSubstr("not a whole number"));
  EXPECT_THAT(refusal(replaced(kNew, "1e-6", "1e400")), HasSubstr("config.json"));
  EXPECT_THAT(refusal(replaced(kNew, R"(["Latin","Han"])", R"([""])")), HasSubstr("\"scripts\""));
  EXPECT_THAT(refusal("[1]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal("{"), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(std::string(1'000'000, '[')), HasSubstr("not valid JSON"));
}

TEST(GenerationConfig, ReadsThePublishedKeys) {
  const ModelConfig model = *parse_model_config(kOld, "config.json");
  const auto config = parse_generation_config(
      R"({"do_sample":true,"eos_token_id":[1,2,3],"temperature":0.8,"top_p":0.6,"top_k":2,"repetition_penalty":1.1,"max_new_tokens":8192})",
      "generation_config.json", model);
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_THAT(config->stop_ids, ElementsAre(1, 2, 3));
  EXPECT_TRUE(config->do_sample);
  EXPECT_EQ(config->temperature, 0.8);
  EXPECT_EQ(config->top_k, 2);
  EXPECT_EQ(config->top_p, 0.6);
  EXPECT_EQ(config->repetition_penalty, 1.1);
  EXPECT_EQ(config->max_new_tokens, 8192);
  EXPECT_THAT(parse_generation_config(R"({"eos_token_id":7})", "g", model)->stop_ids, ElementsAre(7));
  EXPECT_THAT(parse_generation_config("{}", "g", model)->stop_ids, ElementsAre(151329, 151336));
  EXPECT_THAT(parse_generation_config(R"({"top_p":1.5})", "g", model).status().message(),
              HasSubstr("\"top_p\" is 1.5E0, outside 0 to 1"));
  EXPECT_THAT(parse_generation_config(R"({"eos_token_id":[-1]})", "g", model).status().message(),
              HasSubstr("\"eos_token_id\" is -1"));
}

TEST(PreprocessorConfig, ReadsThePublishedKeys) {
  const ModelConfig model = *parse_model_config(kOld, "config.json");
  const auto config = parse_preprocessor_config(
      R"({"size":{"shortest_edge":12544,"longest_edge":47040000},"image_mean":[0,0,0],"image_std":[1,1,1],"rescale_factor":0.5,"resample":3})",
      "preprocessor_config.json", model);
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->min_pixels, 12544);
  EXPECT_EQ(config->max_pixels, 47040000);
  EXPECT_EQ(config->rescale_factor, 0.5);
  EXPECT_THAT(config->image_std, ElementsAre(1, 1, 1));
  const auto refusal_of = [&](const char* json) {
    return parse_preprocessor_config(json, "p", model).status().message();
  };
  EXPECT_THAT(refusal_of(R"({"patch_size":16})"),
              HasSubstr("\"patch_size\" is 16, but the vision model in config.json has 14"));
  EXPECT_THAT(refusal_of(R"({"do_resize":false})"),
              HasSubstr("\"do_resize\" is false; only true is supported"));
  EXPECT_THAT(refusal_of(R"({"resample":2})"), HasSubstr("\"resample\""));
  EXPECT_THAT(refusal_of(R"({"image_std":[0,1,1]})"), HasSubstr("\"image_std\" is 0"));
  EXPECT_THAT(refusal_of(R"({"size":{"shortest_edge":100,"longest_edge":50}})"),
              HasSubstr("above its longest_edge"));
}

TEST(PreprocessorConfig, IsFoundInEitherFile) {
  const ModelConfig model = *parse_model_config(kOld, "config.json");
  const auto dir = std::filesystem::temp_directory_path() / fmt::format("glyph_config_{}", ::getpid());
  std::filesystem::create_directories(dir);
  EXPECT_EQ(load_preprocessor_config(dir, model)->max_pixels, 11760000);
  ASSERT_TRUE(
      write_file_atomically(dir / "processor_config.json", R"({"image_processor":{"max_pixels":50000}})")
          .ok());
  EXPECT_EQ(load_preprocessor_config(dir, model)->max_pixels, 50000);
  ASSERT_TRUE(write_file_atomically(dir / "preprocessor_config.json", R"({"max_pixels":60000})").ok());
  EXPECT_EQ(load_preprocessor_config(dir, model)->max_pixels, 60000);
  EXPECT_EQ(load_model_config(dir).status().code(), StatusCode::kNotFound);
  EXPECT_THAT(load_generation_config(dir, model)->stop_ids, ElementsAre(151329, 151336));
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace glyph
