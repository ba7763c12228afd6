#include "ingest/charset.h"

#include <fmt/format.h>
#include <unicode/uchar.h>
#include <unicode/ucnv.h>
#include <unicode/ucsdet.h>

#include <algorithm>
#include <array>
#include <climits>
#include <memory>
#include <optional>

#include "base/utf8.h"

namespace glyph {
namespace {

constexpr size_t kSample = 64 << 10;      // bytes the detector looks at
constexpr double kMostControls = 0.01;    // share of control characters in text
constexpr int kLeastConfidence = 10;      // of ICU's detector, of 100
constexpr size_t kValidPerInvalid = 10;   // well-formed sequences to each broken one in damaged UTF-8

const Status kBinary = refused("it is binary data, not text");

bool is_control(uint32_t c) {
  return c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != '\v' && c != '\b' && c != 0x1B;
}

bool has_too_many_controls(std::string_view bytes) {
  const auto controls = std::count_if(bytes.begin(), bytes.end(), [](char c) { return is_control(static_cast<uint8_t>(c)); });
  return static_cast<double>(controls) > kMostControls * static_cast<double>(bytes.size());
}

// UTF-16 or UTF-32 code units of `width` bytes, assembled one after the other.
class WideReader {
 public:
  WideReader(std::string_view bytes, int width, bool big_endian) : bytes_(bytes), width_(width), big_endian_(big_endian) {}

  bool done() const { return at_ + width_ > bytes_.size(); }
  bool is_whole() const { return bytes_.size() % width_ == 0; }
  // The next code point; kReplacementCharacter and valid = false for a lone surrogate or a value past U+10FFFF.
  CodePoint next() {
    const uint32_t unit = take();
    if (width_ == 4) return unit > 0x10FFFF || is_surrogate(unit) ? broken() : CodePoint{unit, 4, true};
    if (!is_surrogate(unit)) return {unit, 2, true};
    if (unit >= 0xDC00 || done()) return broken();
    const size_t before = at_;
    const uint32_t low = take();
    if (low >= 0xDC00 && low < 0xE000) return {0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), 4, true};
    at_ = before;
    return broken();
  }

 private:
  static bool is_surrogate(uint32_t c) { return c >= 0xD800 && c < 0xE000; }
  static CodePoint broken() { return {kReplacementCharacter, 0, false}; }
  uint32_t take() {
    uint32_t unit = 0;
    for (int i = 0; i < width_; ++i) {
      const int from = big_endian_ ? i : width_ - 1 - i;
      unit = unit << 8 | static_cast<uint8_t>(bytes_[at_ + static_cast<size_t>(from)]);
    }
    at_ += static_cast<size_t>(width_);
    return unit;
  }

