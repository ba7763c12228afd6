// JsonMachine: which byte may come next in a JSON value that keeps to a schema. A pushdown automaton over bytes.
//
// It takes a part of JSON that every parser reads the same way: well-formed UTF-8 and no lone surrogate escapes in strings; at most
// 15 digits before and after the point and two in an exponent; values nested at most 32 deep; at most 16 white-space bytes in a row,
// none before the value, after it, or before a colon.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "answer/json_schema.h"

namespace glyph {

constexpr size_t kMaxJsonNesting = 32;
constexpr uint8_t kMaxJsonSpaces = 16;

// Cheap to copy. The schema must outlive it.
class JsonMachine {
 public:
  explicit JsonMachine(const JsonSchema& schema);

  // Takes the next byte. False when it cannot stand here; the machine is then good for nothing but being replaced.
  bool push(uint8_t byte);
  // What came is a whole value ...
  bool complete() const;
  // ... and nothing can follow it.
  bool closed() const;

  // Machines of one schema with equal states take the same bytes from here on.
  std::string state() const;

 private:
  enum class Kind : uint8_t { kValue, kObject, kArray, kString, kNumber, kLiteral };
  struct Frame {
    Kind kind;
    uint8_t place;   // inside the kind's grammar
    uint16_t node;   // of the schema
    uint16_t next;   // object: first property that may still come; number: digits of this part; literal: 1 for false, null, true
    uint16_t match;  // object: one of those that begin like what came; literal: the first of them
    uint16_t at;     // object, literal: bytes of it that came
  };

  Frame& top() { return frames_[depth_ - 1]; }
  void enter(const Frame& frame) { frames_[depth_++] = frame; }
  void leave() { --depth_; }
  bool space(uint8_t byte);
  bool begin_value(uint8_t byte);
  bool push_object(uint8_t byte);
  bool begin_key(uint8_t byte);
  bool push_key(uint8_t byte);
  bool push_array(uint8_t byte);
  bool push_string(uint8_t byte);
  bool push_number(uint8_t byte);
  bool push_literal(uint8_t byte);
  size_t num_literals(const Frame& frame) const;
  std::string_view literal(const Frame& frame, size_t index) const;
  bool literal_ended(const Frame& frame) const;
  bool may_end(const Frame& frame) const;

  const JsonSchema* schema_;
  uint8_t depth_ = 0;
  uint8_t spaces_ = 0;  // in a row
  std::array<Frame, kMaxJsonNesting + 2> frames_;
};

}  // namespace glyph
