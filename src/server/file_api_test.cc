// /v1/files through real sockets.
#include "server/server_fixture.h"

namespace glyph {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

class FileApiTest : public ServerTest {
 protected:
  ClientResponse upload_file(const std::string& name, const std::string& bytes, const std::string& purpose) {
    return request("POST", "/v1/files",
                   "--B\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n" + purpose + "\r\n--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" +
                       name + "\"\r\n\r\n" + bytes + "\r\n--B--\r\n",
                   "Content-Type: multipart/form-data; boundary=B\r\n");
  }
  size_t num_files(const std::string& query = {}) { return at(request("GET", "/v1/files" + query), "/data").as_array().size(); }
};

TEST_F(FileApiTest, AFileIsADocument) {
  start();
  const auto file = upload_file("note.txt", lines(200), "user_data");
  ASSERT_EQ(file.status, 200) << file.body;
  const std::string id = text_at(file, "id"), document = text_at(file, "document");
  EXPECT_EQ(text_at(file, "filename"), "note.txt");
  EXPECT_EQ(at(file, "/bytes").to_number<size_t>(), lines(200).size());
  request("GET", "/v1/documents/" + document + "/events");
  EXPECT_EQ(text_at(request("GET", "/v1/files/" + id), "status"), "processed");
  EXPECT_EQ(request("GET", "/v1/files/" + id + "/content").body, lines(200));

  const auto by_part = request("POST", "/v1/chat/completions", R"({"max_tokens":3,"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":")" + id +
                                                                   R"("}},{"type":"text","text":"What?"}]}]})");
  EXPECT_EQ(at(by_part, "/glyph/pages"), 3) << by_part.body;
  EXPECT_GT(at(by_part, "/glyph/cached_tokens").to_number<int64_t>(), 500);
  EXPECT_EQ(at(ask(R"("documents":[")" + id + "\"]"), "/glyph/pages"), 3);

  EXPECT_EQ(request("DELETE", "/v1/documents/" + document).status, 200);  // the file brings it back
  EXPECT_EQ(at(ask(R"("documents":[")" + id + "\"]"), "/glyph/pages"), 3);
  EXPECT_EQ(at(request("DELETE", "/v1/files/" + id), "/deleted"), true);
  EXPECT_EQ(request("GET", "/v1/files/" + id).status, 404);
  EXPECT_EQ(request("GET", "/v1/documents/" + document).status, 404);
  EXPECT_EQ(ask(R"("documents":[")" + id + "\"]").status, 404);
}

TEST_F(FileApiTest, ADocumentStaysWhileSomebodyHasIt) {
  start();
  const std::string document = upload_and_wait("note.txt", lines(20));
  const std::string id = text_at(upload_file("note.txt", lines(20), "user_data"), "id");
  EXPECT_EQ(request("DELETE", "/v1/files/" + id).status, 200);
  EXPECT_EQ(request("GET", "/v1/documents/" + document).status, 200);  // it was there before the file

  const std::string first = text_at(upload_file("b.txt", lines(30), "assistants"), "id");
  const auto second = upload_file("b.txt", lines(30), "user_data");
  EXPECT_EQ(request("DELETE", "/v1/files/" + first).status, 200);
  EXPECT_EQ(request("GET", "/v1/documents/" + text_at(second, "document")).status, 200);
  EXPECT_EQ(request("DELETE", "/v1/files/" + text_at(second, "id")).status, 200);
  EXPECT_EQ(request("GET", "/v1/documents/" + text_at(second, "document")).status, 404);
}

TEST_F(FileApiTest, ListsInPagesAndSurvivesARestart) {
  start();
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(text_at(upload_file("a.jsonl", "{}\n" + std::to_string(i), "batch"), "id"));
  upload_file("c.txt", lines(1), "vision");
  end();
  std::filesystem::create_directories(options_.state_dir / "files" / "file-torn");
  start();
  EXPECT_EQ(num_files(), 4u);
  EXPECT_EQ(num_files("?purpose=batch"), 3u);
  const auto page = request("GET", "/v1/files?purpose=batch&limit=2&order=asc");
  EXPECT_EQ(at(page, "/data").as_array().size(), 2u);
  EXPECT_EQ(at(page, "/has_more"), true);
  EXPECT_EQ(num_files("?purpose=batch&limit=2&order=asc&after=" + text_at(page, "last_id")), 1u);
  EXPECT_EQ(request("GET", "/v1/files?limit=0").status, 400);
  EXPECT_EQ(request("GET", "/v1/files?limit=x").status, 400);
  EXPECT_EQ(request("GET", "/v1/files?order=up").status, 400);
  EXPECT_EQ(request("GET", "/v1/files?after=file-none").status, 400);
  EXPECT_FALSE(std::filesystem::exists(options_.state_dir / "files" / "file-torn"));
  EXPECT_EQ(ask(R"("documents":[")" + ids[0] + "\"]").status, 400);  // a batch is no document
}

TEST_F(FileApiTest, ContentIsSentPieceByPiece) {
  options_.http.max_unsent_bytes = 256 * 1024;
  start();
  std::string bytes = "{}\n";
  for (int64_t i = 0; bytes.size() < 5'000'000; ++i) bytes += std::to_string(i * i) + '\0' + "\r\n";
  const std::string id = text_at(upload_file("a.jsonl", bytes, "batch"), "id"), target = "/v1/files/" + id + "/content";
  HttpClient client(server_->port());
  EXPECT_EQ(client.request("GET", target).body, bytes);
  HttpClient head(server_->port());
  head.send("HEAD " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(head.read_until("Content-Length: " + std::to_string(bytes.size()) + "\r\n"));
  EXPECT_FALSE(head.read_until("{}\n0"));  // until the connection ends

  HttpClient leaving(server_->port(), 4096);
  leaving.send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(leaving.read_until("\r\n\r\n"));
  leaving.close();
  HttpClient slow(server_->port(), 4096);
  slow.send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(slow.read_until("\r\n\r\n"));
  EXPECT_EQ(request("DELETE", "/v1/files/" + id).status, 200);
  EXPECT_EQ(slow.response().body, bytes);  // what is being sent is sent to its end
  EXPECT_EQ(request("GET", target).status, 404);
}

TEST_F(FileApiTest, ContentThatIsLostIsSaidToBe) {
  start();
  const std::string id = text_at(upload_file("a.jsonl", "{}\n", "batch"), "id");
  std::filesystem::remove(options_.state_dir / "files" / id / "content");
  const auto response = request("GET", "/v1/files/" + id + "/content");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(json::value_to<std::string>(at(response, "/error/message")), "the content of " + id + " is no longer there");
}

TEST_F(FileApiTest, BadUploadsGetASentence) {
  start();
  const auto check = [&](const ClientResponse& response, int status, const std::string& words) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_THAT(json::value_to<std::string>(at(response, "/error/message")), HasSubstr(words));
  };
  check(upload_file("a.txt", "x", "fine-tune"), 400, "purpose must be");
  check(upload_file("a.txt", "x", ""), 400, "purpose must be");
  check(upload_file("a.txt", "", "user_data"), 422, "empty");
  check(upload_file("a.jsonl", "", "batch"), 422, "empty");
  check(request("POST", "/v1/files", "x"), 415, "multipart");
  check(request("GET", "/v1/files/..%2F..%2Fetc"), 404, "nothing at this address");
  check(request("GET", "/v1/files/x/content"), 404, "no file");
  check(request("DELETE", "/v1/files/x"), 404, "no file");
  check(request("PUT", "/v1/files"), 405, "takes");
}

}  // namespace
}  // namespace glyph
