#include "schedule/scheduler.h"

#include <mutex>

#include "answer/answer_format.h"

#include "schedule/scheduler_fixture.h"

namespace glyph {
namespace {

using testing::HasSubstr;

TEST_F(SchedulerTest, AReadDocumentCostsTheQuestionOnlyItself) {
  start({.feature_bytes = 0, .prefix_bytes = 0});
  const SourcePtr cold_source = source_of(300);
  const auto cold = submit(question({cold_source})).get();
  ASSERT_TRUE(cold.ok()) << cold.status().message();
  EXPECT_EQ(cold->usage.cached_tokens, 0);

  start();
  const SourcePtr source = source_of(300);
  const auto done = submit(read(source)).get();
  ASSERT_TRUE(done.ok()) << done.status().message();
  ASSERT_TRUE(source->known());
  EXPECT_EQ(source->known()->pages.size(), 4u);
  const auto warm = submit(question({source})).get();
  ASSERT_TRUE(warm.ok());
  EXPECT_EQ(warm->answers[0].text, cold->answers[0].text);
  EXPECT_EQ(warm->usage.prompt_tokens, cold->usage.prompt_tokens);
  EXPECT_EQ(warm->usage.image_tokens, cold->usage.image_tokens);
  EXPECT_EQ(warm->text_tokens, cold->text_tokens);
  EXPECT_EQ(warm->usage.cached_tokens, done->usage.prompt_tokens);
  EXPECT_LT(warm->usage.prompt_tokens - warm->usage.cached_tokens, 30);
  EXPECT_EQ(warm->timings.vision_ms, 0);
}

// The answer is the same with guesses that are right, partly right and wrong, greedy and drawn by a seed, and needs fewer passes.
TEST_F(SchedulerTest, DraftsDoNotChangeTheAnswer) {
  struct Case {
    double temperature;
    KvPrecision kv_precision;
  };
  for (const auto& [temperature, kv_precision] : {Case{0.0, KvPrecision::kAuto}, Case{1.5, KvPrecision::kAuto}, Case{0.0, KvPrecision::kFp8}}) {
    if (kv_precision != model_options_.kv_precision) {
      scheduler_.reset();
      model_options_.kv_precision = kv_precision;
      load();
    }
    const auto ask = [&, temperature = temperature](size_t draft_tokens, const std::vector<int32_t>& guesses, std::vector<int32_t>* ids) {
      start({.draft_tokens = draft_tokens});
      const SourcePtr source = source_of(100);
      source->set_text(std::make_shared<const DraftIndex>(guesses));
      JobRequest request = question({source}, "What is it about?", 60);
      request.sampling.temperature = temperature;
      request.sampling.seed = 5;
      request.sampling.top_k = 0;
      request.sampling.ignore_eos = true;
      JobListener listener;
      listener.on_token = [ids](int, const SampledToken& token) { ids->push_back(token.id); };
      const auto result = submit(std::move(request), {}, std::move(listener)).get();
      EXPECT_TRUE(result.ok());
      EXPECT_TRUE(scheduler_->check_integrity().ok());
      return result.ok() ? result->answers[0].text : "";
    };
    std::vector<int32_t> plain, right, half_right, wrong;
    const std::string expected = ask(0, {}, &plain);
    EXPECT_EQ(scheduler_->stats().num_drafts, 0u);
    ASSERT_EQ(plain.size(), 60u);

    EXPECT_EQ(ask(7, plain, &right), expected);
    EXPECT_EQ(right, plain);
    const SchedulerStats all = scheduler_->stats();
    EXPECT_GE(all.accepted_tokens, 30u);  // of 60, each of which took a pass
    EXPECT_GE(all.accepted_tokens * 10, all.draft_tokens * 7);

    std::vector<int32_t> guesses = plain;
    for (size_t i = 5; i < guesses.size(); i += 6) guesses[i] = 3;
    EXPECT_EQ(ask(7, guesses, &half_right), expected);
    EXPECT_EQ(half_right, plain);
    EXPECT_GT(scheduler_->stats().accepted_tokens, 0u);
    EXPECT_LT(scheduler_->stats().accepted_tokens, scheduler_->stats().draft_tokens);

    guesses.clear();  // every pair of the answer, and behind it something else
    for (size_t i = 1; i < plain.size(); ++i) guesses.insert(guesses.end(), {plain[i - 1], plain[i], 4, 4});
    EXPECT_EQ(ask(3, guesses, &wrong), expected);
    EXPECT_EQ(wrong, plain);
    EXPECT_GT(scheduler_->stats().draft_tokens, 0u);
  }
}

TEST_F(SchedulerTest, AQuestionMayDoWithoutTheCaches) {
  start();
  const SourcePtr source = source_of(200);
  const auto read_now = submit(read(source)).get();
  ASSERT_TRUE(read_now.ok());
  ASSERT_TRUE(scheduler_->check_integrity().ok());  // idle: the counters are those of all that was read
  const size_t kept = scheduler_->stats().prefix_bytes;
  JobRequest anew = question({source});
  anew.use_cache = false;
  const auto cold = submit(std::move(anew)).get();
  ASSERT_TRUE(cold.ok()) << cold.status().message();
  EXPECT_EQ(cold->usage.cached_tokens, 0);
  EXPECT_GT(cold->timings.vision_ms, 0);
  ASSERT_TRUE(scheduler_->check_integrity().ok());  // idle: the counters are those of all that was read
  EXPECT_EQ(scheduler_->stats().prefix_bytes, kept);
  const auto warm = submit(question({source})).get();
  ASSERT_TRUE(warm.ok());
  EXPECT_EQ(warm->usage.cached_tokens, read_now->usage.prompt_tokens);
  EXPECT_EQ(warm->answers[0].text, cold->answers[0].text);
}

TEST_F(SchedulerTest, BackgroundQuestionsGiveWay) {
  start({.max_running = 1});
  std::mutex mutex;
  std::string order;  // b and q: tokens in the order in which they were written
  const auto listener = [&](char name) {
    JobListener told;
    told.on_token = [&mutex, &order, name](int, const SampledToken&) {
      const std::lock_guard lock(mutex);
      order += name;
    };
    return told;
  };
  const auto ends_with = [&](char name) {
    const std::lock_guard lock(mutex);
    return !order.empty() && order.back() == name;
  };
  std::stop_source stop;
  std::vector<std::future<Result<JobResult>>> background;
  for (int i = 0; i < 3; ++i) {
    JobRequest request = question({}, "Line " + std::to_string(i), 10'000);
    request.background = true;
    background.push_back(submit(std::move(request), stop.get_token(), listener('b')));
  }
  while (!ends_with('b')) std::this_thread::yield();
  ASSERT_TRUE(submit(question({}, "Now", 60), {}, listener('q')).get().ok());
  while (!ends_with('b')) std::this_thread::yield();  // they go on after it
  stop.request_stop();
  scheduler_->notify();
  for (auto& each : background) each.wait();
  const size_t first = order.find('q');
  EXPECT_EQ(order.substr(first, order.rfind('q') + 1 - first).find('b'), std::string::npos);
}

TEST_F(SchedulerTest, APromptOfIdsIsContinuedVerbatim) {
  start();
  JobRequest request;
  request.prompt_ids = model_->tokenizer().encode_plain("Once upon a time");
  request.max_tokens = 20;
  request.top_logprobs = 3;
  std::vector<SampledToken> tokens;
  JobListener listener;
  listener.on_token = [&](int, const SampledToken& token) { tokens.push_back(token); };
  const auto result = submit(std::move(request), {}, std::move(listener)).get();
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->usage.prompt_tokens, 16);
  std::vector<int32_t> ids;
  for (const SampledToken& token : tokens) {
    ids.push_back(token.id);
    ASSERT_EQ(token.top_logprobs.size(), 3u);
    EXPECT_LE(token.logprob, token.top_logprobs[0].second);
  }
  EXPECT_EQ(result->answers[0].text, model_->tokenizer().decode(ids));
}

TEST_F(SchedulerTest, AnEditedPageIsEncodedAlone) {
  start();
  std::string text = source_of(200)->document->text();
  ASSERT_TRUE(submit(read(source_of(200))).get().ok());
  const size_t place = text.find("line 100 ");
  text[place + 5] = '9';
  auto document = std::make_shared<Document>();
  document->name = "note.txt";
  document->blocks.push_back({Block::Kind::kText, text, {}});
  auto edited = std::make_shared<Source>(document, PageStyle::english());
  ASSERT_TRUE(scheduler_->check_integrity().ok());  // idle: the counters are those of all that was read
  const size_t before = scheduler_->stats().feature_bytes;
  const auto result = submit(question({edited})).get();
  ASSERT_TRUE(result.ok());
  EXPECT_GT(result->usage.cached_tokens, 300);  // the first page
  EXPECT_EQ(result->pages, 3u);
  EXPECT_LT(scheduler_->stats().feature_bytes - before, before / 2);  // one page more, not three
}

TEST_F(SchedulerTest, WhatAQuestionReadTheDocumentDoesNotReadAgain) {
  start();
  const SourcePtr source = source_of(300);
  std::future<Result<JobResult>> asked;
  JobListener listener;
  listener.on_progress = [&](const AskProgress& progress) {
    if (progress.pages_encoded > 0 && !asked.valid()) asked = submit(question({source}));
  };
  const auto done = submit(read(source), {}, listener).get();
  ASSERT_TRUE(done.ok()) << done.status().message();
  ASSERT_TRUE(asked.get().ok());
  EXPECT_EQ(done->usage.cached_tokens, done->usage.prompt_tokens);
}

TEST_F(SchedulerTest, ManyQuestionsAtOnceAnswerAsOneAfterAnother) {
  start();
  const SourcePtr source = source_of(100);
  std::vector<std::string> alone, together;
  for (int i = 0; i < 6; ++i) alone.push_back(submit(question({source}, "Question " + std::to_string(i))).get()->answers[0].text);
  std::vector<std::future<Result<JobResult>>> futures;
  for (int i = 0; i < 6; ++i) futures.push_back(submit(question({source}, "Question " + std::to_string(i))));
  for (auto& future : futures) together.push_back(future.get()->answers[0].text);
  EXPECT_EQ(alone, together);
}

// Whether the model does its passes as on a GPU.
class NumbersTest : public SchedulerTest, public testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    model_options_.as_on_gpu = GetParam();
    load({.nan_token = 'Z'});
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, NumbersTest, testing::Bool(), [](const auto& as_on_gpu) { return as_on_gpu.param ? "AsOnGpu" : "Host"; });

// Questions on one document share their passes, and the document's blocks. Whichever of them comes to numbers that are none, while its
// prompt is read or in the middle of its answer, fails alone.
TEST_P(NumbersTest, ThatAreNoneFailOneOfSeveral) {
  start();
  const SourcePtr source = source_of(100);
  ASSERT_TRUE(submit(read(source)).get().ok());
  const auto ask = [&](int i) { return question({source}, "Question " + std::to_string(i), 60); };
  std::vector<std::string> alone;
  for (int i = 0; i < 4; ++i) alone.push_back(submit(ask(i)).get()->answers[0].text);

  JobRequest in_prompt = question({source}, "What is Z?", 60), in_answer = question({source}, "Spell it", 60);
  std::vector<std::string> spellings(static_cast<size_t>(model_->tokenizer().vocab_size()));
  for (int32_t id = 0; id < model_->tokenizer().vocab_size(); ++id) {
    if (!model_->tokenizer().is_added(id)) spellings[static_cast<size_t>(id)] = std::string(model_->tokenizer().token_bytes(id));
  }
  in_answer.format = std::make_shared<const AnswerFormat>(AnswerFormat{compile_json_schema(R"({"const":"twelve lettZrs and more"})").value(),
                                                                      std::make_shared<const TokenTrie>(std::move(spellings))});
  int written = 0;
  JobListener listener;
  listener.on_token = [&](int, const SampledToken&) { ++written; };
  std::vector<std::future<Result<JobResult>>> healthy, poisoned;
  healthy.push_back(submit(ask(0)));
  healthy.push_back(submit(ask(1)));
  poisoned.push_back(submit(in_prompt));
  poisoned.push_back(submit(in_answer, {}, listener));
  healthy.push_back(submit(ask(2)));
  healthy.push_back(submit(ask(3)));
  for (auto& each : poisoned) {
    const auto result = each.get();
    EXPECT_EQ(result.status().code(), StatusCode::kInternal);
    EXPECT_THAT(result.status().message(), HasSubstr("not a number"));
  }
  EXPECT_EQ(written, 13);  // up to the letter that poisons it
  for (size_t i = 0; i < healthy.size(); ++i) {
    const auto result = healthy[i].get();
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ(result->answers[0].text, alone[i]);
  }
  EXPECT_EQ(submit(ask(0)).get()->answers[0].text, alone[0]);
}

TEST_F(SchedulerTest, SeveralAnswersDifferBySeedAndCountTogether) {
  start();
  JobRequest request = question({source_of(50)});
  request.num_answers = 4;
  request.sampling.temperature = 1.0;
  request.sampling.top_k = 0;
  const auto first = submit(request).get();
  const auto again = submit(request).get();
  ASSERT_TRUE(first.ok()) << first.status().message();
  ASSERT_EQ(first->answers.size(), 4u);
  EXPECT_NE(first->answers[0].text, first->answers[1].text);
  int64_t tokens = 0;
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(first->answers[i].text, again->answers[i].text);
    tokens += first->answers[i].num_tokens;
  }
  EXPECT_EQ(first->usage.completion_tokens, tokens);
}

