// Any bytes: a refusal, or a plan that is written and read again as it was.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/hash.h"
#include "plan/plan_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glyph;
  std::string text(reinterpret_cast<const char*>(data), size);
  if (size > 0 && data[0] % 2 == 0) text = "glyph plan 1\n" + text + "\nsha256 ";
  if (text.ends_with("sha256 ")) {
    text.resize(text.size() - 7);
    text += "sha256 " + hex(sha256(text)) + "\n";  // or nothing behind the checksum would ever be read
  }
  const auto plan = parse_plan(text, "fuzz");
  if (plan.ok()) GLYPH_CHECK(plan_text(*parse_plan(plan_text(*plan), "again")) == plan_text(*plan));
  return 0;
}
