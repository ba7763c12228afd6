// AnswerFormat: a JSON form that an answer must have; FormatState: how far one answer has come in it. Together they tell the sampler
// which tokens may come next, so that an answer that ends by itself always parses.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "answer/json_machine.h"
#include "answer/json_schema.h"
#include "answer/token_trie.h"

namespace glyph {

// Immutable: any thread.
struct AnswerFormat {
  JsonSchema schema;
  std::shared_ptr<const TokenTrie> tokens;
};

// Not thread safe; one object, one answer.
class FormatState {
 public:
  // A stop id ends the answer: it may come only once the value is whole, whatever it spells.
  FormatState(std::shared_ptr<const AnswerFormat> format, std::vector<int32_t> stop_ids);

  bool permits(int32_t id) const;
  // All ids that may come next. Valid until the next call of any kind.
  const TokenMask& permitted();
  // Notes an id that permits() takes.
  void accept(int32_t id);

  // What came is a whole value ...
  bool complete() const { return machine_.complete(); }
  // ... and nothing can follow it.
  bool closed() const { return machine_.closed(); }

 private:
  static constexpr size_t kMaxMasks = 64;

  bool is_stop(int32_t id) const;

  const std::shared_ptr<const AnswerFormat> format_;
  const std::vector<int32_t> stop_ids_;
  JsonMachine machine_;
  std::unordered_map<std::string, TokenMask> masks_;  // by state: inside a long string it is nearly always the same
};

}  // namespace glyph