TEST_F(SchedulerTest, AConversationWithoutPagesAndOneWithALaterPage) {
  start();
  JobRequest request = question({});
  request.turns.insert(request.turns.begin(), {Role::kSystem, {}, "Be brief."});
  EXPECT_TRUE(submit(request).get().ok());
  request.turns.push_back({Role::kAssistant, {}, "Nothing."});
  request.turns.push_back({Role::kUser, {source_of(30)}, "And this?"});
  const auto result = submit(request).get();
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->pages, 1u);
  const auto again = submit(request).get();
  EXPECT_GT(again->usage.cached_tokens, 0);
  EXPECT_EQ(again->answers[0].text, result->answers[0].text);
}

TEST_F(SchedulerTest, RefusesWhatCannotBeAndGoesOn) {
  start({.active_kv_bytes = 10 * model_->language().kv_layout().block_bytes(), .max_running = 2});
  const auto large = submit(question({source_of(600)})).get();
  ASSERT_FALSE(large.ok());
  EXPECT_THAT(large.status().message(), HasSubstr("KV blocks"));
  const auto past_window = submit(question({source_of(9000)})).get();
  ASSERT_FALSE(past_window.ok());
  EXPECT_EQ(past_window.status().code(), StatusCode::kRefused);
  EXPECT_THAT(past_window.status().message(), HasSubstr("context window"));
  EXPECT_EQ(submit(question({}, "Hello", 0)).get().status().code(), StatusCode::kUsage);
  EXPECT_TRUE(submit(question({}, "Hello")).get().ok());
}

