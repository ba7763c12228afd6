// /v1/batches through real sockets.
#include <boost/json/serialize.hpp>
#include <map>

#include "base/text_file.h"
#include "server/file_store.h"
#include "server/server_fixture.h"

namespace glyph {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

std::string chat_line(const std::string& id, const std::string& question, int max_tokens = 5, bool to_the_end = false) {
  return R"({"custom_id":")" + id + R"(","method":"POST","url":"/v1/chat/completions","body":{"max_tokens":)" + std::to_string(max_tokens) +
         (to_the_end ? ",\"ignore_eos\":true" : "") +
         R"(,"messages":[{"role":"user","content":")" + question + "\"}]}}\n";
}

class BatchApiTest : public ServerTest {
 protected:
  std::string upload_lines(const std::string& lines) {
    return text_at(request("POST", "/v1/files",
                           "--B\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; "
                           "filename=\"a.jsonl\"\r\n\r\n" + lines + "\r\n--B--\r\n",
                           "Content-Type: multipart/form-data; boundary=B\r\n"),
                   "id");
  }
  ClientResponse create(const std::string& file, const std::string& endpoint = "/v1/chat/completions") {
    return request("POST", "/v1/batches", R"({"input_file_id":")" + file + R"(","endpoint":")" + endpoint + R"(","completion_window":"24h","metadata":{"a":"b"}})");
  }
  ClientResponse wait(const std::string& id, const std::string& state) {
    ClientResponse batch;
    EXPECT_TRUE(eventually([&] {
      batch = request("GET", "/v1/batches/" + id);
      return text_at(batch, "status") == state;
    })) << batch.body;
    return batch;
  }
  // By custom_id, "" for none.
  std::map<std::string, json::value> lines_of(const json::value& file_id) {
    std::map<std::string, json::value> lines;
    if (!file_id.is_string()) return lines;
    const std::string text = request("GET", "/v1/files/" + json::value_to<std::string>(file_id) + "/content").body;
    for (size_t begin = 0; begin < text.size(); begin = text.find('\n', begin) + 1) {
      const json::value line = json::parse(text.substr(begin, text.find('\n', begin) - begin));
      const json::value& id = line.at("custom_id");
      EXPECT_TRUE(lines.emplace(id.is_string() ? json::value_to<std::string>(id) : "", line).second);
    }
    return lines;
  }
};

TEST_F(BatchApiTest, AnswersGoodLinesAndNamesBadOnes) {
  start();
  const std::string input = chat_line("one", "First?") + "\n" + chat_line("two", "Second?") + "this is no JSON\n" + chat_line("one", "Again?") +
                            R"({"custom_id":"three","method":"POST","url":"/v1/chat/completions","body":{"messages":[]}})";
  const auto created = create(upload_lines(input));
  ASSERT_EQ(created.status, 200) << created.body;
  EXPECT_EQ(at(created, "/metadata/a"), "b");
  const auto done = wait(text_at(created, "id"), "completed");
  EXPECT_EQ(at(done, "/request_counts"), json::value({{"total", 5}, {"completed", 2}, {"failed", 3}}));
  const auto answers = lines_of(at(done, "/output_file_id")), errors = lines_of(at(done, "/error_file_id"));
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers.at("two").at("response").at("body").at("choices").at(0).at("message"),
            at(request("POST", "/v1/chat/completions", R"({"max_tokens":5,"messages":[{"role":"user","content":"Second?"}]})"), "/choices/0/message"));
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_THAT(json::value_to<std::string>(errors.at("").at("error").at("message")), HasSubstr("not a request"));
  EXPECT_THAT(json::value_to<std::string>(errors.at("one").at("error").at("message")), HasSubstr("stands in a line before"));
  EXPECT_EQ(errors.at("three").at("response").at("status_code"), 400);
  EXPECT_EQ(at(request("GET", "/v1/batches"), "/data").as_array().size(), 1u);
}

TEST_F(BatchApiTest, CompletionsToo) {
  start();
  const auto created = create(upload_lines(R"({"custom_id":"a","method":"POST","url":"/v1/completions","body":{"prompt":"Once","max_tokens":4}})"), "/v1/completions");
  const auto done = wait(text_at(created, "id"), "completed");
  EXPECT_EQ(lines_of(at(done, "/output_file_id")).at("a").at("response").at("body").at("usage").at("completion_tokens"), 4);
  EXPECT_EQ(at(done, "/error_file_id"), nullptr);
}

TEST_F(BatchApiTest, GoesOnAfterARestart) {
  start();
  std::string input;
  for (int i = 0; i < 40; ++i) input += chat_line("line " + std::to_string(i), "Question " + std::to_string(i), i < 20 ? 5 : 1000, i >= 20);
  const std::string id = text_at(create(upload_lines(input)), "id");
  ASSERT_TRUE(eventually([&] { return at(request("GET", "/v1/batches/" + id), "/request_counts/completed").to_number<int>() >= 3; }));
  end();
  const auto log = options_.state_dir / "batches" / id / "output.jsonl";
  ASSERT_TRUE(std::filesystem::exists(log));  // it was not done
  std::filesystem::resize_file(log, std::filesystem::file_size(log) - 5);  // as a crash may leave it
  start();
  const auto done = wait(id, "completed");
  EXPECT_EQ(at(done, "/request_counts"), json::value({{"total", 40}, {"completed", 40}, {"failed", 0}}));
  EXPECT_EQ(lines_of(at(done, "/output_file_id")).size(), 40u);
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(log); }));
}

