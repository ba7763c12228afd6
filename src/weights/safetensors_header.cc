#include "weights/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <limits>
#include <optional>
#include <unordered_set>

namespace glyph {
namespace {

struct TypeInfo {
  StoredType type;
  std::string_view name;
  size_t size;
};

constexpr std::array kTypes = {
    TypeInfo{StoredType::kF64, "F64", 8},        TypeInfo{StoredType::kF32, "F32", 4},
    TypeInfo{StoredType::kF16, "F16", 2},        TypeInfo{StoredType::kBF16, "BF16", 2},
    TypeInfo{StoredType::kF8E4M3, "F8_E4M3", 1}, TypeInfo{StoredType::kF8E5M2, "F8_E5M2", 1},
    TypeInfo{StoredType::kI64, "I64", 8},        TypeInfo{StoredType::kI32, "I32", 4},
    TypeInfo{StoredType::kI16, "I16", 2},        TypeInfo{StoredType::kI8, "I8", 1},
    TypeInfo{StoredType::kU64, "U64", 8},        TypeInfo{StoredType::kU32, "U32", 4},
    TypeInfo{StoredType::kU16, "U16", 2},        TypeInfo{StoredType::kU8, "U8", 1},
    TypeInfo{StoredType::kBool, "BOOL", 1},
};

const TypeInfo& info_of(StoredType type) {
  return *std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeInfo& info) { return info.type == type; });
}

std::optional<StoredType> type_named(std::string_view name) {
  const auto* found =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeInfo& info) { return info.name == name; });
  if (found == kTypes.end()) return std::nullopt;
  return found->type;
}

// Takes the events of Boost's push parser and fills the entries. A document tree would hide a name that
// stands twice.
class HeaderHandler {
 public:
  constexpr static size_t max_object_size = kMaxTensors + 1;
  constexpr static size_t max_array_size = 64;
  constexpr static size_t max_key_size = kMaxTensorName;
  constexpr static size_t max_string_size = 16 << 20;  // "__metadata__" may be long

  std::vector<HeaderEntry> entries;
  std::string problem;  // why parsing stopped, when it was not the syntax

