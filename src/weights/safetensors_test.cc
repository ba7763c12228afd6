#include "weights/safetensors.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "base/text_file.h"
#include "weights/safetensors_header.h"
#include "weights/safetensors_writer.h"
#include "weights/tensor_list.h"

namespace glyph {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A directory that goes away with the test.
class Safetensors : public ::testing::Test {
 protected:
  Safetensors() {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    dir_ = fs::temp_directory_path() / fmt::format("glyph_safetensors_{}_{}", ::getpid(), info->name());
    fs::create_directories(dir_);
  }
  ~Safetensors() override { fs::remove_all(dir_); }

  void write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(write_file_atomically(dir_ / name, bytes).ok());
  }

  fs::path dir_;
};

std::string with_header(const std::string& json, const std::string& data) {
  std::string file(8, '\0');
  for (size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(json.size() >> (8 * i));
  return file + json + data;
}

// The sentence that refuses a file with this header and so many bytes of data; "" when it is accepted.
std::string refusal(std::string json, size_t data_size) {
  json.append((8 - json.size() % 8) % 8, ' ');
  const std::string file = with_header(json, std::string(data_size, '\0'));
  const auto header =
      read_safetensors_header({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, "m.safetensors");
  return header.ok() ? "" : header.status().message();
}

std::string one_tensor(const std::string& dtype, const std::string& shape, uint64_t begin, uint64_t end) {
  return fmt::format(R"({{"a":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}}}})", dtype, shape, begin,
                     end);
}

SafetensorsWriter two_tensors() {
  SafetensorsWriter writer;
  const float values[6] = {1, 2, 3, 4, 5, 6};
  const uint8_t halves[6] = {1, 2, 3, 4, 5, 6};
  writer.add("visual.b", StoredType::kBF16, {3}, halves);
  writer.add_f32("model.norm.weight", {2, 3}, values);
  return writer;
}

TEST_F(Safetensors, ReadsWhatTheWriterWrote) {
  ASSERT_TRUE(two_tensors().write(dir_ / "model.safetensors").ok());
  const auto checkpoint = Checkpoint::open(dir_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  EXPECT_THAT(checkpoint->names(),
              ::testing::ElementsAre("model.language_model.norm.weight", "model.visual.b"));
  EXPECT_EQ(checkpoint->num_bytes(), 30u);
  const auto norm = checkpoint->expect("model.language_model.norm.weight", std::vector<int64_t>{2, 3});
  ASSERT_TRUE(norm.ok()) << norm.status().message();
  float last = 0;
  std::memcpy(&last, norm->bytes.data() + 20, 4);
  EXPECT_EQ(last, 6.0f);
  EXPECT_EQ(checkpoint->tensor("model.visual.b")->type, StoredType::kBF16);
}

TEST_F(Safetensors, IdentityFollowsTheHeaders) {
  ASSERT_TRUE(two_tensors().write(dir_ / "a").ok());
  SafetensorsWriter other = two_tensors();
  other.add("c", StoredType::kU8, {0}, {});
  ASSERT_TRUE(other.write(dir_ / "b").ok());
  EXPECT_EQ(Checkpoint::open_file(dir_ / "a")->identity(), Checkpoint::open_file(dir_ / "a")->identity());
  EXPECT_NE(Checkpoint::open_file(dir_ / "a")->identity(), Checkpoint::open_file(dir_ / "b")->identity());
}

TEST_F(Safetensors, NamesMissingMisshapedAndExtraTensors) {
  ASSERT_TRUE(two_tensors().write(dir_ / "model.safetensors").ok());
  const auto checkpoint = Checkpoint::open(dir_);
  ASSERT_TRUE(checkpoint.ok());
  EXPECT_THAT(checkpoint->expect("lm_head.weight", {}).status().message(),
              HasSubstr("\"lm_head.weight\" is missing"));
  const std::vector<int64_t> wrong{3, 2};
  EXPECT_THAT(checkpoint->expect("model.language_model.norm.weight", wrong).status().message(),
              HasSubstr("has the shape (2, 3), but the configuration asks for (3, 2)"));
  const std::vector<ExpectedTensor> expected{{"model.language_model.norm.weight", {6}}, {"x", {1}}};
  const Status status = checkpoint->check(expected);
  EXPECT_THAT(status.message(), HasSubstr("missing x; wrong shape model.language_model.norm.weight (2, 3) "
                                          "instead of (6); unexpected model.visual.b"));
}

TEST_F(Safetensors, ReadsShards) {
  const float value[1] = {7};
  SafetensorsWriter first, second;
  first.add_f32("model.visual.a", {1}, value);
  second.add_f32("lm_head.weight", {1}, value);
  ASSERT_TRUE(first.write(dir_ / "model-00001-of-00002.safetensors").ok());
  ASSERT_TRUE(second.write(dir_ / "model-00002-of-00002.safetensors").ok());
  const std::string index = "model.safetensors.index.json";
  write(
      index,
      R"({"metadata":{},"weight_map":{"model.visual.a":"model-00001-of-00002.safetensors","lm_head.weight":"model-00002-of-00002.safetensors"}})");
  const auto checkpoint = Checkpoint::open(dir_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  EXPECT_TRUE(checkpoint->contains("lm_head.weight") && checkpoint->contains("model.visual.a"));

  write(index, R"({"weight_map":{"model.visual.b":"model-00001-of-00002.safetensors"}})");
  EXPECT_THAT(Checkpoint::open(dir_).status().message(),
              HasSubstr("\"model.visual.b\" is not in model-00001"));
  write(index, R"({"weight_map":{"a":"model-00003-of-00002.safetensors"}})");
  EXPECT_EQ(Checkpoint::open(dir_).status().code(), StatusCode::kNotFound);
  for (const std::string shard : {"../model.safetensors", "/etc/passwd", "..", "", "a\\\\b"}) {
    write(index, fmt::format(R"({{"weight_map":{{"a":"{}"}}}})", shard));
    EXPECT_THAT(Checkpoint::open(dir_).status().message(),
                HasSubstr("is not a file name inside the directory"))
        << shard;
  }
  write(index, R"({"weight_map":[]})");
  EXPECT_THAT(Checkpoint::open(dir_).status().message(), HasSubstr("has no \"weight_map\" object"));
}

TEST_F(Safetensors, RefusesTheSameTensorInTwoShards) {
  ASSERT_TRUE(two_tensors().write(dir_ / "a").ok());
  ASSERT_TRUE(two_tensors().write(dir_ / "b").ok());
  write("model.safetensors.index.json", R"({"weight_map":{"visual.b":"a","model.norm.weight":"b"}})");
  EXPECT_THAT(Checkpoint::open(dir_).status().message(), HasSubstr("is in the checkpoint twice"));
}

TEST_F(Safetensors, AnEmptyDirectoryIsNotFound) {
  EXPECT_EQ(Checkpoint::open(dir_).status().code(), StatusCode::kNotFound);
}

TEST_F(Safetensors, AcceptsAGoodHeader) {
  EXPECT_EQ(refusal(one_tensor("F32", "[2,3]", 0, 24), 24), "");
  EXPECT_EQ(refusal(one_tensor("F32", "[]", 0, 4), 4), "");
  EXPECT_EQ(refusal(one_tensor("BF16", "[0,5]", 0, 0), 0), "");
  EXPECT_EQ(
      refusal(
          R"({"__metadata__":{"format":"pt"},"b":{"shape":[1],"data_offsets":[2,4],"dtype":"F16"},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
          4),
      "");
}

TEST_F(Safetensors, RefusesABadLayout) {
  EXPECT_THAT(refusal(one_tensor("F32", "[2]", 0, 12), 12),
              HasSubstr("tensor \"a\" has 12 bytes, but F32 (2) takes 8"));
  EXPECT_THAT(refusal(one_tensor("F32", "[2]", 0, 8), 4),
              HasSubstr("ends at byte 8 of the data, which has 4"));
  EXPECT_THAT(refusal(one_tensor("F32", "[2]", 4, 12), 12),
              HasSubstr("leaving 4 bytes that belong to no tensor"));
  EXPECT_THAT(refusal(one_tensor("F32", "[2]", 0, 8), 9),
              HasSubstr("1 bytes at the end belong to no tensor"));
  EXPECT_THAT(refusal(one_tensor("F32", "[2]", 8, 0), 8), HasSubstr("ends at byte 0 before it begins at 8"));
  EXPECT_THAT(
      refusal(
          R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
          6),
      HasSubstr("tensor \"b\" begins at byte 2 inside the tensor before it"));
  EXPECT_THAT(
      refusal(
          R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
          5),
      HasSubstr("not aligned to its 4-byte elements"));
  EXPECT_THAT(refusal(one_tensor("F32", "[4294967296,4294967296]", 0, 0), 0),
              HasSubstr("too large for any file"));
  EXPECT_THAT(refusal(one_tensor("F32", "[18446744073709551615]", 0, 0), 0), HasSubstr("number above 2^63"));
}

TEST_F(Safetensors, RefusesABadHeader) {
  EXPECT_THAT(refusal(one_tensor("F12", "[2]", 0, 8), 8),
              HasSubstr("tensor \"a\" has the unknown dtype \"F12\""));
  EXPECT_THAT(refusal(one_tensor("F32", "[-1]", 0, 8), 8), HasSubstr("has a negative number"));
  EXPECT_THAT(refusal(one_tensor("F32", "[1.5]", 0, 8), 8), HasSubstr("has a fraction"));
  EXPECT_THAT(refusal(one_tensor("F32", "[[1]]", 0, 8), 8), HasSubstr("has a list where none belongs"));
  EXPECT_THAT(refusal(one_tensor("F32", "[1,1,1,1,1,1,1,1,1]", 0, 4), 4),
              HasSubstr("more than 8 dimensions"));
  const std::string a = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  EXPECT_THAT(refusal("{" + a + "," + a + "}", 1), HasSubstr("has \"a\" twice"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"U8","shape":[1]}})", 1), HasSubstr("lacks one of"));
  EXPECT_THAT(refusal(R"({"a":{"dtype":"U8","dtype":"U8"}})", 1), HasSubstr("has \"dtype\" twice"));
  EXPECT_THAT(refusal(R"({"a":{"colour":1}})", 1), HasSubstr("unknown field \"colour\""));
  EXPECT_THAT(refusal(R"({"a":1})", 1), HasSubstr("has a number where none belongs"));
  EXPECT_THAT(refusal(R"({"a":)", 1), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(R"({} {})", 0), HasSubstr("text after its JSON object"));
  EXPECT_THAT(refusal("[]", 0), HasSubstr("does not begin with an object"));
  EXPECT_THAT(refusal("{\"" + std::string(2000, 'x') + "\":1}", 0), HasSubstr("not valid JSON"));
}

TEST_F(Safetensors, RefusesALengthPastTheFile) {
  write("model.safetensors", std::string("\xff\0\0\0\0\0\0\0{}", 10));
  EXPECT_THAT(Checkpoint::open(dir_).status().message(),
              HasSubstr("the header claims 255 bytes, but the file has 2"));
  write("model.safetensors", std::string(8, '\xff'));
  EXPECT_THAT(Checkpoint::open(dir_).status().message(), HasSubstr("the limit is 100000000"));
  write("model.safetensors", "abc");
  EXPECT_THAT(Checkpoint::open(dir_).status().message(), HasSubstr("too short (3 bytes)"));
}

// Two million brackets and a million empty entries end quickly and with a sentence.
TEST_F(Safetensors, PathologicalHeadersAreRefused) {
  EXPECT_THAT(refusal("{\"a\":" + std::string(2'000'000, '['), 0),
              HasSubstr("has a list where none belongs"));
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "{\"a\":";
  EXPECT_THAT(refusal(deep, 0), HasSubstr("unknown field"));
  std::string many = "{";
  for (int i = 0; i < 200'000; ++i) many += fmt::format("\"{}\":{{}},", i);
  EXPECT_THAT(refusal(many, 0), HasSubstr("lacks one of"));
}

// The list of names and shapes, against a state_dict() of the reference class (transformers 5.17) at the same
// sizes.
TEST(TensorList, IsTheReferenceStateDict) {
  ModelConfig config;
  config.vision = {.depth = 1,
                   .hidden_size = 32,
                   .num_heads = 2,
                   .image_size = 56,
                   .out_hidden_size = 48,
                   .intermediate_size = 64};
  config.text = {.vocab_size = 100,
                 .hidden_size = 48,
                 .intermediate_size = 80,
                 .num_layers = 1,
                 .num_heads = 4,
                 .num_kv_heads = 2};
  std::string text;
  auto expected = expected_tensors(config);
  std::sort(expected.begin(), expected.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const ExpectedTensor& tensor : expected) text += tensor.name + " " + shape_text(tensor.shape) + "\n";
  EXPECT_EQ(text, *read_file("tests/weights/tiny_state_dict.txt", 1 << 16));
  config.tie_word_embeddings = true;
  EXPECT_EQ(expected_tensors(config).size() + 1, expected.size());
}

}  // namespace
}  // namespace glyph
