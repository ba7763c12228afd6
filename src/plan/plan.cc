#include "plan/plan.h"

#include <fmt/format.h>

namespace glyph {

int64_t Plan::chunk_tokens() const {
  const PlannedChunk* best = nullptr;
  constexpr double kWorthwhile = 0.99;
  for (const PlannedChunk& chunk : chunks) {
    if (best == nullptr || chunk.ms < best->ms * (chunk.tokens > best->tokens ? kWorthwhile : 1.0)) best = &chunk;
  }
  return best == nullptr ? 0 : best->tokens;
}

std::string difference(const PlanIdentity& made_for, const PlanIdentity& here) {
  const auto differs = [](const char* what, const std::string& then, const std::string& now) {
    return fmt::format("it was made for {} \"{}\", this is \"{}\"", what, then, now);
  };
  if (made_for.program != here.program) return differs("glyph", made_for.program, here.program);
  if (made_for.device != here.device) return differs("the device", made_for.device, here.device);
  if (made_for.libraries != here.libraries) return differs("the libraries", made_for.libraries, here.libraries);
  if (made_for.model != here.model) return "it was made for another model or precision";
  return "";
}

}  // namespace glyph