// The end of a batch's day, moved to now in what is on disk: before its lines are asked again, and while they are.
TEST_F(BatchApiTest, ExpiryKeepsWhatWasAnsweredAndNamesTheRest) {
  for (const int seconds_left : {-1, 2}) {
    start();
    std::string input = chat_line("first", "Short", 1) + "this is no JSON\n";
    for (int i = 0; i < 6; ++i) input += chat_line(std::to_string(i), "Tell me everything", 20'000, true);
    const std::string id = text_at(create(upload_lines(input)), "id");
    ASSERT_TRUE(eventually([&] { return at(request("GET", "/v1/batches/" + id), "/request_counts/completed").to_number<int>() >= 1; }));
    end();
    const auto saved = options_.state_dir / "batches" / id / "batch.json";
    json::object batch = json::parse(*read_file(saved, 1 << 20)).as_object();
    batch["expires_at"] = unix_seconds() + seconds_left;
    ASSERT_TRUE(write_file_atomically(saved, json::serialize(batch)).ok());
    start();
    const auto done = wait(id, "expired");
    EXPECT_GT(at(done, "/expired_at").to_number<int64_t>(), 0);
    EXPECT_EQ(at(done, "/request_counts"), json::value({{"total", 8}, {"completed", 1}, {"failed", 7}}));
    EXPECT_TRUE(lines_of(at(done, "/output_file_id")).contains("first"));
    const auto errors = lines_of(at(done, "/error_file_id"));
    ASSERT_EQ(errors.size(), 7u);
    EXPECT_EQ(errors.at("3").at("error").at("code"), "batch_expired");
    EXPECT_THAT(json::value_to<std::string>(errors.at("").at("error").at("message")), HasSubstr("not a request"));
    EXPECT_EQ(request("POST", "/v1/batches/" + id + "/cancel").status, 400);
    end();
    start();
    EXPECT_EQ(text_at(request("GET", "/v1/batches/" + id), "status"), "expired");  // after another start, too
    end();
  }
}

TEST_F(BatchApiTest, CancellingKeepsWhatWasAnswered) {
  start();
  std::string input;
  for (int i = 0; i < 60; ++i) input += chat_line(std::to_string(i), "Question", 2000, true);
  const std::string id = text_at(create(upload_lines(chat_line("first", "Short", 1) + input)), "id");
  const std::string waiting = text_at(create(upload_lines(chat_line("x", "Waiting"))), "id");
  ASSERT_TRUE(eventually([&] { return at(request("GET", "/v1/batches/" + id), "/request_counts/completed").to_number<int>() >= 1; }));
  EXPECT_EQ(text_at(request("POST", "/v1/batches/" + id + "/cancel"), "status"), "cancelling");
  const auto done = wait(id, "cancelled");
  EXPECT_LT(at(done, "/request_counts/completed").to_number<int>(), 61);
  EXPECT_EQ(at(done, "/request_counts/failed"), 0);
  EXPECT_TRUE(lines_of(at(done, "/output_file_id")).contains("first"));
  EXPECT_EQ(request("POST", "/v1/batches/" + id + "/cancel").status, 400);
  wait(waiting, "completed");
}

TEST_F(BatchApiTest, BadBatchesGetASentence) {
  start();
  const auto check = [&](const ClientResponse& response, int status, const std::string& words) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_THAT(json::value_to<std::string>(at(response, "/error/message")), HasSubstr(words));
  };
  const std::string file = upload_lines(chat_line("a", "x"));
  check(request("POST", "/v1/batches", "{}"), 400, "input_file_id is missing");
  check(create("file-none"), 404, "no file");
  check(create(file, "/v1/embeddings"), 400, "endpoint must be");
  check(request("POST", "/v1/batches", R"({"input_file_id":")" + file + R"(","endpoint":"/v1/completions"})"), 400, "completion_window");
  check(request("POST", "/v1/batches", R"({"input_file_id":")" + file + R"(","endpoint":"/v1/completions","completion_window":"24h","metadata":{"a":1}})"), 400, "metadata");
  check(request("GET", "/v1/batches/batch_none"), 404, "no batch");
  check(request("POST", "/v1/batches/batch_none/cancel"), 404, "no batch");
  check(request("GET", "/v1/batches?limit=101"), 400, "limit must be");
  const auto empty = wait(text_at(create(upload_lines("\n \n")), "id"), "failed");
  EXPECT_THAT(json::value_to<std::string>(at(empty, "/errors/data/0/message")), HasSubstr("has no line"));
}

}  // namespace
}  // namespace glyph
