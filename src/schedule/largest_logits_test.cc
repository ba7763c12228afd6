// Answers chosen by the largest logits of each row, all of which stay where they were computed, are those chosen by all of them.
#include <atomic>
#include <map>

#include "answer/answer_format.h"
#include "schedule/scheduler_fixture.h"
#include "tensor/cpu_device.h"

namespace glyph {
namespace {

// Counts what comes from its memory as if that were out of the host's reach.
class CountingDevice : public CpuDevice {
 public:
  explicit CountingDevice(std::atomic<int>& num_downloads) : CpuDevice({.num_threads = 1}), num_downloads_(num_downloads) {}
  void download(void* to, const void* from, size_t num_bytes) override {
    ++num_downloads_;
    CpuDevice::download(to, from, num_bytes);
  }

 private:
  std::atomic<int>& num_downloads_;
};

class LargestLogitsTest : public SchedulerTest {
 protected:
  void load_on(int num_devices, bool as_on_gpu, const TinyModelOptions& tiny = {}) {
    scheduler_.reset();
    const std::filesystem::path dir = fresh_test_dir();
    ASSERT_TRUE(write_tiny_model(dir, tiny).ok());
    ModelOptions options{.dir = dir, .precision = Precision::kF32, .tensor_parallel = num_devices};
    options.as_on_gpu = as_on_gpu;
    options.open_device = [this]() -> Result<std::unique_ptr<Device>> {
      return std::unique_ptr<Device>(std::make_unique<CountingDevice>(num_downloads_));
    };
    model_ = Model::load(options).value();
  }

  struct Written {
    std::string text;
    std::map<int, std::vector<SampledToken>> tokens;  // by answer
    int num_downloads = 0;
    SchedulerStats stats;
  };
  Written write(const JobRequest& request, const std::vector<int32_t>& quotable = {}) {
    start({.draft_tokens = quotable.empty() ? size_t{0} : size_t{7}});
    JobRequest own = request;
    const SourcePtr source = source_of(60);
    source->set_text(std::make_shared<const DraftIndex>(quotable));
    own.turns = question({source}).turns;
    Written written;
    JobListener listener;
    listener.on_token = [&](int answer, const SampledToken& token) { written.tokens[answer].push_back(token); };
    num_downloads_ = 0;
    const auto result = submit(std::move(own), {}, std::move(listener)).get();
    EXPECT_TRUE(result.ok()) << result.status().message();
    EXPECT_TRUE(scheduler_->check_integrity().ok());
    if (result.ok()) {
      for (const JobResult::Answer& answer : result->answers) written.text += answer.text + "|" + answer.reasoning + "\n";
    }
    written.num_downloads = num_downloads_;
    written.stats = scheduler_->stats();
    return written;
  }
  static void expect_same(const Written& got, const Written& expected, const std::string& what) {
    EXPECT_EQ(got.text, expected.text) << what;
    ASSERT_EQ(got.tokens.size(), expected.tokens.size()) << what;
    for (const auto& [answer, tokens] : expected.tokens) {
      const std::vector<SampledToken>& own = got.tokens.at(answer);
      ASSERT_EQ(own.size(), tokens.size()) << what;
      for (size_t i = 0; i < own.size(); ++i) {
        EXPECT_EQ(own[i].id, tokens[i].id) << what << ", token " << i;
        EXPECT_NEAR(own[i].logprob, tokens[i].logprob, 1e-4) << what;
        ASSERT_EQ(own[i].top_logprobs.size(), tokens[i].top_logprobs.size()) << what;
        for (size_t n = 0; n < own[i].top_logprobs.size(); ++n) {
          EXPECT_EQ(own[i].top_logprobs[n].first, tokens[i].top_logprobs[n].first) << what << ", token " << i;
          EXPECT_NEAR(own[i].top_logprobs[n].second, tokens[i].top_logprobs[n].second, 1e-4) << what;
        }
      }
    }
  }