TEST_F(SchedulerTest, OneQuestionTooManyIsRefusedAtOnce) {
  start({.max_running = 1, .max_waiting = 2});
  std::vector<std::future<Result<JobResult>>> futures;
  std::stop_source stop;
  for (int i = 0; i < 8; ++i) futures.push_back(submit(question({source_of(50)}, "Long", 4000), stop.get_token()));
  int refused = 0;
  stop.request_stop();
  for (auto& future : futures) refused += future.get().status().code() == StatusCode::kExhausted;
  EXPECT_GE(refused, 1);
}

TEST_F(SchedulerTest, AnAnswerGoesOnWhileADocumentIsRead) {
  start();
  std::promise<void> first_token;
  std::atomic<int> tokens = 0, tokens_at_read = 0;
  JobListener listener;
  listener.on_progress = [&](const AskProgress& progress) {
    if (progress.stage == AskStage::kDecode && ++tokens == 1) first_token.set_value();
  };
  auto answer = submit(question({}, "Hello", 600), {}, listener);
  first_token.get_future().wait();
  const auto read_result = submit(read(source_of(800))).get();
  tokens_at_read = tokens.load();
  ASSERT_TRUE(read_result.ok()) << read_result.status().message();
  EXPECT_GT(tokens_at_read, 10);
  EXPECT_TRUE(answer.get().ok());
}

