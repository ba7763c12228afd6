#include "server/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "server/health.h"
#include "server/process_figures.h"

namespace glyph {
namespace {

using testing::HasSubstr;

// Reads the text format strictly, as https://prometheus.io/docs/instrumenting/exposition_formats tells it and `promtool check metrics`
// checks it: what is wrong first, or nothing.
class Checker {
 public:
  static std::string problem_of(const std::string& text) {
    Checker checker;
    std::string problem = text.ends_with('\n') ? "" : "the last line does not end";
    std::istringstream lines(text);
    for (std::string line; problem.empty() && std::getline(lines, line);) {
      problem = line.starts_with('#') ? checker.comment(line) : checker.sample(line);
      if (!problem.empty()) problem += ": " + line;
    }
    return problem.empty() ? checker.end_family() : problem;
  }

 private:
  std::string comment(const std::string& line) {
    static const std::regex help(R"(# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\S.*))"), type("# TYPE (\\S+) (counter|gauge|histogram)");
    std::smatch found;
    if (std::regex_match(line, found, help)) {
      if (const std::string problem = end_family(); !problem.empty()) return problem;
      family_ = found[1];
      type_.clear();
      return families_.insert(family_).second ? "" : "a family twice";
    }
    if (!std::regex_match(line, found, type) || found[1] != family_ || !type_.empty()) return "not HELP, then TYPE, of one family";
    type_ = found[2];
    const bool total = family_.ends_with("_total");
    return total == (type_ == "counter") ? "" : "counters, and only they, end in _total";
  }

  std::string sample(const std::string& line) {
    static const std::regex form(R"(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+))");
    std::smatch found;
    if (!std::regex_match(line, found, form)) return "not a sample";
    const std::string name = found[1], labels = found[3], value_text = found[4];
    double value = 0;
    const auto [end, error] = std::from_chars(value_text.data(), value_text.data() + value_text.size(), value);
    if (error != std::errc() || end != value_text.data() + value_text.size()) return "not a number";
    if (!samples_.insert(name + "{" + labels).second) return "a sample twice";
    if (type_ != "histogram") return name == family_ && (type_ != "counter" || value >= 0) ? "" : "not a sample of its family";
    return part_of_histogram(name, labels, value);
  }

  std::string part_of_histogram(const std::string& name, const std::string& labels, double value) {
    static const std::regex le(",?le=\"([^\"]+)\"");
    std::smatch found;
    const std::string others = std::regex_replace(labels, le, "");
    Series& series = histograms_[others];
    if (name == family_ + "_sum") return series.sum.emplace(value), "";
    if (name == family_ + "_count") return series.count.emplace(value), "";
    if (name != family_ + "_bucket" || !std::regex_search(labels, found, le)) return "not a sample of its family";
    const double bound = found[1] == "+Inf" ? std::numeric_limits<double>::infinity() : std::stod(found[1]);
    if (!series.buckets.empty() && (bound <= series.buckets.back().first || value < series.buckets.back().second)) return "buckets do not rise";
    series.buckets.emplace_back(bound, value);
    return "";
  }

  std::string end_family() {
    if (!family_.empty() && type_.empty()) return family_ + ": has no type";
    for (const auto& [labels, series] : histograms_) {
      if (series.buckets.empty() || !std::isinf(series.buckets.back().first)) return family_ + ": has no +Inf bucket";
      if (!series.sum || series.count != series.buckets.back().second) return family_ + ": sum or count is not there or wrong";
    }
    histograms_.clear();
    return "";
  }