  std::atomic<int> num_downloads_ = 0;
};

struct Sampling {
  double temperature = 0;
  int64_t top_k = 0;
  double top_p = 1;
  double repetition_penalty = 1;
  uint64_t seed = 0;
};

JobRequest request_of(const Sampling& sampling, int64_t top_logprobs = -1) {
  JobRequest request;
  request.sampling.temperature = sampling.temperature;
  request.sampling.top_k = sampling.top_k;
  request.sampling.top_p = sampling.top_p;
  request.sampling.repetition_penalty = sampling.repetition_penalty;
  request.sampling.seed = sampling.seed;
  request.sampling.ignore_eos = true;
  request.max_tokens = 40;
  request.top_logprobs = top_logprobs;
  return request;
}

struct Case {
  const char* what;
  JobRequest request;
  int num_rows_fetched = 0;  // of 40
};

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases{
      {"greedy", request_of({})},
      {"greedy, with logprobs", request_of({}, 20)},
      {"penalised", request_of({.repetition_penalty = 1.2})},
      {"drawn among few", request_of({.temperature = 1.2, .top_k = 20, .top_p = 0.9, .seed = 5})},
      {"drawn among few, with logprobs", request_of({.temperature = 1.2, .top_k = 20, .seed = 7}, 3)},
      {"drawn among all", request_of({.temperature = 1.5, .seed = 6}, 2), 40},
      {"raised", request_of({.repetition_penalty = 0.8}), 40},
  };
  return kCases;
}

TEST_F(LargestLogitsTest, AnswersAreTheSame) {
  load_on(1, false);
  std::vector<Written> expected;
  for (const Case& one : cases()) {
    expected.push_back(write(one.request));
    EXPECT_EQ(expected.back().num_downloads, 0) << "the host's logits are there";
  }
  for (const int num_devices : {1, 2}) {
    load_on(num_devices, true);
    for (size_t i = 0; i < expected.size(); ++i) {
      const Case& one = cases()[i];
      const Written written = write(one.request);
      expect_same(written, expected[i], one.what);
      EXPECT_EQ(written.num_downloads, num_devices * (40 + one.num_rows_fetched)) << one.what << ": one a pass, one a fetched row";
    }
  }
}

TEST_F(LargestLogitsTest, SeveralAnswersShareTheFirstRow) {
  JobRequest request = request_of({.temperature = 1.5, .seed = 6});
  request.num_answers = 3;
  load_on(1, false);
  const Written expected = write(request);
  load_on(1, true);
  const Written written = write(request);
  expect_same(written, expected, "drawn among all");
  EXPECT_EQ(written.num_downloads, 40 + 1 + 39 * 3) << "one a pass, one for the first tokens, one for each other";
}

TEST_F(LargestLogitsTest, GuessesAreCheckedByThem) {
  for (const Sampling& sampling : {Sampling{}, Sampling{.temperature = 1.5, .seed = 8}}) {
    load_on(1, false);
    const Written expected = write(request_of(sampling, 2));
    std::vector<int32_t> quotable;
    for (const SampledToken& token : expected.tokens.at(0)) quotable.push_back(token.id);
    for (size_t i = 9; i < quotable.size(); i += 10) quotable[i] = 3;
    load_on(1, true);
    const Written written = write(request_of(sampling, 2), quotable);
    expect_same(written, expected, "with guesses");
    EXPECT_GT(written.stats.accepted_tokens, 5u);
    EXPECT_LT(written.stats.accepted_tokens, written.stats.draft_tokens);
  }
}

// The likeliest token is mostly not one that the form permits, and may be none of the largest.
TEST_F(LargestLogitsTest, AFormIsKept) {
  const char* const kSchema =
      R"({"type":"object","properties":{"approved":{"type":"boolean"}},"required":["approved"],"additionalProperties":false})";
  for (const double temperature : {0.0, 1.0}) {
    std::vector<Written> written;
    for (const bool as_on_gpu : {false, true}) {
      load_on(1, as_on_gpu);
      std::vector<std::string> spellings(static_cast<size_t>(model_->language().vocab_size()));
      for (int32_t id = 0; id < model_->tokenizer().vocab_size(); ++id) {
        if (!model_->tokenizer().is_added(id)) spellings[static_cast<size_t>(id)] = std::string(model_->tokenizer().token_bytes(id));
      }
      JobRequest request = request_of({.temperature = temperature, .seed = 3});
      request.sampling.ignore_eos = false;
      request.format = std::make_shared<const AnswerFormat>(AnswerFormat{
          compile_json_schema(kSchema).value(),
          std::make_shared<const TokenTrie>(std::move(spellings))});
      written.push_back(write(request));
    }
    EXPECT_THAT(written[0].text, testing::HasSubstr("approved"));
    expect_same(written[1], written[0], "of a form");
    EXPECT_GT(written[1].num_downloads, static_cast<int>(written[1].tokens.at(0).size())) << "no row was fetched";
  }
}

}  // namespace
}  // namespace glyph