  using error_code = boost::json::error_code;
  using string_view = boost::json::string_view;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }

  bool on_object_begin(error_code& ec) {
    ++depth_;
    if (depth_ == 1 || (depth_ == 2 && state_ == State::kTensor)) return true;
    if (depth_ == 2 && state_ == State::kMetadata) return true;
    return stop(ec, "has an object where none belongs");
  }

  bool on_object_end(size_t, error_code& ec) {
    --depth_;
    if (depth_ != 1 || state_ != State::kTensor) return true;
    if (seen_ != kAllFields) return stop(ec, named("lacks one of dtype, shape and data_offsets"));
    return true;
  }

  bool on_key_part(string_view part, size_t, error_code&) {
    key_.append(part.data(), part.size());
    return true;
  }

  bool on_key(string_view part, size_t, error_code& ec) {
    key_.append(part.data(), part.size());
    const std::string key = std::exchange(key_, {});
    if (depth_ == 1) return begin_entry(key, ec);
    if (state_ == State::kMetadata) return true;
    return begin_field(key, ec);
  }

  bool on_string_part(string_view part, size_t, error_code&) {
    if (state_ == State::kTensor) text_.append(part.data(), std::min<size_t>(part.size(), 64));
    return true;
  }

  bool on_string(string_view part, size_t, error_code& ec) {
    if (state_ == State::kMetadata && depth_ == 2) return true;
    text_.append(part.data(), part.size());
    const std::string text = std::exchange(text_, {});
    if (state_ != State::kTensor || depth_ != 2 || field_ != kType)
      return stop(ec, named("has a string where a number belongs"));
    const std::optional<StoredType> type = type_named(text);
    if (!type) return stop(ec, named(fmt::format("has the unknown dtype \"{:.32}\"", text)));
    entries.back().type = *type;
    return true;
  }

  bool on_array_begin(error_code& ec) {
    if (state_ != State::kTensor || depth_ != 2 || in_array_ || field_ == kType)
      return stop(ec, "has a list where none belongs");
    in_array_ = true;
    numbers_.clear();
    return true;
  }

  bool on_array_end(size_t, error_code& ec) {
    in_array_ = false;
    return field_ == kShape ? set_shape(ec) : set_offsets(ec);
  }

  bool on_int64(int64_t value, string_view, error_code& ec) {
    if (value < 0) return stop(ec, named("has a negative number"));
    return on_uint64(static_cast<uint64_t>(value), {}, ec);
  }

  bool on_uint64(uint64_t value, string_view, error_code& ec) {
    if (!in_array_) return stop(ec, "has a number where none belongs");
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      return stop(ec, named("has a number above 2^63"));
    numbers_.push_back(value);
    return true;
  }

  bool on_number_part(string_view, error_code&) { return true; }
  bool on_double(double, string_view, error_code& ec) {
    return stop(ec, named("has a fraction where a whole number belongs"));
  }
  bool on_bool(bool, error_code& ec) { return stop(ec, named("has true or false where none belongs")); }
  bool on_null(error_code& ec) { return stop(ec, named("has a null")); }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

 private:
  enum class State { kOutside, kTensor, kMetadata };
  static constexpr int kType = 1, kShape = 2, kOffsets = 4, kAllFields = 7;

  bool stop(error_code& ec, std::string why) {
    problem = std::move(why);
    ec = boost::json::error::syntax;
    return false;
  }

  std::string named(std::string_view what) const {
    return entries.empty() ? std::string(what) : fmt::format("tensor \"{}\" {}", entries.back().name, what);
  }

  bool begin_entry(const std::string& key, error_code& ec) {
    if (!names_.insert(key).second) return stop(ec, fmt::format("has \"{}\" twice", key));
    if (key == "__metadata__") {
      state_ = State::kMetadata;
      return true;
    }
    if (entries.size() == kMaxTensors) return stop(ec, fmt::format("has more than {} tensors", kMaxTensors));
    state_ = State::kTensor;
    seen_ = 0;
    entries.emplace_back().name = key;
    return true;
  }

  bool begin_field(const std::string& key, error_code& ec) {
    field_ = key == "dtype" ? kType : key == "shape" ? kShape : key == "data_offsets" ? kOffsets : 0;
    if (field_ == 0) return stop(ec, named(fmt::format("has the unknown field \"{:.64}\"", key)));
    if ((seen_ & field_) != 0) return stop(ec, named(fmt::format("has \"{}\" twice", key)));
    seen_ |= field_;
    return true;
  }

  bool set_shape(error_code& ec) {
    if (numbers_.size() > kMaxTensorDims)
      return stop(ec, named(fmt::format("has more than {} dimensions", kMaxTensorDims)));
    entries.back().shape.assign(numbers_.begin(), numbers_.end());
    return true;
  }

  bool set_offsets(error_code& ec) {
    if (numbers_.size() != 2) return stop(ec, named("has data_offsets that are not two numbers"));
    entries.back().begin = numbers_[0];
    entries.back().end = numbers_[1];
    return true;
  }

  State state_ = State::kOutside;
  int depth_ = 0;
  int field_ = 0;
  int seen_ = 0;
  bool in_array_ = false;
  std::string key_;
  std::string text_;
  std::vector<uint64_t> numbers_;
  std::unordered_set<std::string> names_;
};

Result<std::vector<HeaderEntry>> parse_entries(std::string_view json, const std::string& where) {
  boost::json::parse_options options;
  options.max_depth = 4;
  boost::json::basic_parser<HeaderHandler> parser(options);
  boost::json::error_code error;
  const size_t used = parser.write_some(false, json.data(), json.size(), error);
  const std::string& problem = parser.handler().problem;
  if (!problem.empty()) return refused(fmt::format("{}: the header {}", where, problem));
  if (error) return refused(fmt::format("{}: the header is not valid JSON: {}", where, error.message()));
  if (json.find_first_not_of(" \t\r\n", used) != std::string_view::npos) {
    return refused(fmt::format("{}: the header has text after its JSON object", where));
  }
  return std::move(parser.handler().entries);
}

