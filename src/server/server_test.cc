// The server through real sockets, on loopback.
#include "server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "server/server_fixture.h"

namespace glyph {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using testing::AnyOf;
using testing::HasSubstr;

// A stream that goes on for longer than any test.
const char* const kLongAnswer = R"({"stream":true,"max_tokens":30000,"ignore_eos":true,"messages":[{"role":"user","content":"Tell me everything."}]})";

void post_chat(HttpClient& client, const std::string& body) {
  client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
}

TEST_F(ServerTest, SmallRoutes) {
  start();
  HttpClient client(server_->port());  // one connection for all of them
  for (const char* target : {"/health", "/ready", "/version", "/v1/models", "/metrics", "/v1/documents"}) {
    const auto response = client.request("GET", target);
    EXPECT_EQ(response.status, 200) << target;
    EXPECT_THAT(response.head, HasSubstr("X-Request-Id: req_"));
    EXPECT_THAT(response.head, HasSubstr("Cache-Control: no-store"));
  }
  EXPECT_EQ(client.request("GET", "/v1/models/" + model_->name()).status, 200);
  EXPECT_EQ(client.request("GET", "/v1/models/gpt-9").status, 404);
  EXPECT_EQ(client.request("GET", "/nothing").status, 404);
  EXPECT_EQ(client.request("GET", "/../etc/passwd").status, 404);
  EXPECT_EQ(client.request("DELETE", "/health").status, 405);
  EXPECT_EQ(client.request("GET", "/v1/chat/completions").status, 405);
  EXPECT_EQ(client.request("GET", "/v1/documents/doc_none").status, 404);
  const auto tokens = client.request("POST", "/tokenize", R"({"text":"ab"})");
  EXPECT_EQ(at(tokens, "/count"), 2);
  EXPECT_EQ(text_at(client.request("POST", "/detokenize", tokens.body), "text"), "ab");
  const auto render = client.request("POST", "/v1/render", R"({"text":"Hello","style":{"dpi":96},"page":1})");
  EXPECT_EQ(render.status, 200) << render.body;
  EXPECT_EQ(text_at(render, "png").substr(0, 8), "iVBORw0K");
  EXPECT_EQ(client.request("POST", "/v1/render", R"({"text":"x","style":{"font-path":"/etc/passwd"}})").status, 400);
}

TEST_F(ServerTest, ADocumentStaysRead) {
  start();
  const std::string id = upload_and_wait("note.txt", lines(300));
  const auto first = ask(R"("documents":[")" + id + "\"]");
  ASSERT_EQ(first.status, 200) << first.body;
  EXPECT_EQ(at(first, "/glyph/pages"), 4);
  EXPECT_GT(at(first, "/usage/prompt_tokens_details/cached_tokens").to_number<int64_t>(), 1000);
  EXPECT_LT(at(first, "/usage/prompt_tokens").to_number<int64_t>() - at(first, "/usage/prompt_tokens_details/cached_tokens").to_number<int64_t>(), 40);
  EXPECT_EQ(text_at(upload("note.txt", lines(300)), "id"), id);
  EXPECT_NE(text_at(upload("note.txt", lines(300), R"({"dpi":96})"), "id"), id);

  const auto page = request("GET", "/v1/documents/" + id + "/pages/4");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body.substr(1, 3), "PNG");
  EXPECT_EQ(request("GET", "/v1/documents/" + id + "/pages/5").status, 404);
  EXPECT_EQ(request("GET", "/v1/documents/" + id + "/pages/0").status, 404);
  EXPECT_EQ(request("GET", "/v1/documents/" + id + "/text").body.substr(0, 14), "This is line 0");
  const auto found = request("POST", "/v1/documents/" + id + "/find", R"({"quotes":["line 200 of\n a document","no such words"]})");
  EXPECT_EQ(at(found, "/matches/0/found"), true) << found.body;
  EXPECT_EQ(at(found, "/matches/0/boxes/0/page"), 3);
  EXPECT_GT(at(found, "/matches/0/boxes/0/x1").to_number<double>(), at(found, "/matches/0/boxes/0/x0").to_number<double>());
  EXPECT_EQ(at(found, "/matches/1/found"), false);
  EXPECT_EQ(request("DELETE", "/v1/documents/" + id).status, 200);
  EXPECT_EQ(request("DELETE", "/v1/documents/" + id).status, 404);
  EXPECT_EQ(ask(R"("documents":[")" + id + "\"]").status, 404);
}

