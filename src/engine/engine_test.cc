#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/test_dir.h"
#include "support/failing_device.h"
#include "support/tiny_model.h"

namespace glyph {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::shared_ptr<const Document> document_of(const std::string& text) {
  Document document;
  document.name = "note.txt";
  document.format = "txt";
  document.blocks.push_back({Block::Kind::kText, text, {}});
  return std::make_shared<const Document>(std::move(document));
}

std::string lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "This is line " + std::to_string(i) + " of a document about nothing in particular.\n";
  return text;
}

std::unique_ptr<Engine> open_tiny(const TinyModelOptions& options = {}) {
  const fs::path dir = fresh_test_dir();
  EXPECT_TRUE(write_tiny_model(dir, options).ok());
  ModelOptions model;
  model.dir = dir;
  model.precision = Precision::kF32;
  auto engine = Engine::open(model);
  EXPECT_TRUE(engine.ok()) << engine.status().message();
  return engine.ok() ? *std::move(engine) : nullptr;
}

AskRequest request_of(std::shared_ptr<const Document> document, int64_t max_tokens = 8) {
  AskRequest request;
  request.document = std::move(document);
  request.question = "What is it about?";
  request.max_tokens = max_tokens;
  return request;
}

TEST(Engine, AnswersTheSameQuestionTheSameWay) {
  const auto engine = open_tiny();
  const auto first = engine->ask(request_of(document_of(lines(100))));
  const auto second = engine->ask(request_of(document_of(lines(100))));
  ASSERT_TRUE(first.ok()) << first.status().message();
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(first->answer, second->answer);
  EXPECT_EQ(engine->model().kv_blocks().num_blocks_in_use(), 0);
}

// A text of nearly all pairs of characters, so that nonsense, too, seems to quote it.
std::string pairs_of_characters() {
  std::string text;
  for (char first = '!'; first <= '~'; ++first) {
    for (char second = '!'; second <= '~'; ++second) text += {first, second};
    text += '\n';
  }
  return text;
}

TEST(Engine, GuessesDoNotChangeTheAnswer) {
  const auto engine = open_tiny();
  for (const double temperature : {0.0, 1.0}) {
    AskRequest plain = request_of(document_of(pairs_of_characters()), 150);
    plain.sampling = {.temperature = temperature, .top_k = 0, .top_p = {}, .repetition_penalty = {}, .seed = 5, .stop = {}, .ignore_eos = true};
    AskRequest guessing = plain;
    plain.draft_tokens = 0;
    const auto expected = engine->ask(std::move(plain)), actual = engine->ask(std::move(guessing));
    ASSERT_TRUE(expected.ok() && actual.ok());
    EXPECT_EQ(expected->drafted_tokens, 0u);
    EXPECT_EQ(actual->answer, expected->answer);
    EXPECT_EQ(actual->usage.completion_tokens, expected->usage.completion_tokens);
    if (temperature > 0) {
      EXPECT_GT(actual->drafted_tokens, 10u);
      EXPECT_LT(actual->accepted_tokens, actual->drafted_tokens);
    }
  }
}

TEST(Engine, CountsWhatItDid) {
  const auto engine = open_tiny();
  const auto result = engine->ask(request_of(document_of(lines(100))));
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->pages, 2u);
  EXPECT_GT(result->usage.image_tokens, 300);
  EXPECT_EQ(result->usage.prompt_tokens, result->usage.image_tokens + 2 * 2 + 6 + 17);  // page marks, control tokens, the question
  EXPECT_EQ(result->usage.completion_tokens, 8);
  EXPECT_EQ(result->usage.cached_tokens, 0);
  EXPECT_EQ(result->finish_reason, "length");
  EXPECT_EQ(result->text_tokens, static_cast<int64_t>(lines(100).size()));  // a token a byte
  EXPECT_GE(result->timings.total_ms, result->timings.ttft_ms);
  EXPECT_GT(result->timings.vision_ms, 0);
}

TEST(Engine, PublishesTheAnswerAndTheStagesInOrder) {
  const auto engine = open_tiny();
  std::string answer;
  std::vector<AskStage> stages;
  AskListener listener;
  listener.on_answer = [&](std::string_view text) { answer += text; };
  listener.on_progress = [&](const AskProgress& progress) {
    if (stages.empty() || stages.back() != progress.stage) stages.push_back(progress.stage);
  };
  const auto result = engine->ask(request_of(document_of(lines(100))), listener);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(answer, result->answer);
  EXPECT_THAT(stages, testing::ElementsAre(AskStage::kEncode, AskStage::kPrefill, AskStage::kDecode));
}

TEST(Engine, RefusesADocumentPastTheWindow) {
  const auto engine = open_tiny({.window = 2000});
  const auto result = engine->ask(request_of(document_of(lines(2000))));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kRefused);
  EXPECT_THAT(result.status().message(), HasSubstr("note.txt: 25 pages and the question take"));
  EXPECT_THAT(result.status().message(), HasSubstr("more than the 2000 of the model's context window"));
  EXPECT_EQ(engine->model().kv_blocks().num_blocks_in_use(), 0);
}

TEST(Engine, TheAnswerEndsWhereTheWindowEnds) {
  const auto engine = open_tiny({.window = 800});
  AskRequest request = request_of(document_of(lines(60)), 1000);
  const auto result = engine->ask(request);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_LE(result->usage.prompt_tokens + result->usage.completion_tokens, 800);
}

