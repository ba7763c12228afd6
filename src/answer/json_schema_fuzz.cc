// Any bytes give a schema or a sentence; a machine of a schema that was taken never runs into a dead end, and what it calls complete is
// JSON. Input: the schema's text, NUL, then the choices.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "answer/json_machine.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\0'), input.size());
  const auto schema = glyph::compile_json_schema(input.substr(0, end));
  if (!schema.ok()) {
    if (schema.status().code() != glyph::StatusCode::kUsage || schema.status().message().empty()) std::abort();
    return 0;
  }
  glyph::JsonMachine machine(*schema);
  std::string text;
  for (size_t at = end + 1; at < size && !machine.closed(); ++at) {
    std::vector<uint8_t> choices;
    for (int byte = 0; byte < 256; ++byte) {
      glyph::JsonMachine next = machine;
      if (next.push(static_cast<uint8_t>(byte))) choices.push_back(static_cast<uint8_t>(byte));
    }
    if (choices.empty()) std::abort();
    text += static_cast<char>(choices[data[at] % choices.size()]);
    machine.push(static_cast<uint8_t>(text.back()));
    boost::system::error_code error;
    if (machine.complete() && (boost::json::parse(text, error), error)) std::abort();
  }
  return 0;
}
