#include "answer/json_machine.h"

namespace glyph {
namespace {

constexpr uint16_t kMaxDigits = 15;
constexpr uint16_t kMaxExponentDigits = 2;
constexpr std::array<std::string_view, 3> kWords{"false", "null", "true"};

enum ObjectPlace : uint8_t { kFirstKey, kNextKey, kInKey, kColon, kAfterMember };
enum ArrayPlace : uint8_t { kFirstItem, kAfterItem };
enum NumberPlace : uint8_t { kMinus, kZero, kWhole, kPoint, kFraction, kExponent, kExponentSign, kExponentDigits };
// Inside a string: text, an escape, or what is left of a UTF-8 sequence (Unicode 15, table 3-7).
enum StringPlace : uint8_t {
  kText, kEscape, kHex1, kHex2, kHexAfterD, kHex3, kHex4, kHigh3, kHigh4, kLowBackslash, kLowU, kLow1, kLow2, kLow3, kLow4,
  kTail1, kTail2, kTail3, kAfterE0, kAfterED, kAfterF0, kAfterF4
};

bool is_space(uint8_t byte) { return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r'; }
bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }
bool is_hex(uint8_t byte) { return is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F'); }
bool is_between(uint8_t byte, uint8_t low, uint8_t high) { return byte >= low && byte <= high; }

constexpr int kRefused = -1;
constexpr int kClosed = -2;

int after_text(uint8_t byte) {
  if (byte == '"') return kClosed;
  if (byte == '\\') return kEscape;
  if (byte < 0x20) return kRefused;
  if (byte < 0x80) return kText;
  if (is_between(byte, 0xC2, 0xDF)) return kTail1;
  if (byte == 0xE0) return kAfterE0;
  if (byte == 0xED) return kAfterED;
  if (is_between(byte, 0xE1, 0xEF)) return kTail2;
  if (byte == 0xF0) return kAfterF0;
  if (is_between(byte, 0xF1, 0xF3)) return kTail3;
  return byte == 0xF4 ? kAfterF4 : kRefused;
}

int after_escape(uint8_t byte) {
  if (byte == 'u') return kHex1;
  return std::string_view("\"\\/bfnrt").find(static_cast<char>(byte)) != std::string_view::npos ? kText : kRefused;
}

// The place after `byte`, kClosed or kRefused.
int string_place_after(uint8_t place, uint8_t byte) {
  const auto step = [](bool fits, int next) { return fits ? next : kRefused; };
  const bool d = byte == 'd' || byte == 'D', hex = is_hex(byte);
  switch (static_cast<StringPlace>(place)) {
    case kText: return after_text(byte);
    case kEscape: return after_escape(byte);
    case kHex1: return step(hex, d ? kHexAfterD : kHex2);
    case kHex2: return step(hex, kHex3);
    case kHexAfterD:  // D800-DBFF must be followed by DC00-DFFF, which stand nowhere else
      if (is_between(byte, '0', '7')) return kHex3;
      return step(hex && byte != 'c' && byte != 'C' && !d && byte != 'e' && byte != 'E' && byte != 'f' && byte != 'F', kHigh3);
    case kHex3: return step(hex, kHex4);
    case kHex4: return step(hex, kText);
    case kHigh3: return step(hex, kHigh4);
    case kHigh4: return step(hex, kLowBackslash);
    case kLowBackslash: return step(byte == '\\', kLowU);
    case kLowU: return step(byte == 'u', kLow1);
    case kLow1: return step(d, kLow2);
    case kLow2: return step(is_between(byte, 'c', 'f') || is_between(byte, 'C', 'F'), kLow3);
    case kLow3: return step(hex, kLow4);
    case kLow4: return step(hex, kText);
    case kTail1: return step(is_between(byte, 0x80, 0xBF), kText);
    case kTail2: return step(is_between(byte, 0x80, 0xBF), kTail1);
    case kTail3: return step(is_between(byte, 0x80, 0xBF), kTail2);
    case kAfterE0: return step(is_between(byte, 0xA0, 0xBF), kTail1);
    case kAfterED: return step(is_between(byte, 0x80, 0x9F), kTail1);
    case kAfterF0: return step(is_between(byte, 0x90, 0xBF), kTail2);
    case kAfterF4: return step(is_between(byte, 0x80, 0x8F), kTail2);
  }
  return kRefused;
}

// No property from `next` on must still come.
bool may_close(const JsonSchema::Node& node, size_t next) {
  for (size_t i = next; i < node.properties.size(); ++i) {
    if (node.properties[i].required) return false;
  }
  return true;
}

bool more_keys(const JsonSchema::Node& node, size_t next) {
  return node.properties.empty() ? node.other_keys : next < node.properties.size();
}

}  // namespace

JsonMachine::JsonMachine(const JsonSchema& schema) : schema_(&schema), frames_{} {
  enter({Kind::kValue, 0, schema.root, 0, 0, 0});
  spaces_ = kMaxJsonSpaces;  // none before the value
}

std::string JsonMachine::state() const {
  static_assert(sizeof(Frame) == 10);  // no padding
  std::string bytes{static_cast<char>(depth_), static_cast<char>(spaces_)};
  bytes.append(reinterpret_cast<const char*>(frames_.data()), depth_ * sizeof(Frame));
  return bytes;
}

bool JsonMachine::space(uint8_t byte) { return is_space(byte) && spaces_ < kMaxJsonSpaces && ++spaces_ > 0; }

bool JsonMachine::push(uint8_t byte) {
  // A number or a literal may end without a byte of its own.
  while (depth_ > 0) {
    const Kind kind = top().kind;
    if (kind == Kind::kNumber && push_number(byte)) return true;
    if (kind == Kind::kLiteral && push_literal(byte)) return true;
    if (kind != Kind::kNumber && kind != Kind::kLiteral) break;
    if (!may_end(top())) return false;
    leave();
    spaces_ = 0;
  }
  if (depth_ == 0) return false;
  switch (top().kind) {
    case Kind::kValue: return begin_value(byte);
    case Kind::kObject: return push_object(byte);
    case Kind::kArray: return push_array(byte);
    case Kind::kString: return push_string(byte);
    case Kind::kNumber:
    case Kind::kLiteral: break;
  }
  return false;
}

bool JsonMachine::complete() const { return depth_ == 0 || (depth_ == 1 && may_end(frames_[0])); }

bool JsonMachine::closed() const {
  if (depth_ == 0 || !complete()) return depth_ == 0;
  if (frames_[0].kind == Kind::kLiteral) return false;  // it would have ended by itself
  for (const uint8_t byte : {'0', '.', 'e'}) {
    JsonMachine next = *this;
    if (next.push(byte)) return false;
  }
  return true;
}

bool JsonMachine::may_end(const Frame& frame) const {
  if (frame.kind == Kind::kLiteral) return literal_ended(frame);
  return frame.kind == Kind::kNumber &&
         (frame.place == kZero || frame.place == kWhole || frame.place == kFraction || frame.place == kExponentDigits);
}

// The frame of the value that was announced gives way to one of its kind.
bool JsonMachine::begin_value(uint8_t byte) {
  if (space(byte)) return true;
  const uint16_t index = top().node;
  const JsonSchema::Node& node = schema_->nodes[index];
  spaces_ = 0;
  if (!node.literals.empty()) {
    top() = {Kind::kLiteral, 0, index, 0, 0, 0};
    return push_literal(byte);
  }
  const bool room = depth_ <= kMaxJsonNesting;
  if (byte == '{' && room && (node.types & JsonSchema::kObject)) {
    top() = {Kind::kObject, kFirstKey, index, 0, 0, 0};
  } else if (byte == '[' && room && (node.types & JsonSchema::kArray)) {
    top() = {Kind::kArray, kFirstItem, index, 0, 0, 0};
  } else if (byte == '"' && (node.types & JsonSchema::kString)) {
    top() = {Kind::kString, kText, index, 0, 0, 0};
  } else if ((byte == '-' || is_digit(byte)) && (node.types & (JsonSchema::kNumber | JsonSchema::kInteger))) {
    top() = {Kind::kNumber, static_cast<uint8_t>(byte == '-' ? kMinus : byte == '0' ? kZero : kWhole), index, 1, 0, 0};
  } else {
    const uint8_t needed = byte == 'n' ? JsonSchema::kNull : JsonSchema::kBoolean;
    if ((byte != 't' && byte != 'f' && byte != 'n') || !(node.types & needed)) return false;
    top() = {Kind::kLiteral, 0, index, 1, 0, 0};
    return push_literal(byte);
  }
  return true;
}

bool JsonMachine::push_object(uint8_t byte) {
  Frame& frame = top();
  const JsonSchema::Node& node = schema_->nodes[frame.node];
  switch (static_cast<ObjectPlace>(frame.place)) {
    case kFirstKey:
    case kNextKey:
      if (space(byte)) return true;
      if (byte == '}' && frame.place == kFirstKey && may_close(node, frame.next)) return leave(), spaces_ = 0, true;
      return begin_key(byte);
    case kInKey: return push_key(byte);
    case kColon:
      if (byte != ':') return false;
      spaces_ = 0;
      frame.place = kAfterMember;
      enter({Kind::kValue, 0, node.properties.empty() ? JsonSchema::kAny : node.properties[frame.match].node, 0, 0, 0});
      return true;
    case kAfterMember:
      if (space(byte)) return true;
      spaces_ = 0;
      if (byte == '}' && may_close(node, frame.next)) return leave(), true;
      if (byte != ',' || !more_keys(node, frame.next)) return false;
      frame.place = kNextKey;
      return true;
  }
  return false;
}

bool JsonMachine::begin_key(uint8_t byte) {
  Frame& frame = top();
  const JsonSchema::Node& node = schema_->nodes[frame.node];
  if (byte != '"' || !more_keys(node, frame.next)) return false;
  spaces_ = 0;
  if (node.properties.empty()) {
    frame.place = kColon;
    enter({Kind::kString, kText, JsonSchema::kAny, 0, 0, 0});
    return true;
  }
  frame.place = kInKey;
  frame.match = frame.next;
  frame.at = 1;
  return true;
}

// Properties keep the schema's order; those up to the next required one may be left out.
bool JsonMachine::push_key(uint8_t byte) {
  Frame& frame = top();
  const std::vector<JsonSchema::Property>& all = schema_->nodes[frame.node].properties;
  const std::string_view came = std::string_view(all[frame.match].key).substr(0, frame.at);
  for (size_t i = frame.next; i < all.size(); ++i) {
    const std::string_view key = all[i].key;
    if (key.size() > frame.at && key[frame.at] == static_cast<char>(byte) && key.starts_with(came)) {
      frame.match = static_cast<uint16_t>(i);
      if (++frame.at < key.size()) return true;
      frame.place = kColon;
      frame.next = static_cast<uint16_t>(i + 1);
      frame.at = 0;
      return true;
    }
    if (all[i].required) break;
  }
  return false;
}

bool JsonMachine::push_array(uint8_t byte) {
  Frame& frame = top();
  const uint16_t items = schema_->nodes[frame.node].items;
  if (space(byte)) return true;
  if (byte == ']') return leave(), spaces_ = 0, true;
  if (frame.place == kAfterItem) {
    if (byte != ',') return false;
    spaces_ = 0;
    enter({Kind::kValue, 0, items, 0, 0, 0});
    return true;
  }
  frame.place = kAfterItem;
  enter({Kind::kValue, 0, items, 0, 0, 0});
  return begin_value(byte);
}

bool JsonMachine::push_string(uint8_t byte) {
  const int place = string_place_after(top().place, byte);
  if (place == kRefused) return false;
  if (place == kClosed) leave();
  else top().place = static_cast<uint8_t>(place);
  return true;
}

bool JsonMachine::push_number(uint8_t byte) {
  Frame& frame = top();
  const bool fractions = (schema_->nodes[frame.node].types & JsonSchema::kNumber) != 0;
  const auto go = [&](uint8_t place, uint16_t digits) { return frame.place = place, frame.next = digits, true; };
  switch (static_cast<NumberPlace>(frame.place)) {
    case kMinus:
      if (!is_digit(byte)) return false;
      return go(byte == '0' ? kZero : kWhole, 1);
    case kWhole:
      if (is_digit(byte)) return frame.next < kMaxDigits && go(kWhole, static_cast<uint16_t>(frame.next + 1));
      [[fallthrough]];
    case kZero:
      if (byte == '.' && fractions) return go(kPoint, 0);
      return (byte == 'e' || byte == 'E') && fractions && go(kExponent, 0);
    case kPoint: return is_digit(byte) && go(kFraction, 1);
    case kFraction:
      if (is_digit(byte)) return frame.next < kMaxDigits && go(kFraction, static_cast<uint16_t>(frame.next + 1));
      return (byte == 'e' || byte == 'E') && go(kExponent, 0);
    case kExponent:
      if (byte == '+' || byte == '-') return go(kExponentSign, 0);
      return is_digit(byte) && go(kExponentDigits, 1);
    case kExponentSign: return is_digit(byte) && go(kExponentDigits, 1);
    case kExponentDigits: return is_digit(byte) && frame.next < kMaxExponentDigits && go(kExponentDigits, static_cast<uint16_t>(frame.next + 1));
  }
  return false;
}

size_t JsonMachine::num_literals(const Frame& frame) const {
  return frame.next == 1 ? kWords.size() : schema_->nodes[frame.node].literals.size();
}
std::string_view JsonMachine::literal(const Frame& frame, size_t index) const {
  return frame.next == 1 ? kWords[index] : std::string_view(schema_->nodes[frame.node].literals[index]);
}

// Literals are sorted: those that begin like what came stand together from frame.match on, the shortest first.
bool JsonMachine::push_literal(uint8_t byte) {
  Frame& frame = top();
  const size_t count = num_literals(frame);
  const std::string_view came = literal(frame, frame.match).substr(0, frame.at);
  const auto sorts_before = [&](std::string_view text) {
    const int order = text.compare(0, came.size(), came);
    return order < 0 || (order == 0 && (text.size() == came.size() || static_cast<uint8_t>(text[came.size()]) < byte));
  };
  const auto begins_so = [&](size_t i) {
    if (i >= count) return false;
    const std::string_view text = literal(frame, i);
    return text.size() > came.size() && text[came.size()] == static_cast<char>(byte) && text.starts_with(came);
  };
  size_t first = frame.match, end = count;
  while (first < end) {
    const size_t middle = (first + end) / 2;
    if (sorts_before(literal(frame, middle))) first = middle + 1;
    else end = middle;
  }
  if (!begins_so(first)) return false;
  frame.match = static_cast<uint16_t>(first);
  ++frame.at;
  if (literal(frame, first).size() == frame.at && !begins_so(first + 1)) leave();
  return true;
}

bool JsonMachine::literal_ended(const Frame& frame) const { return literal(frame, frame.match).size() == frame.at; }

}  // namespace glyph