  struct Series {
    std::vector<std::pair<double, double>> buckets;  // bound, count
    std::optional<double> sum, count;
  };
  std::string family_, type_;
  std::set<std::string> families_, samples_;
  std::map<std::string, Series> histograms_;  // of the family, by labels
};

TEST(Checker, NamesWhatIsWrong) {
  const std::string head = "# HELP a_total Things.\n# TYPE a_total counter\n";
  EXPECT_EQ(Checker::problem_of(head + "a_total{x=\"1\\n\\\\\"} 2\na_total 1e+06\n"), "");
  const std::string histogram = "# HELP h Times.\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} ";
  EXPECT_EQ(Checker::problem_of(histogram + "2\nh_sum 1.5\nh_count 2\n"), "");
  for (const std::string& bad : {head + "a_total 2", head + "b_total 2\n", head + "a_total x\n", head + "a_total{x=\"\\q\"} 2\n", head + head,
                                 head + "a_total 1\na_total 2\n", head + "a_total -1\n", std::string("# HELP a Things.\na 1\n"),
                                 std::string("a 1\n"), std::string("# HELP a_total Things.\n# TYPE a_total gauge\n"),
                                 histogram + "0\nh_sum 1\nh_count 0\n", histogram + "2\nh_count 2\n", histogram + "2\nh_sum 1\nh_count 3\n",
                                 histogram + "2\n"}) {
    EXPECT_NE(Checker::problem_of(bad), "") << bad;
  }
}

RequestRecord record(std::string_view route, int status) {
  RequestRecord one;
  one.method = "POST";
  one.route = route;
  one.status = status;
  one.ms = 40;
  return one;
}

TEST(Metrics, AreInTheFormatBeforeAndAfterRequests) {
  Metrics metrics("a \"model\"\\\nof mine");
  SchedulerStats stats;
  EXPECT_EQ(Checker::problem_of(metrics.response({&stats, 1}, 0).body), "");
  EXPECT_THAT(metrics.response({&stats, 1}, 0).body, HasSubstr("vllm:request_success_total{finished_reason=\"stop\",model_name="));
  stats.prompt_tokens = 12'345'678'901;
  stats.max_kv_blocks = 3;
  stats.kv_blocks_in_use = 1;
  stats.kv_block_tokens = 64;
  stats.caches.memory_features = {5, 4};
  stats.caches.ram_features = {2, 2, 1};
  stats.caches.ram_kv_bytes = 4096;
  stats.caches.disk_features = {3, 1};
  RequestRecord answered = record("/v1/chat/completions", 200);
  answered.answer = AnswerFigures{700, 650, 22, 8, 6, 30, 40, {"stop", "length"}, 2, 64};
  metrics.add(answered);
  metrics.add(record("other", RequestRecord::kClientGone));
  metrics.add(record("other", 404));
  const HttpResponse response = metrics.response({&stats, 1}, 7);
  EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
  const std::string& text = response.body;
  EXPECT_EQ(Checker::problem_of(text), "") << text;
  const std::string model = R"(model_name="a \"model\"\\\nof mine")";
  for (const std::string& line : std::vector<std::string>{
           R"(http_requests_total{handler="/v1/chat/completions",method="POST",status="200"} 1)",
           R"(http_requests_total{handler="other",method="POST",status="499"} 1)",
           R"(http_request_duration_seconds_bucket{handler="other",le="0.01"} 0)",
           R"(http_request_duration_seconds_bucket{handler="other",le="0.1"} 2)",
           "vllm:prompt_tokens_total{" + model + "} 12345678901",
           R"(vllm:request_success_total{finished_reason="length",)" + model + "} 1",
           "vllm:time_to_first_token_seconds_bucket{" + model + R"(,le="0.005"} 0)",
           "vllm:time_to_first_token_seconds_bucket{" + model + R"(,le="0.01"} 1)",
           "vllm:time_to_first_token_seconds_count{" + model + "} 1",
           "vllm:inter_token_latency_seconds_sum{" + model + "} 0.003",  // 30 ms for 10 steps of two answers
           "vllm:request_queue_time_seconds_sum{" + model + "} 0.002",
           "vllm:request_inference_time_seconds_sum{" + model + "} 0.038",
           "vllm:request_prefill_kv_computed_tokens_sum{" + model + "} 50",
           "vllm:request_params_max_tokens_sum{" + model + "} 64",
           "vllm:request_params_n_sum{" + model + "} 2",
           "vllm:mm_cache_queries_total{" + model + "} 9",
           "vllm:mm_cache_hits_total{" + model + "} 10",
           R"(glyph_cache_hits_total{kind="features",)" + model + R"(,tier="ram"} 2)",
           R"(glyph_cache_evictions_total{kind="features",)" + model + R"(,tier="ram"} 1)",
           R"(glyph_cache_bytes{kind="kv",)" + model + R"(,tier="ram"} 4096)",
           R"(vllm:cache_config_info{block_size="64",)" + model + R"(,num_gpu_blocks="3"} 1)",
           "glyph_connections 7"}) {
    EXPECT_THAT(text, HasSubstr("\n" + line + "\n"));
  }
}

TEST(Metrics, OfSeveralReplicasHaveALabel) {
  Metrics metrics("m");
  SchedulerStats stats[2];
  stats[0].prompt_tokens = 7;
  stats[1].engine = EngineState::kFailed;
  for (SchedulerStats& one : stats) {
    one.caches.disk_kv = {2, 1};
    one.caches.disk.kv_bytes = 100;  // of the one disk
    one.caches.num_waiting = 3;
    one.caches.num_writing = 4;
  }
  const std::string text = metrics.response(stats, 0).body;
  EXPECT_EQ(Checker::problem_of(text), "") << text;
  for (const std::string line : {R"(vllm:prompt_tokens_total{model_name="m",engine="0"} 7)", R"(vllm:prompt_tokens_total{model_name="m",engine="1"} 0)",
                                 R"(glyph_engine_up{model_name="m",engine="0"} 1)", R"(glyph_engine_up{model_name="m",engine="1"} 0)",
                                 R"(glyph_cache_hits_total{kind="kv",model_name="m",tier="disk",engine="1"} 2)",
                                 R"(glyph_cache_bytes{kind="kv",model_name="m",tier="disk"} 100)", R"(glyph_cache_unwritten_entries{model_name="m"} 10)"}) {
    EXPECT_THAT(text, HasSubstr("\n" + line + "\n"));
  }
}

TEST(Metrics, TheProcessIsThisOne) {
  const ProcessFigures figures = process_figures();
  EXPECT_GT(figures.resident_bytes, 1u << 20);
  EXPECT_GT(figures.virtual_bytes, figures.resident_bytes);
  EXPECT_GE(figures.open_fds, 3u);
  EXPECT_GT(figures.max_fds, figures.open_fds);
  EXPECT_GT(figures.start_seconds, 1.6e9);
  EXPECT_GE(figures.cpu_seconds, 0);
}

TEST(Ready, SaysWhyNot) {
  SchedulerStats stats;
  EXPECT_EQ(ready_response({&stats, 1}, 1, false).status, 200);
  stats.num_waiting = 1;
  EXPECT_EQ(ready_response({&stats, 1}, 1, false).status, 503);
  EXPECT_THAT(ready_response({&stats, 1}, 1, false).body, HasSubstr("busy"));
  EXPECT_THAT(ready_response({&stats, 1}, 1, true).body, HasSubstr("stopping"));
  EXPECT_EQ(health_response({&stats, 1}).status, 200);
  stats.engine = EngineState::kReloading;
  EXPECT_EQ(health_response({&stats, 1}).status, 200);
  EXPECT_THAT(ready_response({&stats, 1}, 2, false).body, HasSubstr("reloading"));
  stats.engine = EngineState::kFailed;
  stats.engine_failure = "the device failed";
  EXPECT_EQ(health_response({&stats, 1}).status, 503);
  EXPECT_THAT(health_response({&stats, 1}).body, HasSubstr("\"message\":\"the device failed\""));
  EXPECT_EQ(ready_response({&stats, 1}, 2, false).status, 503);
  EXPECT_THAT(ready_response({&stats, 1}, 2, false).body, HasSubstr("failed"));
}

TEST(Ready, OfSeveralReplicas) {
  SchedulerStats stats[2];
  stats[0].num_waiting = 1;
  EXPECT_EQ(ready_response(stats, 1, false).status, 200);  // the other one takes questions
  stats[1].engine = EngineState::kReloading;
  EXPECT_EQ(health_response(stats).status, 200);
  EXPECT_THAT(health_response(stats).body, HasSubstr("\"status\":\"reloading\",\"replicas\":[{\"status\":\"ok\"},{\"status\":\"reloading\"}]"));
  EXPECT_EQ(ready_response(stats, 2, false).status, 200);  // the first one takes them meanwhile
  EXPECT_EQ(ready_response(stats, 2, false).body, R"({"status":"ok","replicas":[{"status":"ok"},{"status":"reloading"}]})");
  EXPECT_THAT(ready_response(stats, 1, false).body, HasSubstr("\"status\":\"busy\""));
  stats[0].engine = EngineState::kReloading;
  EXPECT_EQ(ready_response(stats, 2, false).status, 503);
  EXPECT_THAT(ready_response(stats, 2, false).body, HasSubstr("\"status\":\"reloading\""));
  stats[0].engine = EngineState::kRunning;
  stats[1].engine = EngineState::kFailed;
  stats[1].engine_failure = "the device failed";
  EXPECT_EQ(ready_response(stats, 2, false).status, 200);
  EXPECT_THAT(ready_response(stats, 1, false).body, HasSubstr("busy"));
  EXPECT_EQ(health_response(stats).body, R"({"status":"ok","replicas":[{"status":"ok"},{"status":"failed","message":"the device failed"}]})");
  stats[0].engine = EngineState::kFailed;
  EXPECT_EQ(health_response(stats).status, 503);
  EXPECT_EQ(ready_response(stats, 2, false).status, 503);
}

}  // namespace
}  // namespace glyph