TEST(Engine, RefusesWhatCannotBeAsked) {
  const auto engine = open_tiny();
  AskRequest request = request_of(document_of("x"));
  request.question = "";
  EXPECT_EQ(engine->ask(request).status().code(), StatusCode::kUsage);
  request = request_of(document_of("x"), 0);
  EXPECT_EQ(engine->ask(request).status().code(), StatusCode::kUsage);
  request = request_of(document_of("x"));
  request.sampling.temperature = -1;
  EXPECT_EQ(engine->ask(request).status().code(), StatusCode::kUsage);
  request = request_of(document_of("x"));
  request.sampling.stop = {""};
  EXPECT_EQ(engine->ask(request).status().code(), StatusCode::kUsage);
  request = request_of(nullptr);
  request.files = {"/nonexistent/file.txt"};
  EXPECT_EQ(engine->ask(request).status().code(), StatusCode::kNotFound);
}

TEST(Engine, LogitsThatAreNoNumbersAreAnError) {
  const auto engine = open_tiny({.nan_weights = true});
  const auto result = engine->ask(request_of(document_of("Some text.")));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kInternal);
  EXPECT_EQ(engine->model().kv_blocks().num_blocks_in_use(), 0);
}

TEST(Engine, NumbersThatAreNoneFailOneQuestionOnly) {
  const int32_t token = 'Z';  // a token a byte
  const auto engine = open_tiny({.nan_token = token});
  const auto before = engine->ask(request_of(document_of("Some text.")));
  AskRequest poisoned = request_of(document_of("Some text."));
  poisoned.question = "What is Z?";
  const auto failed = engine->ask(poisoned);
  EXPECT_EQ(failed.status().code(), StatusCode::kInternal);
  EXPECT_THAT(failed.status().message(), HasSubstr("not a number"));
  const auto after = engine->ask(request_of(document_of("Some text.")));
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_EQ(before->answer, after->answer);
  EXPECT_EQ(engine->model().kv_blocks().num_blocks_in_use(), 0);
}

TEST(Engine, ALostDeviceFailsTheQuestionAndTheNextOneFindsANewDevice) {
  const fs::path dir = fresh_test_dir();
  ASSERT_TRUE(write_tiny_model(dir).ok());
  const auto faults = std::make_shared<DeviceFaults>();
  ModelOptions options{.dir = dir, .precision = Precision::kF32};
  options.use_plan = false;
  options.open_device = FailingDevice::opener(faults);
  const auto engine = Engine::open(options).value();
  const auto question = [] { return request_of(document_of(lines(100))); };
  const auto before = engine->ask(question());
  ASSERT_TRUE(before.ok()) << before.status().message();

  faults->checks_left = 1;
  EXPECT_THAT(engine->ask(question()).status().message(), HasSubstr("illegal memory access"));
  const auto after = engine->ask(question());
  ASSERT_TRUE(after.ok()) << after.status().message();
  EXPECT_EQ(after->answer, before->answer);
  EXPECT_EQ(faults->num_opened, 2);

  faults->checks_left = 1;
  EXPECT_FALSE(engine->ask(question()).ok());
  faults->gone = true;
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(engine->ask(question()).status().message(),
                HasSubstr("could not be loaded again: no GPU can be used: the driver shows none"));
  }
  faults->gone = false;
  EXPECT_TRUE(engine->ask(question()).ok());
}

TEST(Engine, WarnsAboutAScriptTheModelDoesNotRead) {
  const auto engine = open_tiny({.scripts = {"Latin"}});
  const auto result = engine->ask(request_of(document_of("\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82")));
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->warnings.size(), 1u);
  EXPECT_THAT(result->warnings[0], HasSubstr("Cyrillic"));
}

class StopAt : public testing::TestWithParam<AskStage> {};

TEST_P(StopAt, EndsTheQuestionAndFreesEverything) {
  const auto engine = open_tiny();
  std::stop_source source;
  AskListener listener;
  listener.on_progress = [&](const AskProgress& progress) {
    if (progress.stage == GetParam()) source.request_stop();
  };
  const auto result = engine->ask(request_of(document_of(lines(600)), 1000), listener, source.get_token());
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kCancelled);
  EXPECT_EQ(engine->model().kv_blocks().num_blocks_in_use(), 0);
  EXPECT_TRUE(engine->ask(request_of(document_of("Still there?"))).ok());
}

INSTANTIATE_TEST_SUITE_P(EveryStage, StopAt, testing::Values(AskStage::kEncode, AskStage::kPrefill, AskStage::kDecode));

TEST(Drawing, AReaderThatGoesAwayEndsTheDrawing) {
  const auto document = document_of(lines(3000));
  DrawingOptions options;
  options.max_queued_bytes = 1;  // one page at a time
  auto drawing = Drawing::start(*document, PageStyle::english(), options, {});
  ASSERT_TRUE(drawing.ok());
  EXPECT_TRUE((*drawing)->next()->has_value());
  drawing->reset();  // hangs if the thread still waits for room
}

TEST(Drawing, GivesEveryPageInOrder) {
  const auto document = document_of(lines(500));
  auto drawing = Drawing::start(*document, PageStyle::english(), {}, {});
  ASSERT_TRUE(drawing.ok());
  size_t pages = 0;
  for (auto page = (*drawing)->next(); page.ok() && page->has_value(); page = (*drawing)->next()) ++pages;
  EXPECT_EQ(pages, (*drawing)->totals().num_pages);
  EXPECT_EQ(pages, 7u);
}

TEST(Drawing, PagesPastTheLimitAreCountedNotKept) {
  const auto document = document_of(lines(2000));
  DrawingOptions options;
  options.max_image_tokens = 1300;
  auto drawing = Drawing::start(*document, PageStyle::english(), options, {});
  ASSERT_TRUE(drawing.ok());
  size_t pages = 0;
  for (auto page = (*drawing)->next(); page.ok() && page->has_value(); page = (*drawing)->next()) ++pages;
  EXPECT_LE(pages, 4u);
  EXPECT_EQ((*drawing)->totals().num_pages, 25u);
}

}  // namespace
}  // namespace glyph
