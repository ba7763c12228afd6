#include "weights/stand_in.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

#include "weights/safetensors.h"
#include "weights/tensor_list.h"

namespace glyph {
namespace {

int64_t num_parameters(const ModelConfig& config) {
  int64_t sum = 0;
  for (const ExpectedTensor& tensor : expected_tensors(config)) {
    int64_t count = 1;
    for (const int64_t side : tensor.shape) count *= side;
    sum += count;
  }
  return sum;
}

TEST(StandIn, HasThePublishedSize) {
  // GLM-4.1V-9B: 10.3 billion parameters, vision and token tables included.
  EXPECT_NEAR(static_cast<double>(num_parameters(stand_in_config())), 10.29e9, 0.02e9);
}

TEST(StandIn, TokenizerHoldsBytesAndControlTokensWithoutCollision) {
  const ModelConfig config = stand_in_config();
  const Result<std::string> text = stand_in_tokenizer_json(config);
  ASSERT_TRUE(text.ok()) << text.status().message();
  const boost::json::object root = boost::json::parse(*text).as_object();
  EXPECT_EQ(root.at("model").at("vocab").as_object().size(), 256u);
  std::set<int64_t> ids(config.eos_token_ids.begin(), config.eos_token_ids.end());
  for (const boost::json::value& token : root.at("added_tokens").as_array()) {
    const int64_t id = token.at("id").as_int64();
    EXPECT_GE(id, 256);
    EXPECT_LT(id, config.text.vocab_size);
    EXPECT_TRUE(ids.insert(id).second) << id;
    EXPECT_EQ(token.at("content") == "<|image|>", id == config.image_token_id);
  }
  EXPECT_EQ(ids.size(), config.eos_token_ids.size() + 10);
}

TEST(StandIn, RefusesAVocabularyWithoutRoom) {
  ModelConfig config = stand_in_config();
  config.image_start_token_id = 256;
  config.image_token_id = 257;
  config.image_end_token_id = 258;
  config.text.vocab_size = 266;
  config.eos_token_ids.clear();
  EXPECT_TRUE(stand_in_tokenizer_json(config).ok());
  config.text.vocab_size = 265;
  EXPECT_THAT(stand_in_tokenizer_json(config).status().message(), testing::HasSubstr("265 is too small"));
  config.image_token_id = 300;
  EXPECT_THAT(stand_in_tokenizer_json(config).status().message(), testing::HasSubstr("<|image|> has id 300"));
}

TEST(StandIn, APictureOf2048By8192KeepsItsSize) {
  EXPECT_GE(stand_in_preprocessor(stand_in_config()).max_pixels, 2 * 2048 * 8192);
}

TEST(RandomCheckpoint, IsKnownBySeedAndShapes) {
  ModelConfig config = stand_in_config();
  const Checkpoint one = Checkpoint::random(1, expected_tensors(config));
  EXPECT_EQ(one.identity(), Checkpoint::random(1, expected_tensors(config)).identity());
  EXPECT_NE(one.identity(), Checkpoint::random(2, expected_tensors(config)).identity());
  config.text.intermediate_size = 13697;
  EXPECT_NE(one.identity(), Checkpoint::random(1, expected_tensors(config)).identity());
}

}  // namespace
}  // namespace glyph
