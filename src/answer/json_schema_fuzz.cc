// Any bytes give a schema or a sentence; a machine of a schema that was taken never runs into a dead end, and what it calls complete is
// JSON. Input: the schema's text, NUL, then the choices.
#include <algorithm>
#include <boost/json/parse.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "answer/json_machine.h"

namespace {

constexpr size_t kMaxChoices = 512;  // an answer may go on for ever

// The first byte from `wish` on that the machine takes.
std::optional<uint8_t> next_byte(const glyph::JsonMachine& machine, uint8_t wish) {
  for (int i = 0; i < 256; ++i) {
    glyph::JsonMachine next = machine;
    const auto byte = static_cast<uint8_t>(wish + i);
    if (next.push(byte)) return byte;
  }
  return std::nullopt;
}

}  // namespace

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
  const size_t last = std::min(size, end + 1 + kMaxChoices);
  for (size_t at = end + 1; at < last && !machine.closed(); ++at) {
    const auto next = next_byte(machine, data[at]);
    if (!next) std::abort();
    text += static_cast<char>(*next);
    machine.push(*next);
    boost::system::error_code error;
    if (machine.complete() && (boost::json::parse(text, error), error)) std::abort();
  }
  return 0;
}
