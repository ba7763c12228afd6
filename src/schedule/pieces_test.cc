// How reading is cut: several pages in one pass of the vision model, several in one of the language model, and what lies between passes.
#include <algorithm>
#include <mutex>
#include <set>

#include "engine/drawing.h"
#include "schedule/scheduler_fixture.h"

namespace glyph {
namespace {

// What a listener heard of a job, and of several jobs in which order.
struct Heard {
  std::mutex mutex;
  std::vector<std::pair<char, AskProgress>> progress;

  JobListener listener(char name) {
    JobListener told;
    told.on_progress = [this, name](const AskProgress& now) {
      const std::lock_guard lock(mutex);
      progress.emplace_back(name, now);
    };
    return told;
  }
  // Values of a count while it grew, from 0.
  std::vector<int64_t> steps(AskStage stage, const std::function<int64_t(const AskProgress&)>& count) {
    std::vector<int64_t> values{0};
    for (const auto& [name, now] : progress) {
      if (now.stage == stage && count(now) > values.back()) values.push_back(count(now));
    }
    return values;
  }
  std::vector<int64_t> encoded() {
    return steps(AskStage::kEncode, [](const AskProgress& now) { return static_cast<int64_t>(now.pages_encoded); });
  }
  std::vector<int64_t> read() { return steps(AskStage::kPrefill, [](const AskProgress& now) { return now.tokens_read; }); }
};

std::vector<int64_t> differences(const std::vector<int64_t>& values) {
  std::vector<int64_t> steps;
  for (size_t i = 1; i < values.size(); ++i) steps.push_back(values[i] - values[i - 1]);
  return steps;
}

class PiecesTest : public SchedulerTest {
 protected:
  static constexpr int kLines = 800;  // ten pages
  static constexpr size_t kPages = 10;

