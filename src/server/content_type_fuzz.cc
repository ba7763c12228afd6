// Any headers: accepted, or a 415 whose sentence is short and one line of UTF-8 once it is sent.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "server/content_type.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glyph;
  constexpr size_t kMaxMessage = 512;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t middle = text.find('\n');
  HttpRequest request;
  request.headers = {{"content-length", "1"}, {"content-type", std::string(text.substr(0, middle))}};
  if (middle != std::string_view::npos) request.headers.emplace_back("content-encoding", std::string(text.substr(middle + 1)));
  for (const BodyKind kind : {BodyKind::kJson, BodyKind::kForm}) {
    const auto error = check_content_type(request, kind);
    if (error) GLYPH_CHECK(error->status == 415 && error->message.size() < kMaxMessage && !error_json(*error).empty());
  }
  return 0;
}
