// Words anywhere on a page: the layout must end and give valid text.
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "ingest/page_layout.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kWordBytes = 12;
  std::vector<glyph::PageWord> words;
  for (size_t i = 0; i + kWordBytes <= size; i += kWordBytes) {
    int16_t place[4];
    std::memcpy(place, data + i, sizeof place);
    glyph::PageWord word;
    word.x0 = static_cast<float>(place[0]) / 16;
    word.y0 = static_cast<float>(place[1]) / 16;
    word.x1 = word.x0 + static_cast<float>(place[2]) / 64;
    word.y1 = word.y0 + static_cast<float>(place[3]) / 64;
    word.text.assign(reinterpret_cast<const char*>(data + i + 8), 3);
    word.rotation = data[i + 11] % 8 == 7;
    word.space_after = data[i + 11] % 2 == 1;
    words.push_back(word);
  }
  const std::string text = glyph::layout_page(words);
  GLYPH_CHECK(glyph::is_valid_utf8(text));
  static_cast<void>(glyph::judge_words(words));
  return 0;
}