  // As a GPU does: up to four pages a pass, and prompts by chunks of so many tokens.
  void use_plan(int64_t chunk_tokens) {
    DrawingOptions options;
    options.preprocessor = model_->preprocessor();
    options.cut_patches = true;
    const SourcePtr source = source_of(kLines);
    const auto drawing = Drawing::start(*source->document, source->style, options, {}).value();
    const PageShape shape = shape_of(drawing->next_drawn().value()->patches);
    Plan plan;
    for (const auto& [pages, ms] : {std::pair<int64_t, double>{1, 10}, {2, 18}, {4, 30}}) {
      plan.passes.push_back({.shape = shape, .num_pages = pages, .ms = ms});
    }
    plan.chunks = {{.tokens = chunk_tokens, .ms = 1}};
    model_->use(plan);
  }
  std::string answer(const SourcePtr& source) {
    const auto result = submit(question({source}, "What is it about?", 40)).get();
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? result->answers[0].text : "";
  }
};

TEST_F(PiecesTest, PagesThatGoTogetherAreTheSamePages) {
  start();
  Heard alone, together;
  const auto one_by_one = submit(read(source_of(kLines)), {}, alone.listener('d')).get();
  ASSERT_TRUE(one_by_one.ok());
  const std::string expected = answer(source_of(kLines));
  ASSERT_TRUE(scheduler_->check_integrity().ok());
  const SchedulerStats before = scheduler_->stats();
  ASSERT_EQ(one_by_one->pages, kPages);
  EXPECT_EQ(alone.encoded().size(), kPages + 1);

  use_plan(512);
  start();
  const SourcePtr source = source_of(kLines);
  const auto done = submit(read(source), {}, together.listener('d')).get();
  ASSERT_TRUE(done.ok()) << done.status().message();
  EXPECT_EQ(together.encoded(), (std::vector<int64_t>{0, 1, 5, 9, 10}));  // the first pass waits for no other page; the last is smaller
  EXPECT_EQ(done->usage.image_tokens, one_by_one->usage.image_tokens);
  EXPECT_GT(done->timings.vision_ms, 0);
  EXPECT_EQ(answer(source), expected);
  ASSERT_TRUE(scheduler_->check_integrity().ok());
  EXPECT_EQ(scheduler_->stats().feature_bytes, before.feature_bytes);
  EXPECT_EQ(scheduler_->stats().prefix_bytes, before.prefix_bytes);
}

// Pages that are known stand between others: only those others are encoded, and all in order.
TEST_F(PiecesTest, KnownPagesAmongUnknownOnes) {
  use_plan(512);
  start({.prefix_bytes = 0});
  const std::string text = source_of(kLines)->document->text();
  const auto edited = [&](std::string changed, std::vector<int> line_numbers) {
    for (const int line : line_numbers) changed[changed.find("line " + std::to_string(line) + " ") + 5] = '9';
    auto document = std::make_shared<Document>();
    document->name = "note.txt";
    document->blocks.push_back({Block::Kind::kText, changed, {}});
    return std::make_shared<Source>(document, PageStyle::english());
  };
  ASSERT_TRUE(submit(read(source_of(kLines))).get().ok());
  ASSERT_TRUE(scheduler_->check_integrity().ok());
  const size_t bytes = scheduler_->stats().feature_bytes;
  const std::string warm = answer(edited(text, {100, 300, 320, 700}));
  ASSERT_TRUE(scheduler_->check_integrity().ok());
  EXPECT_GT(scheduler_->stats().feature_bytes, bytes);
  EXPECT_LT(scheduler_->stats().feature_bytes, bytes + bytes / 2);  // up to four pages more, of ten
  start({.feature_bytes = 0, .prefix_bytes = 0});
  EXPECT_EQ(answer(edited(text, {100, 300, 320, 700})), warm);
}

TEST_F(PiecesTest, AStopIsNoticedBetweenPasses) {
  use_plan(512);
  start();
  std::stop_source stop;
  size_t encoded = 0;
  JobListener listener;
  listener.on_progress = [&](const AskProgress& now) {
    encoded = now.pages_encoded;
    if (encoded >= 5) stop.request_stop();
  };
  const auto result = submit(read(source_of(kLines)), stop.get_token(), listener).get();
  EXPECT_EQ(result.status().code(), StatusCode::kCancelled);
  EXPECT_EQ(encoded, 5u);
  EXPECT_TRUE(submit(read(source_of(kLines))).get().ok());
}

TEST_F(PiecesTest, DocumentsTakeTurnsPassByPass) {
  use_plan(512);
  start();
  Heard heard;
  std::future<Result<JobResult>> second;
  JobListener first = heard.listener('a');
  first.on_progress = [&, tell = first.on_progress](const AskProgress& now) {
    tell(now);
    if (!second.valid()) second = submit(read(source_of(kLines, "b")), {}, heard.listener('b'));
  };
  ASSERT_TRUE(submit(read(source_of(kLines, "a")), {}, first).get().ok());
  ASSERT_TRUE(second.get().ok());
  std::string order;
  for (const auto& [name, now] : heard.progress) {
    if (now.stage == AskStage::kEncode) order += name;
  }
  order = order.substr(order.find('b'));
  EXPECT_EQ(order.find("aaa"), std::string::npos) << order;
  EXPECT_EQ(order.substr(0, order.rfind('a')).find("bbb"), std::string::npos) << order;
}

TEST_F(PiecesTest, ChunksRunOverPages) {
  start();
  const std::string expected = answer(source_of(kLines));
  use_plan(2048);
  start();
  Heard heard;
  const SourcePtr source = source_of(kLines);
  const auto done = submit(read(source), {}, heard.listener('d')).get();
  ASSERT_TRUE(done.ok()) << done.status().message();
  const std::vector<int64_t> parts = differences(heard.read());
  EXPECT_EQ(parts.size(), static_cast<size_t>(done->usage.prompt_tokens / 2048 + 1));
  EXPECT_GT(parts.size(), 1u);
  EXPECT_GT(parts.front(), 3 * done->usage.image_tokens / static_cast<int64_t>(kPages));
  EXPECT_LE(*std::max_element(parts.begin(), parts.end()), 2048);

  const auto warm = submit(question({source}, "What is it about?", 40)).get();
  ASSERT_TRUE(warm.ok());
  EXPECT_EQ(warm->usage.cached_tokens, done->usage.prompt_tokens);
  EXPECT_EQ(warm->answers[0].text, expected);
  start({.feature_bytes = 0, .prefix_bytes = 0});
  EXPECT_EQ(answer(source_of(kLines)), expected);
}

// Every page of a chunk is in the tree: a document that begins alike finds those, and ends in a block of its own.
TEST_F(PiecesTest, PagesOfAChunkAreKeptOneByOne) {
  use_plan(4096);
  start();
  ASSERT_TRUE(submit(read(source_of(kLines))).get().ok());
  std::set<int64_t> cached;
  for (const int lines : {170, 340, 500, 700}) {
    const SourcePtr shorter = source_of(lines);
    const auto result = submit(question({shorter}, "What is it about?", 40)).get();
    ASSERT_TRUE(result.ok());
    cached.insert(result->usage.cached_tokens);
    start();
    EXPECT_EQ(answer(source_of(lines)), result->answers[0].text);
    ASSERT_TRUE(submit(read(source_of(kLines))).get().ok());
  }
  EXPECT_EQ(cached.size(), 4u);
  EXPECT_GT(*cached.begin(), 0);
}

// What stands behind a document does not change how it is read.
TEST_F(PiecesTest, AChunkEndsWithItsDocument) {
  use_plan(4096);
  start();
  Heard alone, both;
  ASSERT_TRUE(submit(read(source_of(200, "a")), {}, alone.listener('d')).get().ok());
  start();
  ASSERT_TRUE(submit(question({source_of(200, "a"), source_of(200, "b")}), {}, both.listener('q')).get().ok());
  EXPECT_EQ(both.read()[1], alone.read()[1]);
  EXPECT_EQ(both.read().size(), 4u);  // two documents and the question
}

TEST_F(PiecesTest, ChunksAreSmallBesideAnAnswer) {
  use_plan(4096);
  start();
  std::promise<void> first_token;
  std::atomic<int> tokens = 0;
  JobListener listener;
  listener.on_progress = [&](const AskProgress& now) {
    if (now.stage == AskStage::kDecode && ++tokens == 1) first_token.set_value();
  };
  std::stop_source stop;
  JobRequest endless = question({}, "Hello", 30000);
  endless.sampling.ignore_eos = true;
  auto answered = submit(std::move(endless), stop.get_token(), std::move(listener));
  first_token.get_future().wait();
  Heard heard;
  ASSERT_TRUE(submit(read(source_of(kLines)), {}, heard.listener('d')).get().ok());
  stop.request_stop();
  scheduler_->notify();
  EXPECT_EQ(answered.get().status().code(), StatusCode::kCancelled) << "it was not long enough";
  const std::vector<int64_t> parts = differences(heard.read()), passes = differences(heard.encoded());
  EXPECT_LE(*std::max_element(parts.begin(), parts.end()), 1024);
  EXPECT_EQ(*std::max_element(passes.begin(), passes.end()), 1);
}

// Inside a pass over a prompt another sequence goes on, and neither changes the other; a stop leaves the cache as it was.
TEST_F(PiecesTest, APassPausesForOtherSequences) {
  const LanguageModel& language = model_->language();
  const std::vector<int32_t> ids = model_->tokenizer().encode_plain(std::string(300, 'x') + " and more");
  const int32_t next[] = {'a'};
  const auto numbers = [](const Logits& logits) { return std::vector<float>(logits.row(0).all()->begin(), logits.row(0).all()->end()); };
  const auto pass = [&](const ReadPauses& pauses, KvCache& cache) {
    const Prompt prompt = language.begin_prefill(ids, {}, cache).value();
    const PromptPart part{.prompt = &prompt, .begin = 0, .end = prompt.num_tokens(), .cache = &cache, .want_logits = true};
    return language.read(std::span(&part, 1), pauses);
  };
  const auto decode = [&](KvCache& cache) {
    const NewTokens token{.ids = next, .cache = &cache};
    return numbers(language.decode(std::span(&token, 1)).value());
  };
  KvCache read_alone(model_->kv_blocks()), written_alone(model_->kv_blocks());
  const std::vector<float> expected = numbers(pass({}, read_alone).value());
  ASSERT_TRUE(pass({}, written_alone).ok());
  std::vector<std::vector<float>> expected_rows;

  KvCache read_beside(model_->kv_blocks()), written_beside = written_alone.fork();
  std::vector<std::vector<float>> rows;
  const ReadPauses pauses{{}, [&] { rows.push_back(decode(written_beside)); }};
  EXPECT_EQ(numbers(pass(pauses, read_beside).value()), expected);
  ASSERT_GE(rows.size(), 2u * static_cast<size_t>(language.kv_layout().num_layers) - 1);
  for (size_t i = 0; i < rows.size(); ++i) expected_rows.push_back(decode(written_alone));
  EXPECT_EQ(rows, expected_rows);

  std::stop_source stop;
  KvCache stopped(model_->kv_blocks());
  int pauses_left = 2;
  const Result<Logits> none = pass({stop.get_token(), [&] { if (--pauses_left == 0) stop.request_stop(); }}, stopped);
  EXPECT_EQ(none.status().code(), StatusCode::kCancelled);
  EXPECT_EQ(pauses_left, 0);
  EXPECT_EQ(stopped.num_tokens(), 0);
}

}  // namespace
}  // namespace glyph
