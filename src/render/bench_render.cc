#include "render/bench_render.h"

#include <time.h>

#include <algorithm>
#include <cstdint>

#include "base/utf8.h"
#include "glyph/document.h"
#include "render/renderer.h"

namespace glyph {

namespace {

constexpr int kRounds = 5;             // the best one counts: others share the machine
constexpr int kPages = 12;             // of the document drawn over and over
constexpr int kEnglishPage = 9000;     // characters
constexpr int kChinesePage = 5000;

// A small linear congruential generator: the same text on every machine.
class Random {
 public:
  uint32_t below(uint32_t limit) {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<uint32_t>((state_ >> 33) % limit);
  }

 private:
  uint64_t state_ = 7;
};

// Words of English length and letter frequency in lines that fill the page's width.
std::string english_text() {
  static constexpr std::string_view kLetters = "etaoinshrdlucmfwypvbgkjqxzetaoinshrdluetaoinetaoin";
  Random random;
  std::string text;
  size_t line_start = 0;
  while (text.size() < static_cast<size_t>(kPages) * kEnglishPage) {
    const uint32_t length = 1 + random.below(5) + random.below(6);
    for (uint32_t i = 0; i < length; ++i) text += kLetters[random.below(static_cast<uint32_t>(kLetters.size()))];
    if (random.below(9) == 0) text += random.below(3) ? ',' : '.';
    if (text.size() - line_start > 2400) {
      text += '\n';
      line_start = text.size();
    } else {
      text += ' ';
    }
  }
  return text;
}

std::string chinese_text() {
  Random random;
  std::string text;
  for (int i = 1; i <= kPages * kChinesePage; ++i) {
    if (i % 24 == 0) {
      append_utf8(text, i % 3 ? 0xFF0C : 0x3002);
    } else {
      append_utf8(text, 0x4E00 + random.below(2500));
    }
    if (i % 700 == 0) text += '\n';
  }
  return text;
}

size_t count_characters(std::string_view text) {
  size_t count = 0;
  for (char c : text) count += (static_cast<uint8_t>(c) & 0xC0) != 0x80;
  return count;
}

// Processor time of this thread: what one core does, whatever else the machine is doing.
double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

Result<RenderBench> run(const std::string& name, std::string text, const PageStyle& style, double seconds) {
  GLYPH_ASSIGN_OR_RETURN(std::unique_ptr<Renderer> renderer, Renderer::open(style));
  RenderBench result;
  result.name = name;
  result.font = renderer->font_name();
  result.dpi = style.dpi;
  Document document;
  document.name = name;
  document.blocks.emplace_back().text = std::move(text);
  const auto draw = [&]() -> Result<int> {
    int pages = 0;
    GLYPH_RETURN_IF_ERROR(renderer->render(document, [&](Page&&) {
      ++pages;
      return true;
    }));
    return pages;
  };
  GLYPH_ASSIGN_OR_RETURN(const int pages, draw());  // fills the glyph cache
  result.characters_a_page = static_cast<double>(count_characters(document.blocks[0].text)) / pages;
  for (int round = 0; round < kRounds; ++round) {
    const double start = thread_seconds();
    double elapsed = 0;
    int drawn = 0;
    while (elapsed < seconds / kRounds) {
      GLYPH_ASSIGN_OR_RETURN(const int more, draw());
      drawn += more;
      elapsed = thread_seconds() - start;
    }
    result.num_pages += drawn;
    result.pages_a_second = std::max(result.pages_a_second, drawn / elapsed);
  }
  return result;
}

}  // namespace

Result<std::vector<RenderBench>> bench_render(double seconds) {
  std::vector<RenderBench> results;
  GLYPH_ASSIGN_OR_RETURN(RenderBench english, run("english", english_text(), PageStyle::english(), seconds));
  results.push_back(std::move(english));
  GLYPH_ASSIGN_OR_RETURN(RenderBench chinese, run("chinese", chinese_text(), PageStyle::chinese(), seconds));
  results.push_back(std::move(chinese));
  return results;
}

}  // namespace glyph