  std::string_view bytes_;
  int width_;
  bool big_endian_;
  size_t at_ = 0;
};

struct Wide {
  std::string_view name;
  std::string_view mark;  // byte order mark
  int width;
  bool big_endian;
};

using std::literals::string_view_literals::operator""sv;

// UTF-32LE before UTF-16LE: its mark begins with the other's.
constexpr Wide kWide[] = {
    {"UTF-32LE", "\xFF\xFE\0\0"sv, 4, false},
    {"UTF-32BE", "\0\0\xFE\xFF"sv, 4, true},
    {"UTF-16LE", "\xFF\xFE"sv, 2, false},
    {"UTF-16BE", "\xFE\xFF"sv, 2, true},
};

std::string broken_bytes_warning(std::string_view encoding, size_t broken) {
  if (broken == 0) return "";
  return fmt::format("{} places are not valid {} and were replaced by U+FFFD", broken, encoding);
}

DecodedText decode_wide(std::string_view bytes, const Wide& wide) {
  DecodedText decoded{.text = {}, .encoding = std::string(wide.name), .warning = {}};
  decoded.text.reserve(bytes.size());
  size_t broken = 0;
  WideReader reader(bytes, wide.width, wide.big_endian);
  while (!reader.done()) {
    const CodePoint step = reader.next();
    broken += !step.valid;
    append_utf8(decoded.text, step.value);
  }
  broken += !reader.is_whole();
  decoded.warning = broken_bytes_warning(wide.name, broken);
  return decoded;
}

// How well the bytes read as `wide` text without a mark: the share of common characters (ASCII letters, spaces and digits, Han,
// punctuation), 0 as soon as something cannot be text.
double wide_fit(std::string_view bytes, const Wide& wide) {
  WideReader reader(bytes, wide.width, wide.big_endian);
  if (bytes.size() < static_cast<size_t>(2 * wide.width) || !reader.is_whole()) return 0;
  size_t count = 0;
  size_t common = 0;
  for (; !reader.done() && count < kSample; ++count) {
    const CodePoint step = reader.next();
    if (!step.valid || step.value == 0 || is_control(step.value)) return 0;
    const auto category = u_charType(static_cast<UChar32>(step.value));
    if (category == U_UNASSIGNED || category == U_PRIVATE_USE_CHAR) return 0;
    common += step.value < 0x250 || (step.value >= 0x3000 && step.value < 0x3100) || (step.value >= 0x4E00 && step.value < 0xA000);
  }
  return count == 0 ? 0 : static_cast<double>(common) / static_cast<double>(count);
}

std::optional<DecodedText> decode_unmarked_wide(std::string_view bytes) {
  if (bytes.find('\0') == std::string_view::npos) return std::nullopt;
  const Wide* best = nullptr;
  double best_fit = 0.7;
  for (const Wide& wide : kWide) {
    const double fit = wide_fit(bytes, wide);
    if (fit > best_fit) {
      best = &wide;
      best_fit = fit;
    }
  }
  if (best == nullptr) return std::nullopt;
  DecodedText decoded = decode_wide(bytes, *best);
  decoded.warning = fmt::format("its charset is not declared and was taken to be {}", best->name);
  return decoded;
}

struct Utf8Count {
  size_t valid = 0;    // sequences of two bytes or more
  size_t invalid = 0;
};

Utf8Count count_utf8(std::string_view bytes) {
  Utf8Count count;
  for (size_t i = 0; i < bytes.size();) {
    const CodePoint step = decode_utf8(bytes, i);
    count.valid += step.valid && step.length > 1;
    count.invalid += !step.valid;
    i += step.length;
  }
  return count;
}

// Converts with ICU; "" result means the converter is unknown. `broken` counts replacement characters.
std::optional<std::string> convert(std::string_view bytes, const std::string& encoding, size_t& broken) {
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<UConverter, void (*)(UConverter*)> converter(ucnv_open(encoding.c_str(), &error), ucnv_close);
  if (U_FAILURE(error)) return std::nullopt;
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 2);
  broken = 0;
  std::array<char16_t, 4096> units{};
  const char* source = bytes.data();
  const char* const end = source + bytes.size();
  uint32_t high = 0;
  do {
    error = U_ZERO_ERROR;
    char16_t* target = units.data();
    ucnv_toUnicode(converter.get(), &target, units.data() + units.size(), &source, end, nullptr, true, &error);
    if (U_FAILURE(error) && error != U_BUFFER_OVERFLOW_ERROR) return std::nullopt;
    for (const char16_t* unit = units.data(); unit != target; ++unit) {
      if (*unit >= 0xD800 && *unit < 0xDC00) {
        high = *unit;
        continue;
      }
      const uint32_t c = *unit >= 0xDC00 && *unit < 0xE000 && high != 0
                             ? 0x10000 + ((high - 0xD800) << 10) + (*unit - 0xDC00u) : *unit;
      high = 0;
      broken += c == kReplacementCharacter;
      append_utf8(out, c);
    }
  } while (error == U_BUFFER_OVERFLOW_ERROR);
  return out;
}

// Every byte above 0x7F belongs to a sequence of GB18030, and most two-byte characters are of GB 2312's first level (the 3,755
// common Han characters) or its punctuation. A text of another multibyte charset rarely looks so.
bool looks_like_gb18030(std::string_view bytes) {
  size_t pairs = 0;
  size_t common = 0;
  const auto byte = [&](size_t i) -> uint8_t { return i < bytes.size() ? static_cast<uint8_t>(bytes[i]) : 0; };
  for (size_t i = 0; i < bytes.size();) {
    const uint8_t first = byte(i);
    const uint8_t second = byte(i + 1);
    if (first < 0x80) {
      ++i;
    } else if (first == 0x80 || first == 0xFF) {
      return false;
    } else if (second >= 0x30 && second <= 0x39) {
      if (byte(i + 2) < 0x81 || byte(i + 3) < 0x30 || byte(i + 3) > 0x39) return false;
      i += 4;
    } else if (second >= 0x40 && second != 0x7F && second != 0xFF) {
      ++pairs;
      common += second >= 0xA1 && ((first >= 0xB0 && first <= 0xD7) || first == 0xA1 || first == 0xA3);
      i += 2;
    } else {
      return false;
    }
  }
  return pairs > 0 && common * 10 >= pairs * 8;
}