TEST_F(ServerTest, CachedAndColdAnswersAreTheSame) {
  start();
  const std::string id = upload_and_wait("note.txt", lines(200));
  const auto warm = ask(R"("documents":[")" + id + "\"]");
  end();
  options_.schedule.feature_bytes = options_.schedule.prefix_bytes = 0;
  options_.read_ahead = false;
  start();
  const auto cold = ask(R"("documents":[")" + id + "\"]");  // documents survive a restart
  ASSERT_EQ(cold.status, 200) << cold.body;
  EXPECT_EQ(at(cold, "/usage/prompt_tokens_details/cached_tokens"), 0);
  EXPECT_EQ(at(cold, "/choices/0/message/content"), at(warm, "/choices/0/message/content"));
}

TEST_F(ServerTest, StreamsChunksAndUsage) {
  start();
  const auto plain = ask("");
  const auto stream = ask(R"("stream":true,"n":2,"stream_options":{"include_usage":true})");
  EXPECT_EQ(stream.status, 200);
  EXPECT_THAT(stream.head, HasSubstr("text/event-stream"));
  std::string answer;
  for (size_t at_event = 0; (at_event = stream.body.find("data: {", at_event)) != std::string::npos; ++at_event) {
    const json::value event = json::parse(stream.body.substr(at_event + 6, stream.body.find("\n\n", at_event) - at_event - 6));
    for (const json::value& choice : event.at("choices").as_array()) {
      const json::value* content = choice.at("delta").as_object().if_contains("content");
      if (choice.at("index") == 0 && content != nullptr) answer += json::value_to<std::string>(*content);
    }
  }
  EXPECT_EQ(answer, json::value_to<std::string>(at(plain, "/choices/0/message/content")));
  EXPECT_THAT(stream.body, HasSubstr("\"finish_reason\":\"length\""));
  EXPECT_THAT(stream.body, HasSubstr("\"completion_tokens\":24"));
  EXPECT_TRUE(stream.body.ends_with("data: [DONE]\n\n"));
}

TEST_F(ServerTest, FilesInsideAMessage) {
  start();
  const auto answer = request("POST", "/v1/chat/completions", R"({"max_tokens":3,"messages":[{"role":"user","content":[
    {"type":"file","file":{"filename":"a.txt","file_data":"SGVsbG8gd29ybGQ="}},{"type":"text","text":"What?"}]}]})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(at(answer, "/glyph/pages"), 1);
  const auto damaged = request("POST", "/v1/chat/completions", R"({"messages":[{"role":"user","content":[
    {"type":"image_url","image_url":{"url":"data:image/png;base64,SGVsbG8gd29ybGQ="}},{"type":"text","text":"What?"}]}]})");
  EXPECT_THAT(damaged.status, AnyOf(400, 422)) << damaged.body;
}

TEST_F(ServerTest, AFileThatComesAgainIsNotDrawnAgain) {
  start();
  const auto ask_again = [&](const std::string& question) {
    return request("POST", "/v1/chat/completions", R"({"max_tokens":3,"messages":[{"role":"user","content":[
      {"type":"file","file":{"filename":"a.txt","file_data":"SGVsbG8gd29ybGQ="}},{"type":"text","text":")" + question + R"("}]}]})");
  };
  const auto first = ask_again("What?"), second = ask_again("And then?");
  EXPECT_GT(at(first, "/glyph/timings_ms/render").to_number<double>(), 0);
  EXPECT_EQ(at(second, "/glyph/timings_ms/render").to_number<double>(), 0);
  EXPECT_EQ(at(second, "/glyph/timings_ms/vision").to_number<double>(), 0);
  EXPECT_GT(at(second, "/usage/prompt_tokens_details/cached_tokens").to_number<int64_t>(), 0);
  EXPECT_EQ(at(second, "/glyph/pages"), 1);
}