// Bytes of dtype * shape, or nothing when that is past 2^63.
std::optional<uint64_t> num_bytes(const HeaderEntry& entry) {
  uint64_t count = size_of(entry.type);
  for (const int64_t side : entry.shape) {
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(side), &count)) return std::nullopt;
  }
  if (count > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
  return count;
}

// `entries` are in the order of their data; checks that they tile [0, data_size).
Status check_layout(const std::vector<HeaderEntry>& entries, uint64_t data_size, const std::string& where) {
  uint64_t next = 0;
  for (const HeaderEntry& entry : entries) {
    const auto complain = [&](std::string_view what) {
      return refused(fmt::format("{}: tensor \"{}\" {}", where, entry.name, what));
    };
    if (entry.end < entry.begin)
      return complain(fmt::format("ends at byte {} before it begins at {}", entry.end, entry.begin));
    if (entry.end > data_size)
      return complain(fmt::format("ends at byte {} of the data, which has {}", entry.end, data_size));
    if (entry.begin < next)
      return complain(fmt::format("begins at byte {} inside the tensor before it", entry.begin));
    if (entry.begin > next)
      return complain(fmt::format("begins at byte {}, leaving {} bytes that belong to no tensor", entry.begin,
                                  entry.begin - next));
    const std::optional<uint64_t> expected = num_bytes(entry);
    if (!expected)
      return complain(fmt::format("has a shape {} too large for any file", shape_text(entry.shape)));
    if (*expected != entry.end - entry.begin) {
      return complain(fmt::format("has {} bytes, but {} {} takes {}", entry.end - entry.begin,
                                  name_of(entry.type), shape_text(entry.shape), *expected));
    }
    next = entry.end;
  }
  if (next == data_size) return {};
  return refused(fmt::format("{}: {} bytes at the end belong to no tensor", where, data_size - next));
}

Status check_alignment(const SafetensorsHeader& header, const std::string& where) {
  for (const HeaderEntry& entry : header.entries) {
    if ((header.data_offset + entry.begin) % size_of(entry.type) == 0 || entry.begin == entry.end) continue;
    return refused(fmt::format("{}: tensor \"{}\" is not aligned to its {}-byte elements", where, entry.name,
                               size_of(entry.type)));
  }
  return {};
}

uint64_t little_endian_64(std::span<const uint8_t> bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

size_t size_of(StoredType type) { return info_of(type).size; }

std::string_view name_of(StoredType type) { return info_of(type).name; }

Result<SafetensorsHeader> read_safetensors_header(std::span<const uint8_t> file, const std::string& where) {
  if (file.size() < 8)
    return refused(fmt::format("{}: is too short ({} bytes) to be a safetensors file", where, file.size()));
  const uint64_t length = little_endian_64(file);
  if (length > kMaxHeaderBytes) {
    return refused(
        fmt::format("{}: the header claims {} bytes, the limit is {}", where, length, kMaxHeaderBytes));
  }
  if (length > file.size() - 8) {
    return refused(fmt::format("{}: the header claims {} bytes, but the file has {} after its length", where,
                               length, file.size() - 8));
  }
  SafetensorsHeader header;
  header.data_offset = 8 + length;
  const std::string_view json(reinterpret_cast<const char*>(file.data()) + 8, length);
  if (json.empty() || json.front() != '{')
    return refused(fmt::format("{}: the header does not begin with an object", where));
  GLYPH_ASSIGN_OR_RETURN(header.entries, parse_entries(json, where));
  // An empty tensor may share its offset with the next one; it comes first.
  std::sort(header.entries.begin(), header.entries.end(), [](const HeaderEntry& a, const HeaderEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  GLYPH_RETURN_IF_ERROR(check_layout(header.entries, file.size() - header.data_offset, where));
  GLYPH_RETURN_IF_ERROR(check_alignment(header, where));
  return header;
}

}  // namespace glyph
