#include "schedule/time_share.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace glyph {
namespace {

// Seconds read in `total` seconds of an engine that writes tokens of `token` seconds and reads pieces of `piece` seconds.
double seconds_read(TimeShare share, double token, double piece, double total) {
  double read = 0, written = 0;
  while (read + written < total) {
    written += token;
    share.wrote(token);
    if (!share.may_read()) continue;
    read += piece;
    share.read(piece);
  }
  return read;
}

TEST(TimeShare, IsKeptWhateverThePiecesTake) {
  for (const double token : {0.002, 0.05, 2.0}) {
    for (const double piece : {0.001, 0.03, 5.0}) {
      const double part = seconds_read(TimeShare(1.0, 0.001), token, piece, 10000) / 10000;
      EXPECT_LE(part, 0.502) << token << " " << piece;
      EXPECT_GE(part, piece < token ? 0.99 * piece / (piece + token) : 0.44) << token << " " << piece;  // whole tokens pay it back
    }
  }
  EXPECT_NEAR(seconds_read(TimeShare(0.5, 0.001), 0.01, 0.3, 1000) / 1000, 1.0 / 3, 0.01);
}

TEST(TimeShare, AllowsABurstAfterAPauseOnly) {
  TimeShare share(1.0, 0.5);
  share.read(0.4);
  EXPECT_TRUE(share.may_read());
  share.read(0.3);
  EXPECT_FALSE(share.may_read());
  share.wrote(0.1);
  EXPECT_FALSE(share.may_read());
  share.wrote(100);  // no more than the burst is saved up
  share.read(0.5);
  EXPECT_FALSE(share.may_read());
  share.reset();
  EXPECT_TRUE(share.may_read());
}

// What is read drives out of the caches what writing had there: turns are long, and no pause is longer than a turn and a piece.
TEST(TimeShare, TakesTurnsSeldom) {
  constexpr double kToken = 0.003, kPiece = 0.007, kTotal = 100;
  TimeShare share(1.0 / 3, 0.05);
  double read = 0, written = 0, longest = 0;
  int turns = 0;
  while (read + written < kTotal) {
    written += kToken;
    share.wrote(kToken);
    double pause = 0;
    for (; share.may_read(); pause += kPiece) share.read(kPiece);
    turns += pause > 0;
    read += pause;
    longest = std::max(longest, pause);
  }
  EXPECT_NEAR(read / kTotal, 0.25, 0.01);
  EXPECT_LE(turns, kTotal / 0.2 + 1);
  EXPECT_LE(longest, 0.05 + kPiece);
}

}  // namespace
}  // namespace glyph
