// A server with two copies of its model, through sockets.
#include <vector>

#include "server/server_fixture.h"
#include "support/failing_device.h"

namespace glyph {
namespace {

using testing::HasSubstr;

class SeveralReplicasTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    const std::filesystem::path dir = fresh_test_dir("model");
    ASSERT_TRUE(write_tiny_model(dir).ok());
    options_.disk_dir = options_.state_dir / "cache";
    options_.schedule.max_device_failures = 1;
    std::vector<Replica> replicas;
    for (const DeviceFaultsPtr& faults : faults_) {
      ModelOptions options{.dir = dir};
      options.open_device = FailingDevice::opener(faults);
      models_.push_back(Model::load(options).value());
      replicas.push_back({models_.back().get(), [model = models_.back().get()] { return model->reload(); }});
    }
    open(replicas);
  }
  void TearDown() override {
    ServerTest::TearDown();
    if (server_ != nullptr) end();
  }
  double metric_of(const std::string& name, int engine) {
    const std::string sample = "\n" + name + "{model_name=\"" + models_[0]->name() + "\",engine=\"" + std::to_string(engine) + "\"} ";
    const std::string body = request("GET", "/metrics").body;
    const size_t found = body.find(sample);
    return found == std::string::npos ? -1 : std::atof(body.c_str() + found + sample.size());
  }
  // Loses the device of the replica that is asked next.
  void lose_for_good() {
    EXPECT_TRUE(eventually([&] { return metric("glyph_cache_unwritten_entries") == 0; }));  // nothing else asks how a device is
    for (const DeviceFaultsPtr& faults : faults_) faults->checks_left = 1;
    EXPECT_EQ(ask("").status, 500);
    for (const DeviceFaultsPtr& faults : faults_) faults->checks_left = 0;
  }

  const std::vector<DeviceFaultsPtr> faults_{std::make_shared<DeviceFaults>(), std::make_shared<DeviceFaults>()};
  std::vector<std::unique_ptr<Model>> models_;
};

TEST_F(SeveralReplicasTest, DocumentsSpreadAndStayWhereTheyAre) {
  const std::string first = upload_and_wait("a.txt", lines(200, "one")), second = upload_and_wait("b.txt", lines(200, "two"));
  for (const std::string& document : {first, second, second, first}) {
    const ClientResponse answer = ask(R"("documents":[")" + document + R"("])");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_GT(at(answer, "/usage/prompt_tokens_details/cached_tokens").as_int64(), 500);
  }
  for (int engine = 0; engine < 2; ++engine) {
    EXPECT_TRUE(eventually([&] { return metric_of("glyph_requests_finished_total", engine) == 3; }));
    EXPECT_GT(metric_of("glyph_prefix_cache_bytes", engine), 0);
  }
  EXPECT_EQ(text_at(request("GET", "/health"), "status"), "ok");
  EXPECT_EQ(at(request("GET", "/ready"), "/replicas/1/status"), "ok");

  for (const std::string& document : {first, second}) EXPECT_EQ(request("DELETE", "/v1/documents/" + document).status, 200);
  ASSERT_TRUE(server_->check_integrity().ok());
  for (int engine = 0; engine < 2; ++engine) EXPECT_EQ(metric_of("glyph_prefix_cache_bytes", engine), 0);
  EXPECT_THAT(request("GET", "/metrics").body, HasSubstr("glyph_cache_bytes{kind=\"kv\",model_name=\"" + models_[0]->name() + "\",tier=\"disk\"} 0\n"));
}

TEST_F(SeveralReplicasTest, TheServerLivesWhileOneDoes) {
  const std::string document = upload_and_wait("a.txt", lines(100));
  const std::string fields = R"("documents":[")" + document + R"("])";
  EXPECT_EQ(ask(fields).status, 200);
  lose_for_good();
  EXPECT_TRUE(eventually([&] { return request("GET", "/health").body.find("\"failed\"") != std::string::npos; }));
  const ClientResponse health = request("GET", "/health");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(text_at(health, "status"), "ok");
  EXPECT_THAT(health.body, HasSubstr(R"("status":"failed","message":"the device failed 1 times)"));
  EXPECT_EQ(request("GET", "/ready").status, 200);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(fields).status, 200);
  EXPECT_EQ(metric_of("glyph_engine_up", 0) + metric_of("glyph_engine_up", 1), 1);

  lose_for_good();
  EXPECT_TRUE(eventually([&] { return request("GET", "/health").status == 503; }));
  EXPECT_EQ(text_at(request("GET", "/ready"), "status"), "failed");
  EXPECT_THAT(text_at(ask(fields), "error/message"), HasSubstr("is not tried again"));
}

}  // namespace
}  // namespace glyph
