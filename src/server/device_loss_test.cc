// A device that is lost while clients wait, through sockets: they get an answer or a sentence, and the server goes on.
#include "server/server_fixture.h"
#include "support/failing_device.h"

namespace glyph {
namespace {

using testing::HasSubstr;

class DeviceLossTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    const std::filesystem::path dir = fresh_test_dir("failing_model");
    ASSERT_TRUE(write_tiny_model(dir).ok());
    ModelOptions options{.dir = dir};
    options.open_device = FailingDevice::opener(faults_);
    failing_ = Model::load(options).value();
    options_.disk_dir = options_.state_dir / "cache";
    options_.schedule.reload_pause_seconds = 0.01;
    open({{failing_.get(), [this] { return failing_->reload(); }}});
  }
  void TearDown() override {
    ServerTest::TearDown();
    if (server_ != nullptr) end();
  }
  static std::string answer_of(const ClientResponse& response) {
    return std::string(at(response, "/choices/0/message/content").as_string());
  }

  const DeviceFaultsPtr faults_ = std::make_shared<DeviceFaults>();
  std::unique_ptr<Model> failing_;
};

TEST_F(DeviceLossTest, OneRequestFailsTheOthersAreAnswered) {
  const std::string document = upload_and_wait("a.txt", lines(200));
  const std::string fields = R"("documents":[")" + document + R"("])";
  const std::string expected = answer_of(ask(fields));
  EXPECT_TRUE(eventually([&] { return metric("glyph_cache_unwritten_entries") == 0; }));
  faults_->checks_left = 1;
  const ClientResponse failed = ask("");
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(text_at(failed, "error/message"), "the GPU reports an error: an illegal memory access");

  std::vector<std::thread> clients;
  std::vector<ClientResponse> answers(4);
  for (ClientResponse& answer : answers) clients.emplace_back([&] { answer = ask(fields); });
  for (std::thread& client : clients) client.join();
  for (const ClientResponse& answer : answers) {
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer_of(answer), expected);
    EXPECT_GT(at(answer, "/usage/prompt_tokens_details/cached_tokens").as_int64(), 0);  // from disk
  }
  EXPECT_EQ(faults_->num_opened, 2);
  EXPECT_EQ(request("GET", "/health").status, 200);
  EXPECT_EQ(request("GET", "/ready").status, 200);
  EXPECT_EQ(metric("glyph_engine_reloads_total"), 1);
  EXPECT_EQ(metric("glyph_engine_up"), 1);
}

// Streams end with the sentence as an event; an upload that waits is read on the next device.
TEST_F(DeviceLossTest, AStreamThatIsCutOffSaysWhy) {
  HttpClient client(server_->port());
  std::thread stream([&] {
    const ClientResponse cut = client.request("POST", "/v1/chat/completions",
        R"({"messages":[{"role":"user","content":"Tell me everything"}],"stream":true,"ignore_eos":true,"max_tokens":20000})");
    EXPECT_EQ(cut.status, 200);
    EXPECT_THAT(cut.body, HasSubstr("an illegal memory access"));
  });
  EXPECT_TRUE(eventually([&] { return metric("vllm:num_requests_running") == 1; }));
  faults_->checks_left = 5;
  stream.join();
  upload_and_wait("b.txt", lines(100));
  EXPECT_EQ(ask("").status, 200);
}

TEST_F(DeviceLossTest, AfterSomeLossesTheServerSaysThatOnlyARestartHelps) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(eventually([&] { return metric("glyph_engine_reloads_total") == i; }));
    faults_->checks_left = 1;
    EXPECT_EQ(ask("").status, 500);
  }
  EXPECT_TRUE(eventually([&] { return request("GET", "/health").status == 503; }));
  const ClientResponse health = request("GET", "/health");
  EXPECT_EQ(text_at(health, "status"), "failed");
  EXPECT_THAT(text_at(health, "message"), HasSubstr("the device failed 3 times"));
  EXPECT_EQ(request("GET", "/ready").status, 503);
  EXPECT_EQ(metric("glyph_engine_up"), 0);
  const ClientResponse refused = ask("");
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(text_at(refused, "error/message"), HasSubstr("is not tried again"));
  const std::string document = text_at(upload("a.txt", lines(20)), "id");
  EXPECT_THAT(request("GET", "/v1/documents/" + document + "/events").body, HasSubstr("is not tried again"));
  EXPECT_EQ(request("GET", "/v1/models").status, 200);
  EXPECT_EQ(request("GET", "/").status, 200);
}

}  // namespace
}  // namespace glyph
