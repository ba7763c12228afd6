// A line of a batch file: any bytes give a question or a sentence.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "batch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const glyph::BatchLine line = glyph::parse_batch_line({reinterpret_cast<const char*>(data), size}, 1);
  const bool complete = !line.question.id.is_null() && !line.question.files.empty() && !line.question.question.empty();
  if (line.error.ok() && !complete) std::abort();
  if (!line.error.ok() && line.error.message().empty()) std::abort();
  return 0;
}
