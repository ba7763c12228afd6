#include "engine/writing.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/test_dir.h"
#include "engine/engine.h"
#include "support/tiny_model.h"

namespace glyph {
namespace {

const std::string kAnswer = "Anna Berg approved the budget on the third of May, and nobody on the board objected.";

// What a model would do that always says kAnswer.
class WritingTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto dir = fresh_test_dir();
    ASSERT_TRUE(write_tiny_model(dir).ok());
    ModelOptions options{.dir = dir, .precision = Precision::kF32};
    options.use_plan = false;
    model_ = Model::load(options).value();
    script_ = model_->tokenizer().encode_plain(kAnswer);
  }

  // Logits behind token i of the answer for every i from `position` on, whether what was decoded is the answer or not.
  Logits logits_from(size_t position, size_t count) {
    const int64_t vocabulary = model_->language().vocab_size();
    Tensor logits(host_device(), DType::kF32, {static_cast<int64_t>(count), vocabulary});
    std::fill_n(logits.data<float>(), count * static_cast<size_t>(vocabulary), 0.0f);
    for (size_t i = 0; i < count; ++i) {
      const int32_t likeliest = position + i < script_.size() ? script_[position + i] : script_[0];
      logits.data<float>()[static_cast<int64_t>(i) * vocabulary + likeliest] = 1.0f;
    }
    if (!elsewhere_) return Logits(std::move(logits));
    std::vector<ops::TopLogits> top(count);
    Tensor found(host_device(), DType::kF32, {static_cast<int64_t>(count), ops::kTopLogitsSize});
    ops::top_logits(host_device(), logits.view(), found.view());
    std::memcpy(top.data(), found.view().raw(), found.num_bytes());
    return Logits(std::move(top), vocabulary, [](int64_t, std::span<float>) { return internal_error("nothing more is known"); });
  }

  struct Written {
    std::string text;
    int64_t num_tokens = 0;
    int num_passes = 0;
    size_t num_taken = 0;
  };

  Written write(const std::string& quotable, size_t max_drafted, const std::vector<std::string>& stop = {}) {
    const DraftIndexPtr texts[] = {make_draft_index(model_->tokenizer(), quotable)};
    AnsweringOptions options;
    options.stop_strings = stop;
    options.max_tokens = std::ssize(script_);
    options.verbatim = true;
    const AskListener listener;
    int heard = 0;
    Writing writing(model_->tokenizer(), options, {}, listener, [&] { ++heard; });
    KvCache cache(model_->kv_blocks());
    Written written;
    EXPECT_TRUE(writing.take_logits(logits_from(0, 1).row(0)).ok());
    for (; !writing.done(); ++written.num_passes) {
      const std::vector<int32_t> ids = writing.next_tokens(texts, max_drafted);
      EXPECT_LE(ids.size(), 1 + max_drafted);
      EXPECT_TRUE(cache.reserve(std::ssize(ids)).ok());
      cache.commit(std::ssize(ids), cache.next_position() + std::ssize(ids));
      const Logits logits = logits_from(static_cast<size_t>(writing.answering().num_tokens()), ids.size());
      const Result<size_t> taken = writing.take_decoded(ids, logits, 0, cache);
      EXPECT_TRUE(taken.ok());
      written.num_taken += *taken;
      EXPECT_EQ(cache.num_tokens(), writing.answering().num_tokens() - 1);  // the last one was chosen, not decoded
      EXPECT_EQ(cache.next_position(), cache.num_tokens());
    }
    EXPECT_EQ(heard, writing.answering().num_tokens());
    written.text = writing.answering().answer();
    written.num_tokens = writing.answering().num_tokens();
    return written;
  }

  std::unique_ptr<Model> model_;
  std::vector<int32_t> script_;
  bool elsewhere_ = false;  // only the largest logits are known
};

TEST_F(WritingTest, AQuoteTakesFewPasses) {
  const Written plain = write(kAnswer, 0), drafted = write("Minutes. " + kAnswer + " The meeting ended.", 7);
  EXPECT_EQ(plain.text, kAnswer);
  EXPECT_EQ(plain.num_passes, std::ssize(script_) - 1);
  EXPECT_EQ(plain.num_taken, 0u);
  EXPECT_EQ(drafted.text, kAnswer);
  EXPECT_EQ(drafted.num_tokens, plain.num_tokens);
  EXPECT_LT(drafted.num_passes, plain.num_passes / 3);
  EXPECT_EQ(static_cast<size_t>(drafted.num_passes) + drafted.num_taken, static_cast<size_t>(plain.num_passes));
}

TEST_F(WritingTest, WrongGuessesChangeNothing) {
  std::string misleading = kAnswer;
  for (size_t i = 6; i < misleading.size(); i += 7) misleading[i] = '#';
  for (const size_t max_drafted : {1, 3, 7}) {
    const Written written = write(misleading, max_drafted);
    EXPECT_EQ(written.text, kAnswer);
    EXPECT_GT(written.num_taken, 0u);
  }
}

TEST_F(WritingTest, TheLargestLogitsAreEnough) {
  elsewhere_ = true;
  const Written plain = write(kAnswer, 0), drafted = write("Minutes. " + kAnswer + " The meeting ended.", 7);
  EXPECT_EQ(plain.text, kAnswer);
  EXPECT_EQ(drafted.text, kAnswer);
  EXPECT_LT(drafted.num_passes, plain.num_passes / 3);
}

TEST_F(WritingTest, AnAnswerStopsInsideAGuess) {
  EXPECT_EQ(write(kAnswer, 7, {"third"}).text, "Anna Berg approved the budget on the ");
  EXPECT_EQ(write(kAnswer, 7, {"third"}).num_tokens, write("", 0, {"third"}).num_tokens);
}

// The likeliest token behind the answer is always the same.
TEST_F(WritingTest, AnAnswerThatGoesRoundIsEnded) {
  for (const bool end_loops : {true, false}) {
    AnsweringOptions options;
    options.max_tokens = 1000;
    options.end_loops = end_loops;
    const AskListener listener;
    Answering answering(model_->tokenizer(), options, {}, listener);
    for (size_t position = 0; !answering.done(); ++position) ASSERT_TRUE(answering.step(logits_from(position, 1).row(0)).ok());
    EXPECT_EQ(answering.looped(), end_loops);
    EXPECT_EQ(answering.finish_reason(), "length");
    EXPECT_EQ(answering.num_tokens(), end_loops ? std::ssize(script_) + 1 + LoopDetector::kLeastLength : 1000);
  }
}

TEST_F(WritingTest, ATextThatIsTooLongIsNotLookedThrough) {
  EXPECT_EQ(make_draft_index(model_->tokenizer(), std::string((size_t{8} << 20) + 1, 'a')), nullptr);
}

}  // namespace
}  // namespace glyph
