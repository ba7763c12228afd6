// The server on a free port with a tiny model, for tests that talk to it through sockets.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/test_dir.h"
#include "server/server.h"
#include "support/http_client.h"
#include "support/tiny_model.h"

namespace glyph {

inline std::string lines(int count, const std::string& word = "nothing") {
  std::string text;
  for (int i = 0; i < count; ++i) text += "This is line " + std::to_string(i) + " of a document about " + word + " in particular.\n";
  return text;
}

class ServerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const std::filesystem::path dir = fresh_test_dir("model");
    ASSERT_TRUE(write_tiny_model(dir).ok());
    ModelOptions options;
    options.dir = dir;
    auto model = Model::load(options);
    ASSERT_TRUE(model.ok()) << model.status().message();
    model_ = model->release();
  }
  static void TearDownTestSuite() { delete model_; }

  void SetUp() override {
    options_.http.port = 0;
    options_.http.header_seconds = 1;
    options_.http.body_idle_seconds = 1;
    options_.http.write_seconds = 2;
    options_.http.shutdown_seconds = 10;
    options_.state_dir = fresh_test_dir();
  }
  void TearDown() override {
    if (server_ == nullptr) return;
    const Status status = server_->check_integrity();
    EXPECT_TRUE(status.ok()) << status.message();
    end();
  }

  void start() { start(*model_); }
  void start(const Model& model) {
    open({{&model}});
  }
  void open(const std::vector<Replica>& replicas) {
    auto server = Server::open(replicas, options_);
    ASSERT_TRUE(server.ok()) << server.status().message();
    server_ = *std::move(server);
    thread_ = std::thread([this] { server_->run(); });
  }
  void end() {
    server_->stop();
    thread_.join();
    server_.reset();
  }

  ClientResponse request(const std::string& method, const std::string& target, const std::string& body = {}, const std::string& headers = {}) {
    return HttpClient(server_->port()).request(method, target, body, headers);
  }
  ClientResponse upload(const std::string& name, const std::string& bytes, const std::string& style = {}) {
    std::string form = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name + "\"\r\n\r\n" + bytes + "\r\n";
    if (!style.empty()) form += "--B\r\nContent-Disposition: form-data; name=\"style\"\r\n\r\n" + style + "\r\n";
    return request("POST", "/v1/documents", form + "--B--\r\n", "Content-Type: multipart/form-data; boundary=B\r\n");
  }
  std::string upload_and_wait(const std::string& name, const std::string& bytes) {
    const std::string id = text_at(upload(name, bytes), "id");
    const ClientResponse events = request("GET", "/v1/documents/" + id + "/events");
    EXPECT_THAT(events.body, testing::HasSubstr("\"state\":\"ready\"")) << events.body;
    return id;
  }
  ClientResponse ask(const std::string& fields, const std::string& question = "What is it about?") {
    return request("POST", "/v1/chat/completions",
                   R"({"messages":[{"role":"user","content":")" + question + R"("}],"max_tokens":12)" + (fields.empty() ? "" : ",") + fields + "}");
  }

  static boost::json::value at(const ClientResponse& response, const std::string& pointer) {
    boost::system::error_code error;
    const boost::json::value body = boost::json::parse(response.body, error);
    EXPECT_FALSE(error) << response.body;
    const boost::json::value* found = error ? nullptr : body.find_pointer(pointer, error);
    EXPECT_NE(found, nullptr) << pointer << " in " << response.body;
    return found == nullptr ? boost::json::value() : *found;
  }
  static std::string text_at(const ClientResponse& response, const std::string& key) {
    const boost::json::value value = at(response, "/" + key);
    return value.is_string() ? boost::json::value_to<std::string>(value) : "";
  }
  // The value of a metric.
  double metric(const std::string& name) {
    const std::string body = request("GET", "/metrics").body;
    const size_t at = body.find("\n" + name + "{");
    return at == std::string::npos ? -1 : std::atof(body.c_str() + body.find("} ", at) + 2);
  }
  bool eventually(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);  // machines under test are busy
    while (std::chrono::steady_clock::now() < end) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  static inline Model* model_ = nullptr;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

}  // namespace glyph
