// GLYPH_CHECK: for our own bugs only. Prints the condition and aborts. What input can cause returns a Status instead.
#pragma once

namespace glyph {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace glyph

#define GLYPH_CHECK(condition)                                                    \
  do {                                                                            \
    if (!(condition)) ::glyph::check_failed(#condition, __FILE__, __LINE__);      \
  } while (false)
