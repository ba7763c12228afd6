#include "answer/answer_format.h"

#include <algorithm>
#include <utility>

namespace glyph {

FormatState::FormatState(std::shared_ptr<const AnswerFormat> format, std::vector<int32_t> stop_ids)
    : format_(std::move(format)), stop_ids_(std::move(stop_ids)), machine_(format_->schema) {}

bool FormatState::is_stop(int32_t id) const { return std::find(stop_ids_.begin(), stop_ids_.end(), id) != stop_ids_.end(); }

bool FormatState::permits(int32_t id) const {
  if (is_stop(id)) return machine_.complete();
  if (id < 0 || id >= format_->tokens->num_tokens()) return false;
  const std::string& spelling = format_->tokens->spelling(id);
  if (spelling.empty() || spelling.size() > kMaxTokenBytes) return false;
  JsonMachine machine = machine_;
  return std::all_of(spelling.begin(), spelling.end(), [&](char byte) { return machine.push(static_cast<uint8_t>(byte)); });
}

const TokenMask& FormatState::permitted() {
  std::string state = machine_.state();
  if (const auto known = masks_.find(state); known != masks_.end()) return known->second;
  if (masks_.size() >= kMaxMasks) masks_.clear();
  TokenMask mask = format_->tokens->taken_by(machine_);
  for (const int32_t id : stop_ids_) {
    if (machine_.complete()) mask.add(id);
    else mask.remove(id);
  }
  return masks_.emplace(std::move(state), std::move(mask)).first->second;
}

void FormatState::accept(int32_t id) {
  if (is_stop(id)) return;
  for (const char byte : format_->tokens->spelling(id)) machine_.push(static_cast<uint8_t>(byte));
}

}  // namespace glyph