TEST_F(ServerTest, BadRequestsGetASentence) {
  options_.max_chat_bytes = 10'000;
  start();
  const auto check = [&](const ClientResponse& response, int status) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_FALSE(json::value_to<std::string>(at(response, "/error/message")).empty());
  };
  check(request("POST", "/v1/chat/completions", "{"), 400);
  check(request("POST", "/v1/chat/completions", "\xff\xfe"), 400);
  check(request("POST", "/v1/chat/completions", std::string(10'001, ' ')), 413);
  check(ask(R"("model":"gpt-9")"), 404);
  check(ask(R"("documents":["doc_none"])"), 404);
  check(ask(R"("n":5)"), 400);
  check(request("POST", "/v1/documents", "x"), 415);
  check(request("POST", "/v1/documents", "x", "Content-Type: multipart/form-data\r\n"), 400);
  check(request("POST", "/v1/chat/completions", "{}", "Content-Type: application/xml\r\n"), 415);
  check(request("POST", "/v1/chat/completions", "{}", "Content-Encoding: gzip\r\n"), 415);
  check(upload("a.txt", ""), 422);
  check(upload("a.txt", "text", R"({"dpi":"many"})"), 422);
  check(request("GET", "/health", "", "X-Long: " + std::string(20'000, 'x') + "\r\n"), 431);
  check(request("GET", "/health", "", "Origin: http://evil.example\r\n"), 403);
  HttpClient garbage(server_->port());
  garbage.send("\x16\x03\x01\x02 this is not HTTP\r\n\r\n");
  check(garbage.response(), 400);
  const std::string id = text_at(upload("a.pdf", "%PDF-1.7 damaged"), "id");
  EXPECT_THAT(request("GET", "/v1/documents/" + id + "/events").body, HasSubstr("\"state\":\"failed\""));
  check(ask(R"("documents":[")" + id + "\"]"), 422);
  EXPECT_EQ(request("GET", "/health").status, 200);
}

TEST_F(ServerTest, ClientsThatStallAreCutOff) {
  start();
  HttpClient slow_header(server_->port());
  slow_header.send("GET /health HT");
  EXPECT_EQ(slow_header.response().status, 408);
  HttpClient half_body(server_->port());
  half_body.send("POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 100000\r\n\r\n--B\r\n");
  EXPECT_EQ(half_body.response().status, 408);
  HttpClient gone(server_->port());
  gone.send("POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 100000\r\n\r\n--B\r\n");
  gone.close();
  EXPECT_TRUE(eventually([&] { return metric("glyph_connections") <= 2; }));
  EXPECT_TRUE(eventually([&] { return fs::is_empty(options_.state_dir / "uploads"); }));
}

TEST_F(ServerTest, ManySlowHeadersDoNotKeepOthersWaiting) {
  start();
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 400; ++i) {
    clients.push_back(std::make_unique<HttpClient>(server_->port()));
    clients.back()->send("GET / HTTP/1.1\r\n");
  }
  EXPECT_EQ(request("GET", "/health").status, 200);
  EXPECT_TRUE(eventually([&] { return metric("glyph_connections") <= 2; }));
}

TEST_F(ServerTest, AClientThatGoesAwayStopsItsQuestion) {
  start();
  HttpClient client(server_->port());
  post_chat(client, kLongAnswer);
  ASSERT_TRUE(client.read_until("delta"));
  client.close();
  EXPECT_TRUE(eventually([&] { return metric("glyph_requests_cancelled_total") == 1; }));
}

TEST_F(ServerTest, AReaderThatStopsReadingIsCutOff) {
  options_.http.max_unsent_bytes = 64 * 1024;
  start();
  const std::string body = R"({"stream":true,"n":4,"max_tokens":20000,"ignore_eos":true,"messages":[{"role":"user","content":"Tell me everything."}]})";
  HttpClient client(server_->port(), 4096);
  post_chat(client, body);
  EXPECT_TRUE(eventually([&] { return metric("vllm:num_requests_running") == 0 && metric("glyph_requests_cancelled_total") == 1; }));
}

TEST_F(ServerTest, TwoUploadsAtOnceAreOneDocument) {
  start();
  std::vector<std::future<std::string>> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(std::async(std::launch::async, [this] { return text_at(upload("note.txt", lines(400)), "id"); }));
  const std::string id = ids[0].get();
  for (size_t i = 1; i < ids.size(); ++i) EXPECT_EQ(ids[i].get(), id);
  EXPECT_EQ(at(request("GET", "/v1/documents"), "/data").as_array().size(), 1u);
}

TEST_F(ServerTest, ADocumentIsDeletedWhileItIsRead) {
  start();
  for (int i = 0; i < 5; ++i) {
    const std::string id = text_at(upload("note.txt", lines(900, "round " + std::to_string(i))), "id");
    std::this_thread::sleep_for(std::chrono::milliseconds(40 * i));
    EXPECT_EQ(request("DELETE", "/v1/documents/" + id).status, 200);
    EXPECT_FALSE(fs::exists(options_.state_dir / "documents" / id));
  }
  EXPECT_EQ(ask("").status, 200);
}

TEST_F(ServerTest, StoppingFinishesStreams) {
  start();
  const std::string body = R"({"stream":true,"max_tokens":300,"ignore_eos":true,"messages":[{"role":"user","content":"Hello"}]})";
  HttpClient client(server_->port()), idle(server_->port());
  post_chat(client, body);
  ASSERT_TRUE(client.read_until("delta"));
  server_->stop();
  const auto response = client.response();
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.body.ends_with("data: [DONE]\n\n"));
  EXPECT_EQ(idle.response().status, 0);
}

TEST_F(ServerTest, ConversationsSurviveARestart) {
  start();
  const auto added = request("POST", "/v1/conversations", R"({"title":"First","documents":["doc_1"],"messages":[{"role":"user","content":"Hi"}]})");
  ASSERT_EQ(added.status, 201) << added.body;
  const std::string path = "/v1/conversations/" + text_at(added, "id");
  EXPECT_EQ(request("PUT", path, R"({"title":"Renamed"})").status, 200);
  EXPECT_EQ(request("PUT", path, R"({"messages":[1]})").status, 400);
  EXPECT_EQ(request("POST", "/v1/conversations", R"({"title":7})").status, 400);
  end();
  start();
  const auto found = request("GET", path);
  EXPECT_EQ(text_at(found, "title"), "Renamed");
  EXPECT_EQ(at(found, "/messages/0/content"), "Hi");
  EXPECT_EQ(at(request("GET", "/v1/conversations"), "/data/0/documents/0"), "doc_1");
  EXPECT_EQ(request("DELETE", path).status, 200);
  EXPECT_EQ(request("GET", path).status, 404);
}

TEST_F(ServerTest, OtherHostsNeedKeys) {
  options_.http.host = "0.0.0.0";
  const auto server = Server::open({{model_}}, options_);
  ASSERT_FALSE(server.ok());
  EXPECT_EQ(server.status().code(), StatusCode::kUsage);
  options_.http.host = "somewhere";
  options_.allow_remote_without_keys = true;
  EXPECT_EQ(Server::open({{model_}}, options_).status().code(), StatusCode::kUsage);
}

TEST_F(ServerTest, AClientThatAsksTooOftenIsToldWhen) {
  options_.rates.requests_per_minute = 3;
  start();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(request("GET", "/v1/models").status, 200);
  const auto refused = request("GET", "/v1/models");
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.head, HasSubstr("Retry-After: "));
  EXPECT_EQ(at(refused, "/error/type"), "rate_limit_error");
  EXPECT_EQ(request("GET", "/health").status, 200);
}

TEST_F(ServerTest, AClientAsksOnlySoManyAtOnce) {
  options_.rates.requests_at_once = 1;
  start();
  HttpClient client(server_->port());
  post_chat(client, kLongAnswer);
  ASSERT_TRUE(client.read_until("delta"));
  EXPECT_EQ(ask("").status, 429);
  EXPECT_EQ(request("GET", "/v1/models").status, 200);
  client.close();
  EXPECT_TRUE(eventually([&] { return ask("").status == 200; }));
  EXPECT_TRUE(eventually([&] { return ask("").status == 200; }));  // the one before gave its place back
}

TEST_F(ServerTest, QuietStreamsGetComments) {
  options_.http.event_idle_seconds = 0.01;
  start();
  HttpClient client(server_->port());
  post_chat(client, kLongAnswer);
  EXPECT_TRUE(client.read_until(": keep-alive\n\n"));
}

TEST_F(ServerTest, KeysAreNeededWhereThereAreSome) {
  options_.api_keys = {sha256("sk-0123456789abcdef")};
  start();
  EXPECT_EQ(request("GET", "/v1/models").status, 401);
  const auto page = request("GET", "/");
  EXPECT_EQ(page.status, 401);
  EXPECT_THAT(page.head, testing::HasSubstr("\r\nWWW-Authenticate: Basic "));
  EXPECT_EQ(request("GET", "/", "", "Authorization: Basic OnNrLTAxMjM0NTY3ODlhYmNkZWY=\r\n").status, 200);
  EXPECT_EQ(request("GET", "/health").status, 200);
  EXPECT_EQ(request("GET", "/v1/models", "", "Authorization: Bearer sk-0123456789abcdef\r\n").status, 200);
}

}  // namespace
}  // namespace glyph
