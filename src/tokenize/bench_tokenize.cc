#include "tokenize/bench_tokenize.h"

#include <algorithm>
#include <chrono>

namespace glyph {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Seconds of the fastest pass.
template <typename Pass>
double fastest(double budget_seconds, Pass pass) {
  double best = 1e30;
  const Clock::time_point start = Clock::now();
  do {
    const Clock::time_point begin = Clock::now();
    pass();
    best = std::min(best, seconds_since(begin));
  } while (seconds_since(start) < budget_seconds);
  return std::max(best, 1e-9);
}

}  // namespace

TokenizeRate bench_tokenize(const Tokenizer& tokenizer, std::string_view text, double seconds) {
  std::vector<int32_t> ids;
  std::string decoded;
  const double encode = fastest(seconds, [&] { ids = tokenizer.encode(text); });
  const double decode = fastest(seconds, [&] { decoded = tokenizer.decode(ids, false); });
  TokenizeRate rate;
  rate.encode_mb_per_s = static_cast<double>(text.size()) / 1e6 / encode;
  rate.decode_mb_per_s = static_cast<double>(decoded.size()) / 1e6 / decode;
  rate.bytes_per_token =
      static_cast<double>(text.size()) / static_cast<double>(std::max<size_t>(ids.size(), 1));
  return rate;
}

}  // namespace glyph
