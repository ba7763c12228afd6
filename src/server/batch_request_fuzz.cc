// A line of a batch: any bytes give a request or an error with a sentence, and the line that tells of either is one line of JSON whose
// number is found again.
#include <boost/json/parse.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "server/batch.h"
#include "server/batch_line.h"

namespace {

void check_line(const std::string& line) {
  boost::system::error_code error;
  boost::json::parse(line, error);
  if (error || line.find('\n') != line.size() - 1 || glyph::number_of_line(line) != size_t{7}) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = glyph::parse_batch_line(text, "/v1/completions");
  const std::string id = glyph::line_id("batch_1", 7);
  if (const auto* bad = std::get_if<glyph::BadBatchLine>(&parsed)) {
    if (bad->error.message.empty() || bad->error.status < 400) std::abort();
    check_line(glyph::refused_line(id, *bad));
  } else {
    glyph::HttpResponse response;
    response.body = std::get<glyph::BatchLine>(parsed).body;
    check_line(glyph::answered_line(id, std::get<glyph::BatchLine>(parsed).custom_id, "req_1", response));
  }
  glyph::number_of_line(text);
  if (const auto saved = glyph::parse_saved_batch(text)) glyph::batch_json(*saved);
  return 0;
}
