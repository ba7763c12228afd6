#include "batch_file.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace glyph {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(BatchLine, ReadsAQuestion) {
  const BatchLine line = parse_batch_line(R"({"id": "a", "files": ["x.txt", "y.pdf"], "question": "Who?", "max_tokens": 9})", 3);
  ASSERT_TRUE(line.error.ok()) << line.error.message();
  EXPECT_EQ(line.question.id, "a");
  EXPECT_EQ(line.question.line, 3u);
  EXPECT_THAT(line.question.files, testing::ElementsAre("x.txt", "y.pdf"));
  EXPECT_EQ(line.question.question, "Who?");
  EXPECT_EQ(line.question.max_tokens, 9);
}

struct BadLine {
  const char* text;
  const char* message;
  const char* id;
};

class BadBatchLine : public testing::TestWithParam<BadLine> {};

TEST_P(BadBatchLine, SaysWhatIsWrongAndKeepsTheId) {
  const BatchLine line = parse_batch_line(GetParam().text, 1);
  EXPECT_EQ(line.error.code(), StatusCode::kRefused);
  EXPECT_THAT(line.error.message(), HasSubstr(GetParam().message));
  EXPECT_EQ(json::serialize(line.question.id), GetParam().id);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadBatchLine,
    testing::Values(BadLine{"{\"id\": 1", "not JSON", "null"}, BadLine{"[1]", "not a JSON object", "null"},
                    BadLine{R"({"files": ["x"], "question": "q"})", "\"id\"", "null"},
                    BadLine{R"({"id": 1.5, "files": ["x"], "question": "q"})", "\"id\"", "null"},
                    BadLine{R"({"id": 7, "question": "q"})", "\"files\"", "7"},
                    BadLine{R"({"id": 7, "files": [], "question": "q"})", "\"files\"", "7"},
                    BadLine{R"({"id": 7, "files": [1], "question": "q"})", "\"files\"", "7"},
                    BadLine{R"({"id": "b", "files": ["x"]})", "\"question\"", "\"b\""},
                    BadLine{R"({"id": "b", "files": ["x"], "question": ""})", "\"question\"", "\"b\""},
                    BadLine{R"({"id": "b", "files": ["x"], "question": "q", "max_tokens": 0})", "\"max_tokens\"", "\"b\""},
                    BadLine{R"({"id": "b", "files": ["x"], "question": "q", "temprature": 0})", "\"temprature\"", "\"b\""}));

TEST(BatchLine, DeepNestingIsRefused) {
  const std::string text = std::string(100000, '[') + std::string(100000, ']');
  EXPECT_EQ(parse_batch_line(text, 1).error.code(), StatusCode::kRefused);
}

class BatchOutputTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove(path_);
  }
  void write(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }
  std::string content() const {
    std::ostringstream text;
    text << std::ifstream(path_, std::ios::binary).rdbuf();
    return text.str();
  }
  static BatchQuestion question(json::value id, size_t line = 1) {
    BatchQuestion q;
    q.id = std::move(id);
    q.line = line;
    return q;
  }
  fs::path path_;
};

TEST_F(BatchOutputTest, RemembersWhatItWrote) {
  {
    auto output = BatchOutput::open(path_);
    ASSERT_TRUE(output.ok()) << output.status().message();
    EXPECT_FALSE(output->has(question("a")));
    ASSERT_TRUE(output->append_answer(question("a"), {{"answer", "yes"}}).ok());
    ASSERT_TRUE(output->append_error(question(5), "no such file").ok());
    ASSERT_TRUE(output->append_error(question(nullptr, 9), "not JSON").ok());
  }
  EXPECT_EQ(content(),
            "{\"id\":\"a\",\"answer\":\"yes\"}\n{\"id\":5,\"line\":1,\"error\":\"no such file\"}\n"
            "{\"id\":null,\"line\":9,\"error\":\"not JSON\"}\n");
  auto again = BatchOutput::open(path_);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->has(question("a")));
  EXPECT_TRUE(again->has(question(5)));
  EXPECT_TRUE(again->has(question(nullptr, 9)));
  EXPECT_FALSE(again->has(question("5")));
  EXPECT_FALSE(again->has(question(nullptr, 8)));
}

TEST_F(BatchOutputTest, ACutOffLastLineIsRemoved) {
  const std::string whole = "{\"id\":\"a\",\"answer\":\"yes\"}\n";
  for (const char* torn : {"{", "{\"id\":\"b\",\"ans", "{\"id\":\"b\",\"answer\":\"x\"}"}) {
    write(whole + torn);
    auto output = BatchOutput::open(path_);
    ASSERT_TRUE(output.ok()) << output.status().message();
    EXPECT_EQ(content(), whole);
    EXPECT_TRUE(output->has(question("a")));
    EXPECT_FALSE(output->has(question("b")));
  }
}

TEST_F(BatchOutputTest, SomebodyElsesFileIsNotTouched) {
  for (const std::string text : {"hello", "hello\n", "{\"id\":1}\n", "{\"id\":1,\"answer\":\"\"}\nmore"}) {
    write(text);
    EXPECT_EQ(BatchOutput::open(path_).status().code(), StatusCode::kUsage) << text;
    EXPECT_EQ(content(), text);
  }
}

TEST_F(BatchOutputTest, TwoRunsDoNotShareAFile) {
  auto first = BatchOutput::open(path_);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(BatchOutput::open(path_).status().code(), StatusCode::kExhausted);
}

}  // namespace
}  // namespace glyph