struct Guess {
  std::string encoding;
  int confidence = 0;
};

// ICU's best guess; a multibyte East Asian charset that shares its byte ranges with GB18030 must beat it.
Guess detect(std::string_view bytes) {
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<UCharsetDetector, void (*)(UCharsetDetector*)> detector(ucsdet_open(&error), ucsdet_close);
  if (U_FAILURE(error)) return {};
  const std::string_view sample = bytes.substr(0, kSample);
  ucsdet_setText(detector.get(), sample.data(), static_cast<int32_t>(sample.size()), &error);
  int32_t count = 0;
  const UCharsetMatch** matches = ucsdet_detectAll(detector.get(), &count, &error);
  if (U_FAILURE(error) || count == 0) return {};
  const auto guess_at = [&](int32_t i) {
    const char* encoding = ucsdet_getName(matches[i], &error);
    return Guess{encoding == nullptr ? "" : encoding, ucsdet_getConfidence(matches[i], &error)};
  };
  Guess best = guess_at(0);
  if (!looks_like_gb18030(bytes)) return best;
  for (int32_t i = 0; i < count; ++i) {
    const Guess guess = guess_at(i);
    if (guess.encoding == "GB18030" && guess.confidence + 10 >= best.confidence) return guess;
  }
  const bool is_rival = best.encoding == "EUC-KR" || best.encoding == "EUC-JP" || best.encoding == "Big5";
  return is_rival && best.confidence > 10 ? best : Guess{"GB18030", 50};
}

// A converter that a guess or an HTML file names, when it can read every byte.
std::optional<DecodedText> decode_declared(std::string_view bytes, std::string_view declared) {
  size_t broken = 0;
  auto text = convert(bytes, std::string(declared), broken);
  if (!text || broken > bytes.size() / 100) return std::nullopt;
  UErrorCode error = U_ZERO_ERROR;
  const char* standard = ucnv_getStandardName(std::string(declared).c_str(), "MIME", &error);
  std::string encoding = standard != nullptr ? standard : std::string(declared);
  return DecodedText{*std::move(text), encoding, broken_bytes_warning(encoding, broken)};
}

Result<DecodedText> decode_guessed(std::string_view bytes) {
  const Guess guess = detect(bytes);
  if (guess.confidence < kLeastConfidence) return refused("its text encoding is not known; save it as UTF-8");
  size_t broken = 0;
  auto text = convert(bytes, guess.encoding, broken);
  if (!text || broken > bytes.size() / 50 + 1) return refused("its text encoding is not known; save it as UTF-8");
  return DecodedText{*std::move(text), guess.encoding,
                     fmt::format("it is not UTF-8; its charset was taken to be {}", guess.encoding)};
}

}  // namespace

Result<DecodedText> decode_text(std::string_view bytes, std::string_view declared) {
  if (bytes.starts_with("\xEF\xBB\xBF")) {
    bytes.remove_prefix(3);
    return DecodedText{sanitize_utf8(bytes), "UTF-8", broken_bytes_warning("UTF-8", count_utf8(bytes).invalid)};
  }
  for (const Wide& wide : kWide) {
    if (bytes.starts_with(wide.mark)) return decode_wide(bytes.substr(wide.mark.size()), wide);
  }
  const Utf8Count utf8 = count_utf8(bytes);
  if (utf8.invalid > 0 || bytes.find('\0') != std::string_view::npos) {
    if (auto wide = decode_unmarked_wide(bytes)) return *std::move(wide);
  }
  if (has_too_many_controls(bytes)) return kBinary;
  if (utf8.invalid == 0) return DecodedText{std::string(bytes), "UTF-8", ""};
  if (bytes.find('\0') != std::string_view::npos) return kBinary;
  if (!declared.empty()) {
    if (auto text = decode_declared(bytes, declared)) return *std::move(text);
  }
  if (utf8.valid > kValidPerInvalid * utf8.invalid) {
    return DecodedText{sanitize_utf8(bytes), "UTF-8", broken_bytes_warning("UTF-8", utf8.invalid)};
  }
  return decode_guessed(bytes);
}

}  // namespace glyph
