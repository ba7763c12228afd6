#include "engine/window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glyph {
namespace {

using testing::HasSubstr;

PageStyle style_at(double dpi) {
  PageStyle style = PageStyle::english();
  style.dpi = dpi;
  return style;
}

TEST(Window, WhatFitsExactlyIsAccepted) {
  EXPECT_TRUE(check_window("a.txt", {10, 900, 36, 64}, 1000, style_at(72)).ok());
  EXPECT_EQ(check_window("a.txt", {10, 901, 36, 64}, 1000, style_at(72)).code(), StatusCode::kRefused);
}

TEST(Window, SaysByHowMuchAndOffersADenserStyle) {
  const Status status = check_window("a.txt", {20, 1600, 36, 64}, 1200, style_at(96));
  EXPECT_EQ(status.message(),
            "a.txt: 20 pages and the question take 1700 tokens, 500 more than the 1200 of the model's context window; a denser page "
            "style fits: --dpi 72 takes about 1000 tokens");
}

TEST(Window, OffersNoStyleThatDoesNotFit) {
  const Status status = check_window("a.txt", {400, 160000, 36, 64}, 1200, style_at(96));
  EXPECT_THAT(status.message(), HasSubstr("split it into 146 parts"));
  EXPECT_THAT(status.message(), testing::Not(HasSubstr("--dpi")));
}

TEST(Window, AQuestionThatFillsTheWindow) {
  EXPECT_THAT(check_window("a.txt", {1, 100, 5000, 64}, 1200, style_at(72)).message(), HasSubstr("ask a shorter question"));
}

}  // namespace
}  // namespace glyph