// Questions that wait keep what they found in the cache alive while it goes on to other documents: with those that run, more blocks than
// there are. Who runs gets its blocks all the same, and who waited gives the answer that a large cache gives.
TEST_F(SchedulerTest, WhoWaitsTakesNoBlocksFromWhoRuns) {
  constexpr int64_t kLong = 6000, kShort = 300;
  const auto document = [](int i) { return source_of(100, "number " + std::to_string(i)); };
  start();
  const auto cold = submit(read(document(0))).get();
  ASSERT_TRUE(cold.ok());
  const KvLayout layout = model_->language().kv_layout();
  const auto blocks_of = [&](int64_t tokens) { return static_cast<size_t>(tokens / layout.block_tokens + 1); };
  const size_t each = blocks_of(cold->usage.prompt_tokens);
  std::vector<std::string> expected;
  for (int i = 0; i < 3; ++i) expected.push_back(submit(question({document(i)}, "And?", kShort)).get()->answers[0].text);

  // Beside the long answer there is room for a document, not for a question on one.
  start({.prefix_bytes = 3 * (each + 2) * layout.block_bytes(), .active_kv_bytes = (blocks_of(kLong) + each + 8) * layout.block_bytes()});
  std::vector<SourcePtr> sources;
  for (int i = 0; i < 3; ++i) sources.push_back(document(i));
  for (const SourcePtr& source : sources) ASSERT_TRUE(submit(read(source)).get().ok());
  std::promise<void> first_token, all_submitted;
  int64_t written = 0, written_when_read = kLong;  // of the long answer; both on the engine's thread until all is over
  JobListener listener;
  listener.on_token = [&](int, const SampledToken&) {
    if (++written > 1) return;
    first_token.set_value();
    all_submitted.get_future().wait();  // the steps that follow have all of it to choose from, however slow this thread is
  };
  JobRequest request = question({}, "Tell me everything", kLong);
  request.sampling.ignore_eos = true;
  auto answer = submit(std::move(request), {}, std::move(listener));
  first_token.get_future().wait();
  std::vector<std::future<Result<JobResult>>> waiting, documents;
  for (const SourcePtr& source : sources) waiting.push_back(submit(question({source}, "And?", kShort)));
  JobListener reading;
  reading.on_progress = [&](const AskProgress& progress) {
    if (progress.tokens_to_read > 0 && progress.tokens_read == progress.tokens_to_read) written_when_read = written;
  };
  for (int i = 3; i < 7; ++i) documents.push_back(submit(read(document(i)), {}, reading));
  all_submitted.set_value();
  for (auto& read_one : documents) EXPECT_TRUE(read_one.get().ok());
  const auto whole = answer.get();
  EXPECT_TRUE(whole.ok()) << whole.status().message();
  for (size_t i = 0; i < waiting.size(); ++i) {
    const auto result = waiting[i].get();
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ(result->answers[0].text, expected[i]);
  }
  EXPECT_LT(written_when_read, kLong) << "the answer was not long enough to be in the way of the last document";
}

class StopAt : public SchedulerTest, public testing::WithParamInterface<AskStage> {};

TEST_P(StopAt, FreesEverything) {
  start();
  std::stop_source stop;
  JobListener listener;
  listener.on_progress = [&](const AskProgress& progress) {
    if (progress.stage == GetParam()) stop.request_stop();
  };
  const auto result = submit(question({source_of(400)}, "What?", 2000), stop.get_token(), listener).get();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kCancelled);
  EXPECT_TRUE(submit(question({}, "Still there?")).get().ok());
}

INSTANTIATE_TEST_SUITE_P(EveryStage, StopAt, testing::Values(AskStage::kEncode, AskStage::kPrefill, AskStage::kDecode));

TEST_F(SchedulerTest, EndingStopsEveryJob) {
  start();
  auto answer = submit(question({source_of(400)}, "What?", 20000));
  scheduler_.reset();
  EXPECT_EQ(answer.get().status().code(), StatusCode::kCancelled);
}

}  // namespace
}  // namespace glyph
